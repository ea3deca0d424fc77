import errno
import json
import os
import random
import shutil
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from stocklstm.core.reference import ModelReference
from stocklstm.errors import (
    ArtifactCorruptError,
    ConfigError,
    NoModelError,
    NoPricesError,
    SchemaError,
    StorageError,
    StoreLockedError,
)
from stocklstm.store import database
from stocklstm.store.database import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    database_errors,
    integrity_faults,
    transaction,
)
from stocklstm.store.opening import open_database, open_readonly
from stocklstm.store.store import open_store
from tests.support.price_rows import PETR4
from tests.support.store_actions import merge, release
from tests.support.store_processes import running
from tests.support.store_samples import DIVIDEND, LATER, NOON, TICKER, WEEK, entry_of, publish

ADD = "INSERT INTO sessions VALUES ('BVMF', ?, 'noon')"
COUNT = "SELECT count(*) FROM sessions"


@pytest.fixture
def path(home):
    return home / "stocklstm.db"


@pytest.fixture
def connection(path):
    opened = open_database(path, lock_timeout_s=0.2)
    yield opened
    opened.close()


def opened_and_closed(path, opener=open_database, lock_timeout_s=0.2):
    opener(path, lock_timeout_s=lock_timeout_s).close()


def pragma(connection, name):
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def filled(home: Path) -> bytes:
    """Make a store with something in every table and give back its database."""
    with open_store(home, create=True) as store:
        store.prices.merge(PETR4, WEEK, (DIVIDEND,), source="csv", at=NOON)
        days = np.array(["2024-03-14", "2024-03-15"], "datetime64[D]")
        store.sessions.put("BVMF", days, days.astype("datetime64[s]") + np.timedelta64(20, "h"))
        publish(store.registry, promotion="first")
        store.ledger.record(entry_of())
    return (home / "stocklstm.db").read_bytes()


def read_everything(home: Path) -> None:
    with open_store(home) as store:
        store.prices.tickers()
        store.prices.bars(TICKER)
        store.prices.actions(TICKER)
        store.prices.sources(TICKER)
        store.sessions.next_after("BVMF", "2024-03-14")
        store.sessions.ended_since("BVMF", "2024-03-14", NOON)
        store.registry.tickers()
        store.registry.versions(TICKER)
        store.registry.aliases.of(TICKER)
        store.registry.aliases.log(TICKER)
        store.registry.find(ModelReference(TICKER))
        store.ledger.entries(TICKER)
        store.ledger.record(entry_of())
        merge(store)
        release(store)


def test_a_new_store_is_private_durable_and_checked(path, connection):
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert pragma(connection, "user_version") == SCHEMA_VERSION
    assert pragma(connection, "journal_mode") == "wal"
    assert pragma(connection, "synchronous") == 2
    assert pragma(connection, "foreign_keys") == 1


@pytest.mark.parametrize(
    "name",
    ["a b", "what?", "50%20", "#1;mode=memory", "ação", "?mode=memory", os.fsdecode(b"\xff")],
)
def test_any_directory_name_will_do(tmp_path, name):
    path = tmp_path / name / "stocklstm.db"
    opened_and_closed(path)
    assert [file.name for file in path.parent.iterdir()] == ["stocklstm.db"]
    opened_and_closed(path, open_readonly)


def test_opening_again_changes_nothing(path):
    opened_and_closed(path)
    before = path.read_bytes()
    opened_and_closed(path)
    opened_and_closed(path, open_readonly)
    assert path.read_bytes() == before


