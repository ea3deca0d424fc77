import errno
import hashlib
import json
import os
import shutil
import sqlite3
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pytest

from stocklstm.core.reference import ModelReference, parse_reference
from stocklstm.errors import (
    ArtifactCorruptError,
    ArtifactVersionError,
    ConfigError,
    NoModelError,
    SchemaError,
    StorageError,
    StoreLockedError,
)
from stocklstm.store import registry as registry_module
from stocklstm.store.aliases import AliasChange
from stocklstm.store.database import transaction
from stocklstm.store.manifest import FILE_NAME, FORMAT, FileRecord
from stocklstm.store.store import open_store
from tests.support.store_processes import running
from tests.support.store_samples import FILES, LATER, NOON, TICKER, entry_of, manifest_of, publish
from tests.support.tampering import replace_manifest

NOT_PUBLISHED = r"manifest.json is not the file that was published \(sha256\)"


@pytest.fixture
def registry(store):
    return store.registry


def directory(registry, version: int | None = None, ticker: str = TICKER) -> Path:
    paths = registry.paths
    return paths.ticker(ticker) if version is None else paths.version(ticker, version)


def names(path: Path) -> list[str]:
    return sorted(found.name for found in path.iterdir()) if path.exists() else []


def promote(registry, version: int, reason: str = "better", at: str = NOON) -> None:
    registry.aliases.promote(TICKER, version, reason=reason, at=at)


def resolve(registry, text: str) -> int:
    return registry.resolve(parse_reference(text))


# Publishing


def test_a_foreign_directory_among_the_models_is_no_ticker(registry):
    publish(registry)
    (registry.paths.models / "foo" / "v1").mkdir(parents=True)
    assert registry.tickers() == [TICKER]


def test_what_is_published_is_what_was_written(registry):
    made = publish(registry)
    assert made.id == "PETR4.SA@v1"
    assert registry.tickers() == [TICKER]
    assert registry.versions(TICKER) == [1]
    assert registry.manifest(TICKER, 1) == made
    assert {name: registry.read_file(made, name) for name in made.files} == FILES
    assert registry.unlisted_files(made) == []
    assert names(directory(registry, 1)) == sorted([*FILES, FILE_NAME])
    assert names(directory(registry)) == ["v1"]


def test_a_draft_cannot_be_seen(registry):
    with registry.draft(TICKER) as draft:
        draft.write("model.onnx", b"content")
        assert registry.tickers() == []
        assert registry.versions(TICKER) == []
        with pytest.raises(NoModelError, match=r"there is no model of PETR4\.SA"):
            resolve(registry, TICKER)
        assert draft.path.parent == directory(registry)


def test_a_draft_that_is_not_published_leaves_nothing(registry):
    with registry.draft(TICKER) as draft:
        draft.write("model.onnx", b"content")
    assert names(directory(registry)) == []


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_a_draft_that_is_given_up_leaves_nothing(registry, error):
    def give_up():
        with registry.draft(TICKER) as draft:
            draft.write("model.onnx", b"content")
            raise error

    with pytest.raises(error):
        give_up()
    assert names(directory(registry)) == []


def test_drafts_of_one_ticker_do_not_meet(registry):
    with registry.draft(TICKER) as first, registry.draft(TICKER) as second:
        first.write("file", b"1")
        second.write("file", b"2")
        for draft in (second, first):
            files = dict(draft.files)
            registry.publish(
                draft, TICKER, lambda number, f=files: manifest_of(number, files=f), at=NOON
            )
    assert [
        registry.read_file(registry.manifest(TICKER, version), "file") for version in (1, 2)
    ] == [b"2", b"1"]


def test_a_file_of_a_draft_is_written_once(registry):
    with registry.draft(TICKER) as draft:
        draft.write("file", b"first")
        with pytest.raises(ConfigError, match="File exists"):
            draft.write("file", b"second")
        assert (draft.path / "file").read_bytes() == b"first"
        assert draft.files["file"].size == 5


