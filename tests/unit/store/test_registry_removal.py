"""What is removed, what stays, and that nothing outside the store is ever touched."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from stocklstm.core.reference import ModelReference
from stocklstm.errors import ArtifactCorruptError, CheckFailedError, NoModelError
from stocklstm.store.disk import size_of
from stocklstm.store.drafts import replace_file
from stocklstm.store.locks import writer_lock
from stocklstm.store.store import open_store
from tests.support.store_samples import FILES, LATER, NOON, TICKER, entry_of, publish


@pytest.fixture
def registry(store):
    for number in range(3):
        publish(store.registry, promotion=f"{number}" if number < 2 else None)
    return store.registry  # v2 champion, v1 previous, v3 free


@pytest.fixture
def outside(tmp_path):
    """A directory beside the store, with a file that is worth keeping."""
    path = tmp_path / "outside"
    path.mkdir()
    (path / "model.onnx").write_bytes(FILES["model.onnx"])
    return path


def test_a_version_is_gone_with_its_pictures_and_its_forecasts_stay(store, registry):
    entry = entry_of(version=3)
    store.ledger.record(entry)
    picture = store.paths.reports(TICKER, 3) / "predictions_vs_actual.png"
    replace_file(picture, b"PNG")
    registry.remove(TICKER, 3, at=LATER)
    assert registry.versions(TICKER) == [1, 2]
    assert {path.name for path in store.paths.ticker(TICKER).iterdir()} == {"v1", "v2"}
    assert not picture.parent.exists()
    assert store.ledger.entries(TICKER) == [entry]
    with pytest.raises(NoModelError, match=r"there is no PETR4\.SA@v3; PETR4\.SA has v1, v2"):
        registry.resolve(ModelReference(TICKER, version=3))
    with pytest.raises(NoModelError, match="may have been removed"):
        registry.remove(TICKER, 3, at=LATER)


def test_a_number_is_never_given_twice(registry):
    for number in (4, 5):
        registry.remove(TICKER, number - 1, at=LATER)
        assert publish(registry).version == number


@pytest.mark.parametrize(("version", "name"), [(1, "previous"), (2, "champion"), (3, "live")])
def test_what_an_alias_names_is_not_removed(registry, version, name):
    registry.aliases.point(TICKER, "live", 3, reason="mine", at=NOON)
    with pytest.raises(
        CheckFailedError, match=rf"PETR4\.SA@v{version} is {name}; a version that an alias"
    ) as caught:
        registry.remove(TICKER, version, at=LATER)
    assert ("unalias PETR4.SA@live" in caught.value.hint) == (name == "live")
    assert registry.versions(TICKER) == [1, 2, 3]
    manifest = registry.manifest(TICKER, version)
    assert registry.read_file(manifest, "model.onnx") == FILES["model.onnx"]


def test_a_reader_that_comes_too_late_is_told_so(registry):
    manifest = registry.manifest(TICKER, 3)
    registry.remove(TICKER, 3, at=LATER)
    with pytest.raises(NoModelError, match="may have been removed"):
        registry.read_file(manifest, "model.onnx")
    with pytest.raises(NoModelError, match="may have been removed"):
        registry.manifest(TICKER, 3)


def test_a_damaged_version_and_one_whose_files_are_gone_can_be_removed(store, registry):
    (store.paths.version(TICKER, 3) / "manifest.json").write_bytes(b"{")
    publish(registry)
    shutil.rmtree(store.paths.version(TICKER, 4))
    for version in (3, 4):
        registry.remove(TICKER, version, at=LATER)
    assert registry.versions(TICKER) == [1, 2]


# Symbolic links


def test_a_version_that_is_a_link_is_not_read_and_its_target_survives(store, registry, outside):
    path = store.paths.version(TICKER, 3)
    for file in path.iterdir():
        shutil.copy(file, outside)
    shutil.rmtree(path)
    path.symlink_to(outside)
    kept = {file.name: file.read_bytes() for file in outside.iterdir()}
    with pytest.raises(ArtifactCorruptError, match="its directory is a symbolic link"):
        registry.manifest(TICKER, 3)
    registry.remove(TICKER, 3, at=LATER)
    assert not path.is_symlink()
    assert {file.name: file.read_bytes() for file in outside.iterdir()} == kept


def test_a_file_that_is_a_link_is_not_read_and_its_target_survives(store, registry, outside):
    manifest = registry.manifest(TICKER, 3)
    path = store.paths.version(TICKER, 3)
    (path / "model.onnx").unlink()
    (path / "model.onnx").symlink_to(outside / "model.onnx")
    (path / "deeper").symlink_to(outside)
    with pytest.raises(ArtifactCorruptError, match=r"model\.onnx is a symbolic link"):
        registry.read_file(manifest, "model.onnx")
    registry.remove(TICKER, 3, at=LATER)
    assert not path.exists()
    assert (outside / "model.onnx").read_bytes() == FILES["model.onnx"]


def test_a_ticker_that_is_a_link_is_neither_read_nor_removed_from(store, registry, outside):
    shutil.move(store.paths.ticker(TICKER), outside / TICKER)
    store.paths.ticker(TICKER).symlink_to(outside / TICKER)
    with pytest.raises(ArtifactCorruptError, match="symbolic link"):
        registry.manifest(TICKER, 3)
    with pytest.raises(ArtifactCorruptError, match="symbolic link"):
        registry.remove(TICKER, 3, at=LATER)
    assert registry.versions(TICKER) == [1, 2, 3]
    assert (outside / TICKER / "v3" / "model.onnx").read_bytes() == FILES["model.onnx"]


def test_pictures_that_a_link_leads_to_survive(store, registry, outside):
    pictures = outside / "v3"
    pictures.mkdir()
    store.paths.reports_of(TICKER).parent.mkdir()
    store.paths.reports_of(TICKER).symlink_to(outside)
    registry.remove(TICKER, 3, at=LATER)
    assert registry.versions(TICKER) == [1, 2]
    assert pictures.is_dir()


def test_a_pipe_is_no_model_and_nobody_waits_for_it(store, registry):
    manifest = registry.manifest(TICKER, 3)
    path = store.paths.version(TICKER, 3) / "model.onnx"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ArtifactCorruptError, match="has 0 bytes"):
        registry.read_file(manifest, "model.onnx")


def test_the_size_of_a_tree_counts_no_target_of_a_link(outside, tmp_path):
    path = tmp_path / "tree"
    path.mkdir()
    (path / "ten").write_bytes(b"0123456789")
    (path / "link").symlink_to(outside / "model.onnx")
    (path / "far").symlink_to(outside)
    assert size_of(path) == 10 + (path / "link").lstat().st_size
    assert size_of(path / "ten") == 10
    assert size_of(path / "none") == 0


# Permissions


FILE_KINDS = {".json", ".onnx", ".pth", ".csv", ".png", ".lock", ".db", ".db-wal", ".db-shm"}


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_a_store_is_for_its_owner_alone(tmp_path, mask):
    home = tmp_path / "far" / "home"
    before = os.umask(mask)
    try:
        with open_store(home, create=True) as store, writer_lock(store.paths, TICKER, 1):
            publish(store.registry, promotion="first")
            replace_file(store.paths.reports(TICKER, 1) / "a.png", b"PNG")
            found = {
                str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode)
                for path in tmp_path.rglob("*")
            }
    finally:
        os.umask(before)
    assert found == {name: 0o600 if Path(name).suffix in FILE_KINDS else 0o700 for name in found}
    assert {Path(name).name for name in found} >= {
        *("far", "home", "models", "v1", "locks", "manifest.json", "a.png", "PETR4.SA.lock"),
        *("stocklstm.db", "stocklstm.db-wal", "stocklstm.db-shm"),
    }