@pytest.mark.parametrize("opener", [open_database, open_readonly])
@pytest.mark.parametrize(
    "content",
    [b"not a database at all", random.Random(1).randbytes(40_000), b"SQLite format 3\0" * 300],
    ids=["text", "noise", "header-only"],
)
def test_what_is_no_database(path, opener, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(SchemaError, match=r"stocklstm.db is damaged") as caught:
        opened_and_closed(path, opener)
    assert "backup" in caught.value.hint
    assert path.read_bytes() == content


@pytest.mark.parametrize("kept", [100, 1000, 4096, 10_000, 0.5, 0.8])
def test_a_truncated_database(home, tmp_path, kept):
    whole = filled(tmp_path / "whole")
    size = kept if isinstance(kept, int) else int(kept * len(whole))
    home.mkdir()
    (home / "stocklstm.db").write_bytes(whole[:size])
    with pytest.raises(SchemaError, match="is damaged"):
        read_everything(home)


def test_a_flipped_byte_is_never_mistaken_for_a_bug(home, tmp_path):
    whole = filled(tmp_path / "whole")
    seeded = random.Random(20240314)
    # Most bytes in use are those of the schema; what is stored gets as many flips.
    used = [place for place, byte in enumerate(whole) if byte]
    stored = [place for place in used if place >= 2 * 4096]
    damaged = 0
    for places in [used] * 200 + [stored] * 200:
        content = bytearray(whole)
        content[seeded.choice(places)] ^= seeded.randrange(1, 256)
        shutil.copytree(tmp_path / "whole", home)
        (home / "stocklstm.db").write_bytes(content)
        try:
            read_everything(home)
        except SchemaError:
            damaged += 1
        except (NoPricesError, NoModelError, ArtifactCorruptError):
            pass  # the ticker's own name was hit, or the number or hash of its version
        except (ConfigError, StoreLockedError, StorageError) as error:
            pytest.fail(f"damage was called {error!r}")
        shutil.rmtree(home)
    assert damaged > 150


def test_text_that_is_no_text(connection):
    connection.execute("INSERT INTO sessions VALUES ('BVMF', CAST(x'ff41' AS TEXT), 'noon')")
    with pytest.raises(SchemaError, match="is damaged"), database_errors():
        connection.execute("SELECT date FROM sessions").fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE prices SET date = '2024-03-99' WHERE date = '2024-03-12'",
        "UPDATE prices SET date = 'a' WHERE date = '2024-03-12'",
        "UPDATE prices SET date = '2024-03-11x' WHERE date = '2024-03-12'",
    ],
)
def test_a_date_that_is_none(home, statement):
    filled(home)
    with open_store(home) as store:
        store.registry.connection.execute(statement)
        with pytest.raises(SchemaError, match="is damaged"):
            store.prices.bars(TICKER)


@pytest.mark.parametrize("quantiles", ["", "[1.0", "7", "null"])
def test_quantiles_that_are_none(home, quantiles):
    filled(home)
    with open_store(home) as store:
        store.registry.connection.execute("UPDATE forecasts SET quantiles = ?", (quantiles,))
        with pytest.raises(SchemaError, match="is damaged"):
            store.ledger.entries(TICKER)


@pytest.mark.parametrize("opener", [open_database, open_readonly])
def test_a_store_of_a_newer_program(path, connection, opener):
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(SchemaError, match="newer stocklstm") as caught:
        opened_and_closed(path, opener)
    assert "pip install --upgrade" in caught.value.hint
    assert pragma(connection, "user_version") == SCHEMA_VERSION + 1


def test_an_empty_file_becomes_a_store_only_where_writing_is_meant(path):
    path.parent.mkdir()
    path.touch()
    with pytest.raises(SchemaError, match="empty or of an older version"):
        opened_and_closed(path, open_readonly)
    assert path.read_bytes() == b""
    opened_and_closed(path)
    opened_and_closed(path, open_readonly)


def test_tables_that_are_gone(connection):
    connection.execute("DROP TABLE sessions")
    with pytest.raises(SchemaError, match="no such table"), database_errors():
        connection.execute(COUNT)


# Upgrading


