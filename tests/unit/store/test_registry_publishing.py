"""A version is published whole or not at all, whatever fails and whoever publishes beside."""

import errno
import os
import sqlite3
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pytest

from stocklstm.errors import (
    ArtifactCorruptError,
    ConfigError,
    NoModelError,
    StorageError,
    StoreLockedError,
)
from stocklstm.store import registry as registry_module
from stocklstm.store.database import transaction
from stocklstm.store.manifest import FILE_NAME, FileRecord
from stocklstm.store.store import open_store
from tests.support.store_processes import running
from tests.support.store_samples import (
    FILES,
    NOON,
    TICKER,
    directory_of,
    manifest_of,
    names_in,
    publish,
    resolve,
)

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
    assert names_in(directory_of(registry, 1)) == sorted([*FILES, FILE_NAME])
    assert names_in(directory_of(registry)) == ["v1"]


def test_a_draft_cannot_be_seen(registry):
    with registry.draft(TICKER) as draft:
        draft.write("model.onnx", b"content")
        assert registry.tickers() == []
        assert registry.versions(TICKER) == []
        with pytest.raises(NoModelError, match=r"there is no model of PETR4\.SA"):
            resolve(registry, TICKER)
        assert draft.path.parent == directory_of(registry)


def test_a_draft_that_is_not_published_leaves_nothing(registry):
    with registry.draft(TICKER) as draft:
        draft.write("model.onnx", b"content")
    assert names_in(directory_of(registry)) == []


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_a_draft_that_is_given_up_leaves_nothing(registry, error):
    def give_up():
        with registry.draft(TICKER) as draft:
            draft.write("model.onnx", b"content")
            raise error

    with pytest.raises(error):
        give_up()
    assert names_in(directory_of(registry)) == []


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
    fsync, rename = os.fsync, os.rename

    def spy_sync(handle):
        steps.append(Path(f"/proc/self/fd/{handle}").readlink())
        fsync(handle)

    def spy_rename(draft, target):
        steps.append(("rename", target))
        rename(draft, target)

    monkeypatch.setattr(os, "fsync", spy_sync)
    monkeypatch.setattr(os, "rename", spy_rename)
    publish(registry, files={"model.onnx": b"1", "model.pth": b"2"})
    draft = steps[0].parent
    assert draft.name.startswith(".draft-")
    ticker = directory_of(registry)
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
    assert names_in(directory_of(registry)) == ["v1"]
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
    assert names_in(directory_of(registry)) == ["v1"]
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
    assert names_in(directory_of(registry)) == []


def test_a_disk_that_does_not_keep_what_it_took(registry, monkeypatch):
    def refuse(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with registry.draft(TICKER) as draft:
        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(StorageError, match="No space left"):
            draft.write("model.onnx", b"content")
        with pytest.raises(StorageError, match="No space left"):
            registry.publish(draft, TICKER, manifest_of, at=NOON, promotion="better")
    assert names_in(directory_of(registry)) == []


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
    assert names_in(directory_of(registry)) == []


# All of a publication or nothing


def state(registry) -> list[list[tuple]]:
    return [
        registry.connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - fixed
        for table in ("versions", "aliases", "alias_log")
    ]


def assert_only_the_first(registry) -> None:
    assert not registry.connection.in_transaction
    assert registry.versions(TICKER) == [1]
    assert names_in(directory_of(registry)) == ["v1"]
    assert registry.aliases.of(TICKER) in ({}, {"champion": 1})


def test_nobody_sees_a_version_before_all_of_it_is_there(home, registry, monkeypatch):
    publish(registry, promotion="first")
    seen = []
    rename = os.rename

    def look(draft, target):
        rename(draft, target)
        with open_store(home) as other:
            seen.append((other.registry.versions(TICKER), dict(other.registry.aliases.of(TICKER))))

    monkeypatch.setattr(os, "rename", look)
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
    assert names_in(directory_of(registry)) == ["v1", "v2"]
    manifest = registry.manifest(TICKER, 2)
    assert {name: registry.read_file(manifest, name) for name in manifest.files} == FILES


def test_a_directory_that_cannot_be_taken_back_stays_unlisted(registry, monkeypatch):
    publish(registry, promotion="first")
    rename = os.rename

    def only_forth(old, new):
        if new.name.startswith(".draft-"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(old))
        rename(old, new)

    def fail(path):
        if path == directory_of(registry):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(os, "rename", only_forth)
    monkeypatch.setattr(registry_module, "sync_directory", fail)
    # What went wrong first is what is told.
    with pytest.raises(StorageError, match="cannot publish the model: Input/output error"):
        publish(registry, promotion="better")
    monkeypatch.undo()
    assert names_in(directory_of(registry)) == ["v1", "v2"]
    assert registry.versions(TICKER) == [1]
    assert registry.aliases.of(TICKER) == {"champion": 1}
    assert publish(registry, promotion="better").version == 3


def test_what_takes_the_place_meanwhile_is_left_alone(registry, monkeypatch):
    publish(registry, promotion="first")
    rename = os.rename

    def taken(draft, target):
        target.mkdir()
        (target / "mine").write_text("do not touch")
        rename(draft, target)

    monkeypatch.setattr(os, "rename", taken)
    with pytest.raises(StorageError, match="cannot publish the model: Directory not empty"):
        publish(registry, promotion="better")
    monkeypatch.undo()
    assert registry.versions(TICKER) == [1]
    assert registry.aliases.of(TICKER) == {"champion": 1}
    assert names_in(directory_of(registry)) == ["v1", "v2"]
    assert (directory_of(registry, 2) / "mine").read_text() == "do not touch"
    assert publish(registry).version == 3


def test_a_store_that_another_is_writing_for_too_long(home, registry):
    publish(registry, promotion="first")
    with open_store(home, lock_timeout_s=0.1) as other, running("hold_write", home):
        with pytest.raises(StoreLockedError):
            publish(other.registry, promotion="better")
        assert_only_the_first(other.registry)
    assert publish(registry).version == 2


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
        assert names_in(directory_of(registry)) == sorted(f"v{number}" for number in everyone)


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