def test_everything_is_on_the_disk_before_the_name_and_the_names_after_it(registry, monkeypatch):
    steps = []
    fsync, rename = os.fsync, Path.rename

    def spy_sync(handle):
        steps.append(Path(f"/proc/self/fd/{handle}").readlink())
        fsync(handle)

    def spy_rename(self, target):
        steps.append(("rename", target))
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", spy_sync)
    monkeypatch.setattr(Path, "rename", spy_rename)
    publish(registry, files={"model.onnx": b"1", "model.pth": b"2"})
    draft = steps[0].parent
    assert draft.name.startswith(".draft-")
    ticker = directory(registry)
    assert steps == [
        draft / "model.onnx",
        draft / "model.pth",
        draft / FILE_NAME,
        draft,
        ("rename", ticker / "v1"),
        ticker,
        ticker.parent,
        ticker.parent.parent,
    ]


def test_an_error_while_publishing_leaves_no_version(registry):
    def fail(version: int):
        raise KeyError(version)

    publish(registry)
    with registry.draft(TICKER) as draft:
        draft.write("file", b"content")
        with pytest.raises(KeyError, match="2"):
            registry.publish(draft, TICKER, fail, at=NOON, promotion="better")
    assert_only_the_first(registry)
    assert publish(registry).version == 2


@pytest.mark.parametrize("step", ["write_durably", "sync_directory"])
@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, StorageError), (errno.EACCES, ConfigError)]
)
def test_a_disk_that_fails_while_publishing(registry, monkeypatch, step, number, expected):
    def refuse(path, *_):
        raise OSError(number, os.strerror(number), str(path))

    publish(registry)
    with registry.draft(TICKER) as draft:
        draft.write("file", b"content")
        monkeypatch.setattr(f"stocklstm.store.registry.{step}", refuse)
        with pytest.raises(expected, match="cannot publish the model"):
            registry.publish(draft, TICKER, manifest_of, at=NOON, promotion="better")
    monkeypatch.undo()
    assert names(directory(registry)) == ["v1"]
    assert registry.versions(TICKER) == [1]
    assert registry.aliases.of(TICKER) == {}
    assert publish(registry).version == 2


def test_a_commit_that_fails_takes_the_directory_back(registry):
    publish(registry, promotion="first")
    # A deferred foreign key is looked at as the transaction commits: after the rename.
    registry.connection.execute("PRAGMA foreign_keys = ON")
    registry.connection.execute(
        "CREATE TEMP TRIGGER late AFTER INSERT ON main.versions WHEN new.version = 2"
        " BEGIN INSERT INTO broken VALUES (1); END"
    )
    registry.connection.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
    registry.connection.execute(
        "CREATE TABLE broken (id REFERENCES parents DEFERRABLE INITIALLY DEFERRED)"
    )
    with pytest.raises(sqlite3.IntegrityError):
        publish(registry, promotion="second")
    registry.connection.execute("DROP TRIGGER late")
    assert registry.versions(TICKER) == [1]
    assert registry.aliases.of(TICKER) == {"champion": 1}
    assert names(directory(registry)) == ["v1"]
    assert publish(registry).version == 2


def test_a_version_and_its_promotion_are_one(registry):
    publish(registry, promotion="there was no champion")
    publish(registry)
    publish(registry, promotion="better")
    assert registry.aliases.of(TICKER) == {"champion": 3, "previous": 1}
    assert [(line.version, line.reason) for line in registry.aliases.log(TICKER)] == [
        (1, "there was no champion"),
        (1, "better"),
        (3, "better"),
    ]


def test_a_disk_without_room_for_a_file(registry, file_limit):
    with registry.draft(TICKER) as draft:
        with file_limit(1000), pytest.raises(StorageError, match="cannot write the model"):
            draft.write("model.onnx", b"x" * 5000)
        assert draft.files == {}
    assert registry.tickers() == []
    assert names(directory(registry)) == []


