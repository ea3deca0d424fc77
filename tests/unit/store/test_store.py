import errno
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest

from stocklstm.errors import ConfigError, NotFoundError, SchemaError, StorageError
from stocklstm.store.store import open_store
from tests.support.price_rows import PETR4
from tests.support.store_actions import merge, release
from tests.support.store_processes import run_child
from tests.support.store_samples import DIVIDEND, NOON, TICKER, WEEK, publish


@pytest.fixture
def filled(home):
    """A store with prices and a champion, closed properly."""
    with open_store(home, create=True) as store:
        store.prices.merge(PETR4, WEEK, (DIVIDEND,), source="csv", at=NOON)
        publish(store.registry)
        store.registry.aliases.promote(TICKER, 1, reason="first", at=NOON)
    return home


@pytest.fixture
def open_ground():
    """A directory that every user can reach, which those of pytest are not."""
    path = Path(tempfile.mkdtemp(prefix="stocklstm-test-"))
    path.chmod(0o755)
    yield path
    for directory, _, _ in os.walk(path):
        Path(directory).chmod(0o755)
    shutil.rmtree(path)


def close_to_others(path: Path) -> None:
    """Let everybody read and nobody write, its owner included."""
    for place in [path, *path.rglob("*")]:
        place.chmod(0o555 if place.is_dir() else 0o444)


def test_there_is_no_store(home):
    with pytest.raises(NotFoundError, match="there is no store at") as caught, open_store(home):
        pytest.fail("there is one")
    assert str(home) in caught.value.message
    assert "stocklstm fetch" in caught.value.hint
    assert not home.exists()


def test_a_directory_alone_is_no_store(home):
    home.mkdir()
    with pytest.raises(NotFoundError), open_store(home):
        pytest.fail("there is one")
    assert list(home.iterdir()) == []


def test_a_store_is_made_where_that_is_asked_for(home):
    with open_store(home, create=True) as store:
        assert store.writable
        assert store.paths.home == home
    assert [path.name for path in home.iterdir()] == ["stocklstm.db"]
    with open_store(home) as store:
        assert store.writable