def test_upgrading_keeps_what_is_stored(monkeypatch, home):
    filled(home)
    migrations = (*database._MIGRATIONS, "ALTER TABLE sessions ADD COLUMN note TEXT")
    monkeypatch.setattr(database, "_MIGRATIONS", migrations)
    monkeypatch.setattr(database, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with open_store(home) as store:
        connection = store.registry.connection
        assert pragma(connection, "user_version") == SCHEMA_VERSION + 1
        assert connection.execute("SELECT note FROM sessions").fetchall() == [(None,), (None,)]
        assert len(store.prices.bars(TICKER)) == 3


def test_the_log_of_aliases_outlives_the_upgrade_that_lets_them_be_removed(monkeypatch, home):
    """As of schema 3, where a line had to name a version."""
    with monkeypatch.context() as old:
        old.setattr(database, "_MIGRATIONS", database._MIGRATIONS[:3])
        old.setattr(database, "SCHEMA_VERSION", 3)
        with open_store(home, create=True) as store:
            connection = store.registry.connection
            for line in [(NOON, "champion", 1, None), (LATER, "previous", 1, None)]:
                connection.execute(
                    "INSERT INTO alias_log (at, ticker, name, version, replaced, reason)"
                    " VALUES (?, ?, ?, ?, ?, 'why')",
                    (line[0], TICKER, *line[1:]),
                )
            before = store.registry.aliases.log(TICKER)
            connection.execute("INSERT INTO aliases VALUES (?, 'live', 1)", (TICKER,))
            with pytest.raises(sqlite3.IntegrityError):
                store.registry.aliases.drop(TICKER, "live", reason="mine", at=LATER)
    with open_store(home) as store:
        assert len(before) == 2
        assert store.registry.aliases.log(TICKER) == before
        assert store.registry.aliases.drop(TICKER, "live", reason="mine", at=LATER) == 1
        assert [line.version for line in store.registry.aliases.log(TICKER)] == [1, 1, None]


def test_versions_of_before_signatures_stay_and_have_none(monkeypatch, home):
    """As of schema 4."""
    with monkeypatch.context() as old:
        old.setattr(database, "_MIGRATIONS", database._MIGRATIONS[:4])
        old.setattr(database, "SCHEMA_VERSION", 4)
        with open_store(home, create=True) as store:
            store.registry.connection.execute(
                "INSERT INTO versions VALUES (?, 1, 'sha', ?)", (TICKER, NOON)
            )
    with open_store(home) as store:
        rows = store.registry.connection.execute("SELECT * FROM versions").fetchall()
        assert rows == [(TICKER, 1, "sha", NOON, None)]
        assert store.registry.published(TICKER) == {1: NOON}


def test_forecasts_of_before_pooled_models_are_the_tickers_own(monkeypatch, home):
    """As of schema 5."""
    made = entry_of(quantiles=tuple(36 + 0.1 * step for step in range(15)))
    grid = json.dumps(made.quantiles)
    row = (TICKER, "2024-03-15", 1, 1, "2024-03-14", 36.2, 36.25, grid, NOON)
    with monkeypatch.context() as old:
        old.setattr(database, "_MIGRATIONS", database._MIGRATIONS[:5])
        old.setattr(database, "SCHEMA_VERSION", 5)
        with open_store(home, create=True) as store:
            store.registry.connection.execute(
                "INSERT INTO forecasts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row
            )
    with open_store(home) as store:
        assert store.ledger.entries(TICKER) == [made]
        assert store.ledger.record(made) == made
        assert store.ledger.record(made._replace(pool="+b3")) is None
        assert store.ledger.entries(TICKER, "+b3") == [made._replace(pool="+b3")]
        assert store.ledger.entries(TICKER) == [made]
        assert integrity_faults(store.registry.connection) == []


def test_an_upgrade_that_fails_halfway_leaves_the_old_schema(monkeypatch, home):
    before = filled(home)
    broken = "CREATE TABLE notes (x); CREATE TABLE sessions (x)"
    monkeypatch.setattr(database, "_MIGRATIONS", (*database._MIGRATIONS, broken))
    monkeypatch.setattr(database, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(SchemaError, match="already exists"), open_store(home):
        pass
    monkeypatch.undo()
    assert (home / "stocklstm.db").read_bytes() == before
    with open_store(home) as store, database_errors():
        assert pragma(store.registry.connection, "user_version") == SCHEMA_VERSION


@pytest.mark.parametrize("_", range(3))
def test_processes_may_create_the_store_at_once(home, tmp_path, _):
    gate = tmp_path / "gate"
    starting = [running("open_at_once", home, gate) for _ in range(3)]
    with starting[0] as first, starting[1] as second, starting[2] as third:
        gate.touch()
        processes = (first, second, third)
        assert [process.communicate(timeout=60)[0] for process in processes] == ["[]\n"] * 3
        assert [process.returncode for process in processes] == [0] * 3


def standing_in_the_way(path: Path, how: str) -> sqlite3.Connection:
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    other.execute("CREATE TABLE another (x)")
    other.execute(how)
    other.execute("SELECT * FROM another").fetchall()
    return other


BEGINNINGS = pytest.mark.parametrize("how", ["BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])


@BEGINNINGS
def test_creating_waits_for_those_who_read_or_write(path, how):
    other = standing_in_the_way(path, how)
    ending = threading.Timer(0.2, other.close)
    ending.start()
    opened_and_closed(path, lock_timeout_s=30)
    ending.join()


@BEGINNINGS
def test_creating_waits_no_longer_than_allowed(path, how):
    other = standing_in_the_way(path, how)
    with pytest.raises(StoreLockedError, match="another stocklstm is writing"):
        opened_and_closed(path, lock_timeout_s=0.1)
    other.close()


# Places


@pytest.mark.parametrize("place", ["file", "file/below", "n" * 300, "loop/store"])
def test_a_place_where_no_directory_can_be(tmp_path, place):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConfigError, match="cannot create the store") as caught:
        opened_and_closed(tmp_path / place / "stocklstm.db")
    assert "STOCKLSTM_HOME" in caught.value.hint


def test_a_directory_where_the_database_should_be(path):
    path.mkdir(parents=True)
    with pytest.raises(ConfigError, match="unable to open database file"):
        opened_and_closed(path)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EACCES, ConfigError),
        (errno.EROFS, ConfigError),
        (errno.ENOSPC, StorageError),
        (errno.EIO, StorageError),
    ],
)
def test_a_directory_that_the_system_refuses(monkeypatch, path, number, expected):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number), str(path.parent))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(expected, match=os.strerror(number)):
        opened_and_closed(path)