def test_a_disk_that_does_not_keep_what_it_took(registry, monkeypatch):
    def refuse(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with registry.draft(TICKER) as draft:
        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(StorageError, match="No space left"):
            draft.write("model.onnx", b"content")
        with pytest.raises(StorageError, match="No space left"):
            registry.publish(draft, TICKER, manifest_of, at=NOON, promotion="better")
    assert names(directory(registry)) == []


@pytest.mark.parametrize("place", ["models", f"models/{TICKER}"])
def test_no_place_for_a_draft(registry, place):
    path = registry.paths.home / place
    path.parent.mkdir(exist_ok=True)
    path.write_text("in the way")
    with pytest.raises(ConfigError, match="cannot create the model"), registry.draft(TICKER):
        pytest.fail("there is a draft")
    assert registry.tickers() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"mase_scale": float("nan")},
        {"ticker": "VALE3.SA"},
        {"version": 7},
        {"method": "float8"},
        {"files": {"../elsewhere": FileRecord("0" * 64, 1)}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_could_not_be_read_back_is_not_published(registry, wrong):
    with registry.draft(TICKER) as draft, pytest.raises(ArtifactCorruptError):
        registry.publish(
            draft,
            TICKER,
            lambda version: manifest_of(**{"version": version} | wrong),
            at=NOON,
            promotion="better",
        )
    assert registry.versions(TICKER) == []
    assert registry.aliases.of(TICKER) == {}
    assert names(directory(registry)) == []


# All of a publication or nothing


def state(registry) -> list[list[tuple]]:
    return [
        registry.connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - fixed
        for table in ("versions", "aliases", "alias_log")
    ]


def assert_only_the_first(registry) -> None:
    assert not registry.connection.in_transaction
    assert registry.versions(TICKER) == [1]
    assert names(directory(registry)) == ["v1"]
    assert registry.aliases.of(TICKER) in ({}, {"champion": 1})


def test_nobody_sees_a_version_before_all_of_it_is_there(home, registry, monkeypatch):
    publish(registry, promotion="first")
    seen = []
    rename = Path.rename

    def look(self, target):
        moved = rename(self, target)
        with open_store(home) as other:
            seen.append((other.registry.versions(TICKER), dict(other.registry.aliases.of(TICKER))))
        return moved

    monkeypatch.setattr(Path, "rename", look)
    publish(registry, promotion="better")
    assert seen == [([1], {"champion": 1})]
    with open_store(home) as other:
        assert other.registry.versions(TICKER) == [1, 2]
        assert other.registry.aliases.of(TICKER) == {"champion": 2, "previous": 1}


@pytest.mark.parametrize("reaction", ["ABORT", "ROLLBACK"])
@pytest.mark.parametrize("table", ["versions", "alias_log", "aliases"])
def test_a_database_that_refuses_leaves_no_version(registry, table, reaction):
    publish(registry, promotion="first")
    before = state(registry)
    registry.connection.execute(
        f"CREATE TEMP TRIGGER fail BEFORE INSERT ON main.{table}"
        f" BEGIN SELECT RAISE({reaction}, 'stop here'); END"
    )
    with pytest.raises(sqlite3.IntegrityError, match="stop here"):
        publish(registry, promotion="better")
    assert_only_the_first(registry)
    assert state(registry) == before
    registry.connection.execute("DROP TRIGGER fail")
    assert publish(registry, promotion="better").version == 2
    assert registry.aliases.of(TICKER) == {"champion": 2, "previous": 1}


def test_a_commit_for_which_the_disk_has_no_room_leaves_nothing(home, registry, file_limit):
    publish(registry, promotion="first")
    before = state(registry)
    journal = (home / "stocklstm.db-wal").stat().st_size
    # The files are written, the directory has its place, and then the journal may not grow.
    with file_limit(journal), pytest.raises(StorageError, match="the store cannot be written"):
        publish(registry, promotion="better")
    assert_only_the_first(registry)
    assert state(registry) == before
    assert publish(registry, promotion="better").version == 2


# One of the draft, and three after it was renamed.
SYNCS = range(4)


@pytest.mark.parametrize("when", SYNCS)
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (SystemExit(), SystemExit),
        (KeyError(), KeyError),
        (OSError(errno.EIO, "failing"), StorageError),
        (OSError(errno.EROFS, "read-only"), ConfigError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_what_goes_wrong_at_any_sync_leaves_nothing(registry, monkeypatch, when, error, expected):
    publish(registry, promotion="first")
    before = state(registry)
    left = iter(SYNCS)

    def fail(_):
        if next(left) == when:
            raise error

    monkeypatch.setattr(registry_module, "sync_directory", fail)
    with pytest.raises(expected):
        publish(registry, promotion="better")
    monkeypatch.undo()
    assert_only_the_first(registry)
    assert state(registry) == before
    assert publish(registry).version == 2


def test_an_interruption_after_the_commit_undoes_nothing(registry, monkeypatch):
    publish(registry, promotion="first")

    @contextmanager
    def interrupted(connection):
        with transaction(connection):
            yield
        raise KeyboardInterrupt

    monkeypatch.setattr(registry_module, "transaction", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish(registry, promotion="better")
    monkeypatch.undo()
    assert registry.versions(TICKER) == [1, 2]
    assert registry.aliases.of(TICKER) == {"champion": 2, "previous": 1}
    assert names(directory(registry)) == ["v1", "v2"]
    manifest = registry.manifest(TICKER, 2)
    assert {name: registry.read_file(manifest, name) for name in manifest.files} == FILES


def test_a_directory_that_cannot_be_taken_back_stays_unlisted(registry, monkeypatch):
    publish(registry, promotion="first")
    rename = Path.rename

    def only_forth(self, target):
        if target.name.startswith(".draft-"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))
        return rename(self, target)

    def fail(path):
        if path == directory(registry):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(Path, "rename", only_forth)
    monkeypatch.setattr(registry_module, "sync_directory", fail)
    # What went wrong first is what is told.
    with pytest.raises(StorageError, match="cannot publish the model: Input/output error"):
        publish(registry, promotion="better")
    monkeypatch.undo()
    assert names(directory(registry)) == ["v1", "v2"]
    assert registry.versions(TICKER) == [1]
    assert registry.aliases.of(TICKER) == {"champion": 1}
    assert publish(registry, promotion="better").version == 3


def test_what_takes_the_place_meanwhile_is_left_alone(registry, monkeypatch):
    publish(registry, promotion="first")
    rename = Path.rename

    def taken(self, target):
        target.mkdir()
        (target / "mine").write_text("do not touch")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", taken)
    with pytest.raises(StorageError, match="cannot publish the model: Directory not empty"):
        publish(registry, promotion="better")
    monkeypatch.undo()
    assert registry.versions(TICKER) == [1]
    assert registry.aliases.of(TICKER) == {"champion": 1}
    assert names(directory(registry)) == ["v1", "v2"]
    assert (directory(registry, 2) / "mine").read_text() == "do not touch"
    assert publish(registry).version == 3


def test_a_store_that_another_is_writing_for_too_long(home, registry):
    publish(registry, promotion="first")
    with open_store(home, lock_timeout_s=0.1) as other, running("hold_write", home):
        with pytest.raises(StoreLockedError):
            publish(other.registry, promotion="better")
        assert_only_the_first(other.registry)
    assert publish(registry).version == 2


# Numbers


def test_versions_ascend_as_numbers(registry):
    made = [publish(registry, files={}).version for _ in range(11)]
    assert made == registry.versions(TICKER) == list(range(1, 12))


def test_a_number_is_never_given_again(registry):
    for _ in range(3):
        publish(registry)
    # None of them was ever pointed at, nor forecast.
    shutil.rmtree(directory(registry))
    assert publish(registry).version == 4
    assert registry.versions(TICKER) == [1, 2, 3, 4]


def test_a_directory_left_by_a_killed_process_is_not_seen_and_its_number_not_used(registry):
    publish(registry)
    shutil.copytree(directory(registry, 1), directory(registry, 2))
    assert registry.versions(TICKER) == [1]
    with pytest.raises(NoModelError, match=r"there is no PETR4\.SA@v2"):
        resolve(registry, f"{TICKER}@v2")
    assert publish(registry).version == 3
    assert registry.versions(TICKER) == [1, 3]


def test_the_number_of_a_version_that_forecast_is_never_given_again(registry, store):
    publish(registry)
    store.ledger.record(entry_of(version=1))
    shutil.rmtree(directory(registry, 1))
    # The ledger alone remembers it.
    registry.connection.execute("DELETE FROM versions")
    assert publish(registry).version == 2


@pytest.mark.parametrize("table", ["versions", "alias_log"])
def test_what_any_table_remembers_of_a_number_counts(registry, table):
    publish(registry, promotion="first")
    publish(registry, promotion="second")
    shutil.rmtree(directory(registry))
    for other in {"versions", "alias_log"} - {table}:
        registry.connection.execute(f"DELETE FROM {other}")  # noqa: S608 - fixed names
    assert publish(registry).version == 3


def test_the_numbers_of_directories_that_were_never_published_are_passed_over(registry):
    publish(registry)
    for number in (2, 3, 5):
        directory(registry, number).mkdir()
    assert publish(registry).version == 4
    assert publish(registry).version == 6
    assert registry.versions(TICKER) == [1, 4, 6]
    assert names(directory(registry, 2)) == []


def test_a_number_that_is_none(registry):
    registry.connection.execute("DROP TABLE forecasts")
    registry.connection.execute("CREATE TABLE forecasts (ticker, version)")
    registry.connection.execute("INSERT INTO forecasts VALUES (?, x'ff41')", (TICKER,))
    with pytest.raises(SchemaError, match="is damaged"):
        publish(registry)
    assert registry.versions(TICKER) == []
    assert names(directory(registry)) == []


def test_numbers_of_one_ticker_do_not_count_for_another(registry):
    publish(registry)
    promote(registry, 1)
    assert publish(registry, "VALE3.SA").version == 1
    assert registry.tickers() == [TICKER, "VALE3.SA"]


@pytest.mark.parametrize(
    "name", ["v0", "v01", "v", "V2", "v2.bak", "v-2", "v\u0663", "v1e3", "v9999999999", ".draft-v2"]
)
def test_a_directory_of_another_name_is_no_version(registry, name):
    publish(registry)
    (directory(registry) / name).mkdir()
    assert registry.versions(TICKER) == [1]
    assert publish(registry).version == 2


def test_only_tickers_with_versions_are_listed(registry):
    publish(registry)
    models = registry.paths.models
    for strange in ("EMPTY", "DRAFTED/.draft-0", "OTHER/data", "FOREIGN/v0"):
        (models / strange).mkdir(parents=True)
    for file in ("README.txt", ".DS_Store", "v1", "OTHER/v"):
        (models / file).write_text("not ours")
    assert registry.tickers() == [TICKER]


def test_an_empty_store_has_no_models(registry):
    assert registry.tickers() == []
    assert registry.versions(TICKER) == []


# Reading


def test_references(registry):
    publish(registry)
    publish(registry)
    promote(registry, 1)
    assert resolve(registry, TICKER) == 1
    assert resolve(registry, f"{TICKER}@champion") == 1
    assert resolve(registry, f"{TICKER}@v2") == 2


@pytest.mark.parametrize("text", ["@v3", "@champion", "@previous", "@mine", ""])
def test_a_reference_to_nothing_lists_what_there_is(registry, text):
    publish(registry)
    publish(registry)
    with pytest.raises(NoModelError, match=r"PETR4.SA has v1, v2") as caught:
        resolve(registry, TICKER + text)
    assert caught.value.hint == "stocklstm models list --ticker PETR4.SA"


def test_a_ticker_without_models_says_how_to_get_one(registry):
    with pytest.raises(NoModelError, match=r"there is no model of VALE3\.SA") as caught:
        registry.resolve(ModelReference("VALE3.SA"))
    assert caught.value.hint == "stocklstm train --ticker VALE3.SA"


def test_an_alias_of_a_version_that_is_gone_is_damage(registry):
    publish(registry)
    publish(registry, promotion="better")
    shutil.rmtree(directory(registry, 2))
    assert resolve(registry, TICKER) == 2
    with pytest.raises(ArtifactCorruptError, match=r"v2 is damaged: manifest\.json is missing"):
        registry.manifest(TICKER, 2)


def test_an_alias_of_a_version_that_is_not_listed(registry):
    publish(registry)
    publish(registry, promotion="better")
    registry.connection.execute("DELETE FROM versions WHERE version = 2")
    with pytest.raises(NoModelError, match=r"no PETR4.SA@champion; PETR4.SA has v1"):
        resolve(registry, TICKER)


def test_directories_copied_to_another_ticker_are_not_seen(registry):
    publish(registry)
    shutil.copytree(directory(registry), directory(registry, ticker="VALE3.SA"))
    assert registry.tickers() == [TICKER]
    assert registry.versions("VALE3.SA") == []
    with pytest.raises(NoModelError, match=r"there is no model of VALE3\.SA"):
        resolve(registry, "VALE3.SA")
    with pytest.raises(NoModelError, match=r"there is no VALE3\.SA@v1"):
        registry.manifest("VALE3.SA", 1)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file(registry, name):
    made = publish(registry)
    (directory(registry, 1) / name).unlink()
    with pytest.raises(ArtifactCorruptError, match=rf"PETR4.SA@v1 is damaged: {name} is missing"):
        registry.read_file(made, name)


@pytest.mark.parametrize("change", [slice(0, -1), slice(0, 0), slice(1, None), slice(0, 512)])
def test_a_truncated_file(registry, change):
    made = publish(registry)
    path = directory(registry, 1) / "model.onnx"
    path.write_bytes(path.read_bytes()[change])
    with pytest.raises(ArtifactCorruptError, match=r"model.onnx has \d+ bytes, not 1024"):
        registry.read_file(made, "model.onnx")


@pytest.mark.parametrize("name", sorted(FILES))
def test_an_extended_file(registry, name):
    made = publish(registry)
    path = directory(registry, 1) / name
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ArtifactCorruptError, match=rf"{name} has \d+ bytes, more than"):
        registry.read_file(made, name)


def test_one_flipped_bit_anywhere(registry):
    made = publish(registry)
    path = directory(registry, 1) / "model.onnx"
    content = path.read_bytes()
    for place in [*range(0, len(content), 61), len(content) - 1]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(ArtifactCorruptError, match=r"not the file that was published \(sha256"):
            registry.read_file(made, "model.onnx")
    path.write_bytes(content)
    assert registry.read_file(made, "model.onnx") == content


@pytest.mark.parametrize("name", ["notes.txt", FILE_NAME, "../v1/model.onnx", ""])
def test_a_file_that_the_manifest_does_not_list(registry, name):
    made = publish(registry)
    (directory(registry, 1) / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactCorruptError, match="its manifest does not list"):
        registry.read_file(made, name)


def test_unlisted_files_are_named(registry):
    made = publish(registry)
    (directory(registry, 1) / "notes.txt").write_text("mine")
    (directory(registry, 1) / ".hidden").mkdir()
    assert registry.unlisted_files(made) == [".hidden", "notes.txt"]


def test_a_directory_in_place_of_a_file(registry):
    made = publish(registry)
    path = directory(registry, 1) / "model.onnx"
    path.unlink()
    path.mkdir()
    with pytest.raises(ArtifactCorruptError, match=r"model.onnx is missing"):
        registry.read_file(made, "model.onnx")


def test_a_file_in_place_of_a_version(registry):
    publish(registry)
    shutil.rmtree(directory(registry, 1))
    directory(registry, 1).write_text("in the way")
    with pytest.raises(ArtifactCorruptError, match=r"PETR4.SA@v1 is damaged: manifest.json is mis"):
        registry.manifest(TICKER, 1)
    assert publish(registry).version == 2


def test_a_version_without_a_manifest(registry):
    publish(registry)
    (directory(registry, 1) / FILE_NAME).unlink()
    with pytest.raises(ArtifactCorruptError, match=r"manifest.json is missing"):
        registry.manifest(TICKER, 1)


def swap(first: Path, second: Path) -> None:
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)