def test_the_environment_says_where(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("STOCKLSTM_HOME", "~/stocks")
    with open_store(create=True) as store:
        assert store.paths.home == tmp_path / "stocks"
    assert (tmp_path / "stocks" / "stocklstm.db").is_file()


def test_a_relative_home(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with open_store(Path("stocks"), create=True) as store:
        assert publish(store.registry).version == 1
    assert (tmp_path / "stocks" / "models" / TICKER / "v1").is_dir()


def test_an_argument_outranks_the_environment(monkeypatch, tmp_path, home):
    monkeypatch.setenv("STOCKLSTM_HOME", str(tmp_path / "elsewhere"))
    with open_store(home, create=True) as store:
        assert store.paths.home == home
    assert not (tmp_path / "elsewhere").exists()


def test_the_parts_share_one_database(filled):
    with open_store(filled) as store:
        merge(store)
        release(store)
        assert len(store.prices.bars(TICKER)) == 5
        assert store.registry.aliases.of(TICKER) == {"champion": 2, "previous": 1}
        assert [entry.version for entry in store.ledger.entries(TICKER)] == [2]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_it_is_closed_in_any_case(filled, error):
    connections = []

    def fail():
        with open_store(filled) as store:
            connections.append(store.registry.connection)
            merge(store)
            raise error

    with pytest.raises(error):
        fail()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections[0].execute("SELECT 1")
    assert sorted(path.name for path in filled.iterdir()) == ["models", "stocklstm.db"]


def test_two_may_have_it_open(filled):
    with open_store(filled) as first, open_store(filled) as second:
        merge(first)
        assert len(second.prices.bars(TICKER)) == 5


# Read only


@pytest.mark.parametrize("name", ["stocklstm.db", ""])
def test_where_writing_is_not_possible_reading_is(filled, monkeypatch, name):
    before = {path: path.stat().st_mtime_ns for path in filled.rglob("*")}
    forbidden = filled / name
    monkeypatch.setattr("os.access", lambda path, _: Path(path) != forbidden)
    with open_store(filled) as store:
        assert not store.writable
        assert store.prices.bars(TICKER).fingerprint() == WEEK.fingerprint()
        assert store.registry.versions(TICKER) == [1]
        with pytest.raises(ConfigError, match="the store cannot be written") as caught:
            merge(store)
        assert "STOCKLSTM_HOME" in caught.value.hint
        assert store.ledger.entries(TICKER) == []
    files = {path: path.stat().st_mtime_ns for path in filled.rglob("*") if path != filled}
    assert {path for path in files if path.name[-4:] not in {"-wal", "-shm"}} == before.keys()
    assert all(files[path] == before[path] for path in before)


def test_a_full_disk_leaves_reading(filled, file_limit):
    with file_limit(1000), open_store(filled) as store:
        assert not store.writable
        assert store.prices.bars(TICKER).fingerprint() == WEEK.fingerprint()
        assert store.registry.manifest(TICKER, 1).ticker == TICKER
        with pytest.raises(ConfigError, match="cannot be written"):
            merge(store)
    with file_limit(1000), pytest.raises(StorageError), open_store(filled, create=True):
        pytest.fail("it is open")
    with open_store(filled) as store:
        assert store.writable


def test_work_that_could_not_be_kept_is_refused_before_it_is_done(filled, monkeypatch):
    with open_store(filled) as store:
        store.require_writable()
    monkeypatch.setattr("os.access", lambda *_: False)
    with open_store(filled) as store, pytest.raises(ConfigError, match="no permission"):
        store.require_writable()


def test_a_full_disk_is_named_before_work_is_done(filled, file_limit):
    with (
        file_limit(1000),
        open_store(filled) as store,
        pytest.raises(StorageError, match="cannot be written"),
    ):
        store.require_writable()


def test_a_read_only_store_of_another_user(open_ground):
    with open_store(open_ground, create=True) as store:
        store.prices.merge(PETR4, WEEK, (DIVIDEND,), source="csv", at=NOON)
        publish(store.registry)
    close_to_others(open_ground)
    found = run_child("read_without_rights", open_ground)
    assert found.returncode == 0
    assert found.stdout.splitlines() == [
        "False 3 [1]",
        "ConfigError",
        "ConfigError",
        "ConfigError",
    ]
    assert sorted(path.name for path in open_ground.iterdir()) == ["models", "stocklstm.db"]


def test_a_read_only_store_whose_last_write_was_interrupted(open_ground, filled):
    with open_store(filled) as store:
        merge(store)
        # What a killed process leaves behind: committed rows that only the journal holds.
        for name in ("stocklstm.db", "stocklstm.db-wal"):
            shutil.copy(filled / name, open_ground / name)
    close_to_others(open_ground)
    found = run_child("read_without_rights", open_ground)
    assert found.stdout.splitlines()[0] == (
        "ConfigError the last write to the store did not end properly"
    )
    open_ground.chmod(0o755)
    for path in open_ground.iterdir():
        path.chmod(0o755)
    with open_store(open_ground) as store:
        assert len(store.prices.bars(TICKER)) == 5


def test_a_home_that_may_not_even_be_looked_into(monkeypatch, home):
    def refuse(self, **_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(Path, "exists", refuse)
    with (
        pytest.raises(ConfigError, match="cannot open the store: Permission denied"),
        open_store(home),
    ):
        pytest.fail("it is open")


def test_a_home_that_no_disk_can_hold(tmp_path):
    with pytest.raises((ConfigError, NotFoundError)), open_store(tmp_path / ("n" * 300)):
        pytest.fail("it is open")


def test_a_home_that_is_a_file(home):
    home.write_text("in the way")
    with pytest.raises(NotFoundError, match="there is no store"), open_store(home):
        pytest.fail("it is open")
    with (
        pytest.raises(ConfigError, match="cannot create the store"),
        open_store(home, create=True),
    ):
        pytest.fail("it is open")
    assert home.read_text() == "in the way"


def test_a_damaged_store_is_not_replaced(home):
    home.mkdir()
    (home / "stocklstm.db").write_bytes(b"damaged" * 1000)
    with pytest.raises(SchemaError, match="is damaged"), open_store(home, create=True):
        pytest.fail("it is open")
    assert (home / "stocklstm.db").read_bytes() == b"damaged" * 1000


def test_a_disk_without_room_for_a_store(home, file_limit):
    with file_limit(2000), pytest.raises(StorageError), open_store(home, create=True):
        pytest.fail("it is open")
    with open_store(home, create=True) as store:
        assert store.prices.tickers() == []