def test_writing_where_only_reading_was_meant(path):
    opened_and_closed(path)
    readonly = open_readonly(path, lock_timeout_s=0.2)
    with (
        pytest.raises(ConfigError, match="cannot be written: attempt to write a readonly"),
        transaction(readonly),
    ):
        readonly.execute(ADD, ("2024-03-14",))
    assert not readonly.in_transaction
    readonly.close()


def refusing(number: int, monkeypatch):
    """Let SQLite refuse every file that is not declared immutable."""
    connect = database._connect

    def refuse(path, mode, lock_timeout_s):
        if "immutable" not in mode:
            error = sqlite3.OperationalError("refused")
            error.sqlite_errorcode = number
            raise error
        return connect(path, mode, lock_timeout_s)

    monkeypatch.setattr(database, "_connect", refuse)


@pytest.mark.parametrize(
    "number",
    [
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY_CANTINIT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    ],
)
def test_a_store_beside_which_nothing_can_be_written_is_read_as_it_stands(
    home, path, monkeypatch, number
):
    before = filled(home)
    refusing(number, monkeypatch)
    connection = open_readonly(path, lock_timeout_s=0.2)
    assert connection.execute("SELECT count(*) FROM prices").fetchone() == (3,)
    connection.close()
    assert path.read_bytes() == before
    assert not path.with_name("stocklstm.db-shm").exists()