def test_the_manifest_of_another_version_or_ticker(registry):
    places = [(TICKER, 1), (TICKER, 2), ("VALE3.SA", 1)]
    paths = [directory(registry, number, ticker) / FILE_NAME for ticker, number in places]
    made = [publish(registry, ticker) for ticker, _ in places]
    for one, two in ((0, 1), (0, 2), (1, 2)):
        swap(paths[one], paths[two])
        for place in (one, two):
            with pytest.raises(ArtifactCorruptError, match=NOT_PUBLISHED) as caught:
                registry.manifest(*places[place])
            assert caught.value.message.startswith(f"{made[place].id} is damaged")
        swap(paths[one], paths[two])
        assert [registry.manifest(*place) for place in places] == made


@pytest.mark.parametrize(("ticker", "version"), [(TICKER, 2), ("VALE3.SA", 1)])
def test_the_manifest_of_another_version_with_its_record(registry, ticker, version):
    """Whoever changes the database too is found out by what the manifest says of itself."""
    publish(registry)
    publish(registry, ticker)
    text = (directory(registry, 1) / FILE_NAME).read_text()
    replace_manifest(directory(registry, version, ticker), text)
    with pytest.raises(ArtifactCorruptError, match=r"its manifest belongs to 'PETR4.SA@v1'"):
        registry.manifest(ticker, version)


def test_the_directories_of_two_versions_changed_places(registry):
    publish(registry)
    publish(registry, files={"model.onnx": b"another"})
    directory(registry, 1).rename(directory(registry, 9))
    directory(registry, 2).rename(directory(registry, 1))
    directory(registry, 9).rename(directory(registry, 2))
    for version in (1, 2):
        with pytest.raises(ArtifactCorruptError, match=NOT_PUBLISHED):
            registry.manifest(TICKER, version)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda _: b"",
        lambda content: content + b"\n",
        lambda content: json.dumps(json.loads(content)).encode(),
        lambda content: content.replace(b'"format": %d' % FORMAT, b'"format": %d' % (FORMAT + 1)),
    ],
    ids=["truncated", "empty", "a-line-more", "same-meaning", "newer-format"],
)
def test_a_manifest_that_is_not_the_very_one(registry, change):
    publish(registry)
    path = directory(registry, 1) / FILE_NAME
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ArtifactCorruptError, match=NOT_PUBLISHED):
        registry.manifest(TICKER, 1)


def test_what_the_database_knows_of_a_version(registry):
    publish(registry)
    content = (directory(registry, 1) / FILE_NAME).read_bytes()
    assert registry.connection.execute("SELECT * FROM versions").fetchall() == [
        (TICKER, 1, hashlib.sha256(content).hexdigest(), NOON, None)
    ]