def test_a_store_with_an_unfinished_journal_is_not_read_as_it_stands(home, path, monkeypatch):
    filled(home)
    path.with_name("stocklstm.db-wal").write_bytes(b"unfinished")
    refusing(sqlite3.SQLITE_CANTOPEN, monkeypatch)
    with pytest.raises(ConfigError, match="the last write to the store did not end properly"):
        opened_and_closed(path, open_readonly)


def test_a_store_in_use_is_not_read_as_it_stands(home, path, monkeypatch):
    filled(home)
    refusing(sqlite3.SQLITE_BUSY, monkeypatch)
    with pytest.raises(StoreLockedError):
        opened_and_closed(path, open_readonly)


def test_a_store_in_exclusive_use_is_not_read_behind_its_owners_back(home, path):
    filled(home)
    with (
        running("hold_everything", home),
        pytest.raises(StoreLockedError, match="another stocklstm"),
    ):
        opened_and_closed(path, open_readonly)


# Transactions


def add(connection, *days, then=None):
    with transaction(connection):
        for day in days:
            connection.execute(ADD, (day,))
        if then:
            then()


def test_a_transaction_happens(connection):
    add(connection, "2024-03-14")
    assert connection.execute(COUNT).fetchone() == (1,)


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_error_inside_undoes_everything(connection, error):
    def fail():
        raise error

    with pytest.raises(error):
        add(connection, "2024-03-14", then=fail)
    assert connection.execute(COUNT).fetchone() == (0,)
    assert not connection.in_transaction


def test_what_a_bug_writes_is_not_called_damage(connection):
    with pytest.raises(sqlite3.IntegrityError):
        add(connection, "2024-03-14", None)
    with pytest.raises(sqlite3.ProgrammingError), transaction(connection):
        connection.execute(ADD, ("2024-03-14", "one too many"))
    assert connection.execute(COUNT).fetchone() == (0,)


def test_a_commit_that_is_refused_leaves_no_transaction_open(connection):
    orphan = "INSERT INTO prices VALUES ('X', '2024-03-14', 1, 1, 1, 1, 1, 1, 'csv', 'noon')"

    def break_a_promise_to_be_checked_at_the_end():
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute(orphan)

    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        add(connection, then=break_a_promise_to_be_checked_at_the_end)
    assert not connection.in_transaction
    add(connection, "2024-03-14")


def test_another_writer_is_waited_for_and_then_named(home, connection):
    with running("hold_write", home) as writer:
        with pytest.raises(StoreLockedError, match="another stocklstm is writing") as caught:
            add(connection, "2024-03-14")
        assert "--lock-timeout" in caught.value.hint
        assert connection.execute(COUNT).fetchone() == (0,)  # reading goes on
        writer.stdin.close()
        writer.wait(30)
    add(connection, "2024-03-14")


def test_a_killed_writer_leaves_nothing_locked(home, connection):
    with running("hold_write", home) as writer:
        writer.kill()
        writer.wait()
        add(connection, "2024-03-14")


def fill_up(connection):
    add(connection, *(f"{number:0500}" for number in range(2000)))


def assert_empty_and_in_use(connection):
    assert not connection.in_transaction
    assert connection.execute(COUNT).fetchone() == (0,)
    add(connection, "2024-03-14")
    assert pragma(connection, "integrity_check") == "ok"


def test_a_full_database_is_undone_and_not_called_damaged(connection):
    pages = pragma(connection, "page_count")
    connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(StorageError, match="full") as caught:
        fill_up(connection)
    assert "nothing stored was lost" in caught.value.hint
    assert_empty_and_in_use(connection)


@pytest.mark.parametrize("room", [0, 50_000, 200_000])
def test_a_disk_that_refuses_to_write(path, connection, file_limit, room):
    connection.execute("PRAGMA cache_size = 5")  # so that it writes before the commit too
    wal = path.with_name(f"{path.name}-wal").stat().st_size
    with file_limit(wal + room), pytest.raises(StorageError, match="cannot be written"):
        fill_up(connection)
    assert_empty_and_in_use(connection)