def test_one_flipped_bit_of_the_manifest(registry):
    made = publish(registry)
    path = directory(registry, 1) / FILE_NAME
    content = path.read_bytes()
    for place in [*range(0, len(content), 7), len(content) - 1]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(ArtifactCorruptError, match=r"not the file that was published \(sha256"):
            registry.manifest(TICKER, 1)
    path.write_bytes(content)
    assert registry.manifest(TICKER, 1) == made


def test_a_version_of_a_newer_program(registry):
    publish(registry)
    text = (directory(registry, 1) / FILE_NAME).read_text()
    replace_manifest(
        directory(registry, 1), text.replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}')
    )
    with pytest.raises(
        ArtifactVersionError, match=rf"PETR4.SA@v1 has manifest format {FORMAT + 1}"
    ):
        registry.manifest(TICKER, 1)


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.EIO, StorageError), (errno.EACCES, ConfigError)]
)
def test_a_disk_that_cannot_be_read(registry, monkeypatch, number, expected):
    made = publish(registry)

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(expected, match=r"cannot read model.onnx"):
        registry.read_file(made, "model.onnx")
    with pytest.raises(expected, match=r"cannot read manifest.json"):
        registry.manifest(TICKER, 1)
    monkeypatch.setattr(Path, "iterdir", refuse)
    # What there is stands in the database.
    assert (registry.tickers(), registry.versions(TICKER)) == ([TICKER], [1])
    with pytest.raises(expected, match="cannot read the model"):
        registry.unlisted_files(made)


# Aliases


def test_champion_and_previous(registry):
    assert registry.aliases.of(TICKER) == {}
    for version in (1, 2, 3):
        publish(registry)
        promote(registry, version)
    assert registry.aliases.of(TICKER) == {"champion": 3, "previous": 2}
    assert (resolve(registry, TICKER), resolve(registry, f"{TICKER}@previous")) == (3, 2)
    promote(registry, 2)
    assert registry.aliases.of(TICKER) == {"champion": 2, "previous": 3}
    assert registry.aliases.of("VALE3.SA") == {}


def test_every_change_is_logged(registry):
    publish(registry)
    publish(registry)
    promote(registry, 1, "there was no champion", NOON)
    promote(registry, 2, "better", LATER)
    assert registry.aliases.log(TICKER) == [
        AliasChange(NOON, "champion", 1, None, "there was no champion"),
        AliasChange(LATER, "previous", 1, None, "better"),
        AliasChange(LATER, "champion", 2, 1, "better"),
    ]
    assert registry.aliases.log("VALE3.SA") == []


def test_promoting_the_champion_changes_nothing(registry):
    publish(registry)
    promote(registry, 1)
    promote(registry, 1, "again", LATER)
    assert registry.aliases.of(TICKER) == {"champion": 1}
    assert len(registry.aliases.log(TICKER)) == 1


def test_an_error_while_promoting_changes_nothing(registry):
    publish(registry)
    promote(registry, 1)
    before = registry.aliases.of(TICKER), registry.aliases.log(TICKER)
    registry.connection.execute(
        "CREATE TEMP TRIGGER fail BEFORE INSERT ON main.aliases WHEN new.name = 'champion'"
        " BEGIN SELECT RAISE(ABORT, 'stop here'); END"
    )
    with pytest.raises(Exception, match="stop here"):
        promote(registry, 2)
    assert (registry.aliases.of(TICKER), registry.aliases.log(TICKER)) == before


# Several processes


def test_processes_that_publish_at_once_get_different_versions(home, tmp_path):
    with open_store(home, create=True):
        pass
    gate, each = tmp_path / "gate", 6
    with (
        running("publish_many", home, gate, each) as first,
        running("publish_many", home, gate, each) as second,
    ):
        gate.touch()
        outputs = [process.communicate(timeout=60)[0] for process in (first, second)]
        pids = [first.pid, second.pid]
    numbers = [[int(line) for line in output.split()] for output in outputs]
    everyone = list(range(1, 2 * each + 1))
    assert sorted(chain(*numbers)) == everyone
    with open_store(home) as store:
        registry = store.registry
        assert registry.versions(TICKER) == everyone
        for pid, versions in zip(pids, numbers, strict=True):
            for version in versions:
                manifest = registry.manifest(TICKER, version)
                assert registry.read_file(manifest, "pid") == str(pid).encode()
        assert registry.aliases.of(TICKER) == {"champion": 2 * each, "previous": 2 * each - 1}
        champions = [line for line in registry.aliases.log(TICKER) if line.name == "champion"]
        assert [line.version for line in champions] == everyone
        assert [line.replaced for line in champions] == [None, *everyone[:-1]]
        assert names(directory(registry)) == sorted(f"v{number}" for number in everyone)


def test_readers_never_see_a_champion_that_cannot_be_read(home, tmp_path):
    with open_store(home, create=True) as store:
        publish(store.registry, promotion="first")
    gate = tmp_path / "gate"
    with (
        running("publish_many", home, gate, 12) as first,
        running("publish_many", home, gate, 12) as second,
        open_store(home) as store,
    ):
        registry, seen = store.registry, [1]
        gate.touch()
        while first.poll() is None or second.poll() is None:
            champion = resolve(registry, TICKER)
            manifest = registry.manifest(TICKER, champion)
            for name in manifest.files:
                registry.read_file(manifest, name)
            seen.append(champion)
        assert (first.returncode, second.returncode) == (0, 0)
        assert seen == sorted(seen)
        assert resolve(registry, TICKER) == 25
