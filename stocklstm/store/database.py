"""The SQLite file: connecting, migrating, and translating its errors."""

import errno
import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any

from stocklstm.core.operating_system import system
from stocklstm.core.stored_words import WORDS, are_sound, faults_in
from stocklstm.errors import (
    ConfigError,
    LostDatabaseError,
    SchemaError,
    StorageError,
    StoreLockedError,
)
from stocklstm.store.disk import disk_errors
from stocklstm.store.paths import StorePaths, owners_on_disk

# Migration n takes user_version n - 1 to n. Published ones are never edited, only followed. The
# columns of a primary key come first and in its order: otherwise SQLite 3.40 takes values of tables
# without row ids for NULL when it checks them.
_MIGRATIONS = (
    """
    CREATE TABLE instruments (
        ticker TEXT PRIMARY KEY, currency TEXT NOT NULL, exchange TEXT NOT NULL,
        time_zone TEXT NOT NULL, source TEXT NOT NULL, fetched_at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE prices (
        ticker TEXT NOT NULL REFERENCES instruments, date TEXT NOT NULL,
        open REAL, high REAL, low REAL, close REAL NOT NULL, adj_close REAL NOT NULL, volume REAL,
        source TEXT NOT NULL, fetched_at TEXT NOT NULL,
        PRIMARY KEY (ticker, date)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE actions (
        ticker TEXT NOT NULL REFERENCES instruments, date TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('dividend', 'split')), value REAL NOT NULL,
        PRIMARY KEY (ticker, date, kind)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sessions (
        exchange TEXT NOT NULL, date TEXT NOT NULL, closes_at TEXT NOT NULL,
        PRIMARY KEY (exchange, date)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE versions (
        ticker TEXT NOT NULL, version INTEGER NOT NULL, manifest_sha256 TEXT NOT NULL,
        published_at TEXT NOT NULL,
        PRIMARY KEY (ticker, version)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE aliases (
        ticker TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
        PRIMARY KEY (ticker, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE alias_log (
        id INTEGER PRIMARY KEY, at TEXT NOT NULL, ticker TEXT NOT NULL, name TEXT NOT NULL,
        version INTEGER NOT NULL, replaced INTEGER, reason TEXT NOT NULL
    ) STRICT;
    CREATE TABLE forecasts (
        ticker TEXT NOT NULL, target_session TEXT NOT NULL, version INTEGER NOT NULL,
        horizon INTEGER NOT NULL, as_of TEXT NOT NULL, last_close REAL NOT NULL,
        point REAL NOT NULL, quantiles TEXT NOT NULL, made_at TEXT NOT NULL,
        PRIMARY KEY (ticker, target_session, version, horizon)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE instruments ADD COLUMN calendar TEXT;
    CREATE TABLE price_log (
        id INTEGER PRIMARY KEY, at TEXT NOT NULL, ticker TEXT NOT NULL REFERENCES instruments,
        source TEXT NOT NULL, kind TEXT NOT NULL,
        first TEXT NOT NULL, last TEXT NOT NULL, rows INTEGER NOT NULL, detail TEXT NOT NULL
    ) STRICT;
    CREATE INDEX price_log_by_ticker ON price_log (ticker, id);
    """,
    """
    CREATE TABLE studies (
        id TEXT PRIMARY KEY, ticker TEXT NOT NULL, created TEXT NOT NULL, sampler TEXT NOT NULL,
        most_trials INTEGER, config TEXT NOT NULL,
        last TEXT NOT NULL, sha256 TEXT NOT NULL, finished_at TEXT
    ) STRICT;
    CREATE TABLE trials (
        study TEXT NOT NULL REFERENCES studies, number INTEGER NOT NULL, settings TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('complete', 'pruned', 'diverged')), loss REAL,
        curve TEXT NOT NULL, kept_epoch INTEGER NOT NULL, losses TEXT NOT NULL,
        seconds REAL NOT NULL,
        PRIMARY KEY (study, number)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE removals (
        ticker TEXT NOT NULL, version INTEGER NOT NULL, manifest_sha256 TEXT NOT NULL,
        published_at TEXT NOT NULL, removed_at TEXT NOT NULL,
        PRIMARY KEY (ticker, version)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE alias_log RENAME TO alias_log_before;
    CREATE TABLE alias_log (
        id INTEGER PRIMARY KEY, at TEXT NOT NULL, ticker TEXT NOT NULL, name TEXT NOT NULL,
        version INTEGER, replaced INTEGER, reason TEXT NOT NULL
    ) STRICT;
    INSERT INTO alias_log SELECT * FROM alias_log_before;
    DROP TABLE alias_log_before;
    CREATE INDEX alias_log_by_ticker ON alias_log (ticker, id);
    """,
    "ALTER TABLE versions ADD COLUMN signature TEXT",
    """
    ALTER TABLE forecasts RENAME TO forecasts_before;
    CREATE TABLE forecasts (
        ticker TEXT NOT NULL, target_session TEXT NOT NULL, pool TEXT NOT NULL,
        version INTEGER NOT NULL, horizon INTEGER NOT NULL, as_of TEXT NOT NULL,
        last_close REAL NOT NULL, point REAL NOT NULL, quantiles TEXT NOT NULL,
        made_at TEXT NOT NULL,
        PRIMARY KEY (ticker, target_session, pool, version, horizon)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO forecasts SELECT ticker, target_session, '', version, horizon, as_of, last_close,
        point, quantiles, made_at FROM forecasts_before;
    DROP TABLE forecasts_before;
    CREATE INDEX forecasts_by_pool ON forecasts (pool, version) WHERE pool <> '';
    """,
    """
    CREATE TABLE checksums (
        part TEXT NOT NULL, owner TEXT NOT NULL, period TEXT NOT NULL,
        rows INTEGER NOT NULL, crc32 INTEGER NOT NULL,
        PRIMARY KEY (part, owner, period)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE price_days (
        ticker TEXT NOT NULL REFERENCES instruments, source TEXT NOT NULL,
        first TEXT NOT NULL, days BLOB NOT NULL,
        PRIMARY KEY (ticker, source)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE realised (
        ticker TEXT NOT NULL REFERENCES instruments, date TEXT NOT NULL, minutes INTEGER NOT NULL,
        realised REAL NOT NULL, ranges REAL NOT NULL, bipower REAL NOT NULL,
        bars INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        usable INTEGER NOT NULL, source TEXT NOT NULL, fetched_at TEXT NOT NULL,
        PRIMARY KEY (ticker, date, minutes)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE intraday_bars (
        ticker TEXT NOT NULL REFERENCES instruments, date TEXT NOT NULL, minutes INTEGER NOT NULL,
        bars BLOB NOT NULL,
        PRIMARY KEY (ticker, date, minutes)
    ) STRICT, WITHOUT ROWID;
    """,
)

# The schema from which on rows have checksums.
CHECKSUMS = 7

SCHEMA_VERSION = len(_MIGRATIONS)

# The first one with tables that are STRICT; an older one calls a sound database malformed.
_LEAST_SQLITE = (3, 37, 0)

APPLICATION_ID = 0x53544C4D
"""Marks a database as one of stocklstm's ("STLM"); those of before there was a mark have 0."""

# What every database of ours has had from the beginning.
_TABLES = {"instruments", "prices", "versions", "aliases"}

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}

_AFTER_LOSS = (
    "stocklstm restore FILE, if there is a backup; or stocklstm models adopt, which lists the "
    "models again (fetch the prices anew)"
)

_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_FORBIDDEN = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_FAILING = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn SQLite's errors into ours.

    Raises:
        StoreLockedError: Another process is writing for too long.
        StorageError: The disk is full or failing.
        ConfigError: The file may not be written.
        SchemaError: The file is damaged or is no database.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        code = _code(error)
        if code not in _LOCKED and _too_many_files():
            raise StorageError(
                "the store cannot be opened: too many files are open",
                hint=f"end what has them open, or {system().more_files}",
            ) from error
        if code in _LOCKED:
            raise StoreLockedError(
                "another stocklstm is writing to the store",
                hint="run it again in a moment, or allow more time with --lock-timeout",
            ) from error
        if code in _FORBIDDEN:
            raise ConfigError(
                f"the store cannot be written: {error}",
                hint="set STOCKLSTM_HOME to a directory that you may write",
            ) from error
        if code in _FAILING:
            raise StorageError(
                f"the store cannot be written: {error}",
                hint="free some space, then run it again; nothing stored was lost",
            ) from error
        raise _damaged(error) from error
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        # What was to be written is wrong, not what is stored: a bug, never a damaged file.
        raise
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # SQLite quotes damaged names in its messages, and Python fails to decode them.
        raise _damaged(error) from error


@contextmanager
def stored_values() -> Iterator[None]:
    """Like `database_errors`, and report values that cannot be read as damage.

    Only for reading what this program wrote.
    """
    try:
        with database_errors():
            yield
    except (ValueError, TypeError) as error:
        raise _damaged(error) from error


def require_words(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Refuse rows in which a column holds what this program never writes.

    Raises:
        SchemaError: One does.
    """
    if rows and (faults := faults_in(table, columns, rows)):
        raise _damaged(ValueError(word_fault(table, faults)))


def rows_by_owner(
    connection: sqlite3.Connection, table: str, owner: str, columns: Sequence[str]
) -> dict[str, list[tuple[Any, ...]]] | None:
    """Read some columns of all rows of a table, by whose they are.

    Args:
        owner: Column that says it.
        columns: The first of them puts the rows of an owner in order.

    Returns:
        None where any of them is damaged: those of each owner are then read by themselves.
    """
    try:
        rows = connection.execute(
            f"SELECT {', '.join(columns)}, {owner} FROM {table}"  # noqa: S608 - fixed names
            f" ORDER BY {owner}, {columns[0]}"
        ).fetchall()
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return None
    if not are_sound(table, (*columns, owner), rows):
        return None
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows:
        found.setdefault(row[-1], []).append(row[:-1])
    return found


def word_faults(connection: sqlite3.Connection) -> list[str]:
    """Name the tables and columns that hold what this program never writes.

    Of tables whose rows have checksums this is said by these.
    """
    found = []
    with database_errors():
        for table in ("versions", "aliases", "alias_log", "removals", "studies", "trials"):
            columns = tuple(WORDS[table])
            rows = connection.execute(
                f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608 - fixed names
            ).fetchall()
            if rows and (faults := faults_in(table, columns, rows)):
                found.append(word_fault(table, faults))
    return found


def word_fault(table: str, columns: Sequence[str]) -> str:
    """Say that columns hold what they cannot."""
    return f"{' and '.join(columns)} of {table} holds what was never stored there"


def _code(error: sqlite3.Error) -> int:
    # Errors that the sqlite3 module itself makes, such as on text that is no UTF-8, have none.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


WAY_BACK = "restore it from a backup, or move it away and run fetch again"
"""What helps where the database of the store that is in use is damaged."""


def _damaged(error: Exception) -> SchemaError:
    return SchemaError(
        f"the database stocklstm.db is damaged: {error}",
        hint=WAY_BACK,
    )


# The log of a transaction, its index, a journal, and their directory.
_FILES_OF_SQLITE = 4


def _too_many_files() -> bool:
    """Tell why SQLite opens nothing any more, which it does not say itself."""
    opened: list[int] = []
    try:
        while len(opened) < _FILES_OF_SQLITE:
            opened.append(system().open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in {errno.EMFILE, errno.ENFILE}
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return False


def file_size(path: Path) -> int | None:
    """Return the bytes of the database's file; None if there is none.

    Raises:
        SchemaError: Something else has its name, at which a reader might wait forever.
    """
    with disk_errors("open the store"):
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    if kind := _KINDS.get(stat.S_IFMT(found.st_mode)):
        raise SchemaError(
            f"the database {path} is {kind}, not a file", hint=f"move it away, then {_AFTER_LOSS}"
        )
    return found.st_size


def require_none_lost(path: Path) -> None:
    """Refuse to begin a new database beside the models that a lost one listed.

    Raises:
        LostDatabaseError: Models lie there.
    """
    with disk_errors("look for the models"):
        owner = next(owners_on_disk(StorePaths(path.parent)), None)
    if owner is not None:
        raise LostDatabaseError(
            f"the database {path} is missing or empty, and models lie beside it, such as "
            f"{owner[:40]!a}: it was lost",
            hint=_AFTER_LOSS,
        )


def connect_for_writing(
    path: Path, lock_timeout_s: float, *, make: bool, anew: bool
) -> sqlite3.Connection:
    """Connect to the database, and migrate it if necessary.

    Args:
        make: True to make it if there is none.
        anew: True to begin a new one also beside the models of one that was lost.

    Raises:
        SchemaError: It is damaged, lost, of another program, or was written by a newer one.
        ConfigError: It may not be written; StorageError if the disk refuses.
    """
    if make:
        _make_file(path)
    with database_errors():
        connection = _connect(path, "rwc" if make else "rw", lock_timeout_s)
        try:
            version = _schema_version(connection)
            if version == 0 and not anew:
                require_none_lost(path)
            if version < SCHEMA_VERSION:
                _use_wal(connection, lock_timeout_s)
                _migrate(connection)
            elif not _is_marked(connection):
                _mark(connection, lock_timeout_s)
            # Power loss may cost the last commit in WAL mode, unless told otherwise.
            connection.execute("PRAGMA synchronous = FULL")
            # macOS alone has another, stronger one.
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
    return connection


def require_sqlite() -> None:
    """Refuse a SQLite that cannot read what this program stores, before it says anything of it.

    Raises:
        ConfigError: It is too old.
    """
    if sqlite3.sqlite_version_info < _LEAST_SQLITE:
        least = "{}.{}".format(*_LEAST_SQLITE)
        raise ConfigError(
            f"this Python comes with SQLite {sqlite3.sqlite_version}, and {least} is needed",
            hint="install stocklstm with a Python that brings a newer one, such as that of: "
            "uv python install 3.13, or of conda",
        )


def open_in_memory() -> sqlite3.Connection:
    """Open an empty database that is gone once it is closed."""
    require_sqlite()
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _migrate(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def connect_for_reading(path: Path, lock_timeout_s: float) -> sqlite3.Connection:
    """Connect to an existing database without writing, even in a read-only directory.

    Raises:
        SchemaError: It is damaged, or of another schema than this program's.
        ConfigError: A write was interrupted, and undoing it needs a directory to write to.
    """
    with database_errors():
        try:
            return _connect_current(path, "ro", lock_timeout_s)
        except sqlite3.OperationalError as error:
            if _code(error) not in _FORBIDDEN | _FAILING:
                raise
            wal = path.with_name(f"{path.name}-wal")
            if wal.exists() and wal.stat().st_size:
                raise ConfigError(
                    "the last write to the store did not end properly",
                    hint="run stocklstm fetch once where the store may be written",
                ) from error
        # WAL needs a shared-memory file beside the database. Where none can be made nobody
        # can be writing either, so the file may be read as it stands.
        return _connect_current(path, "ro&immutable=1", lock_timeout_s)


def _connect_current(path: Path, mode: str, lock_timeout_s: float) -> sqlite3.Connection:
    connection = _connect(path, mode, lock_timeout_s)
    try:
        version = _schema_version(connection)
    except BaseException:
        connection.close()
        raise
    if version < SCHEMA_VERSION:
        connection.close()
        if version == 0:
            require_none_lost(path)
        raise SchemaError(
            "the database stocklstm.db is empty or of an older version",
            hint="run stocklstm fetch once where the store may be written",
        )
    return connection


def database_address(path: PurePath, mode: str) -> str:
    """Write an absolute path as a URI for SQLite.

    Args:
        path: Of the database.
        mode: "ro", "rw" or "rwc", and what else SQLite is to know.
    """
    address = path.as_uri()
    if not address.startswith("file:///"):
        # The name of a server, which SQLite takes only as a part of the path.
        address = f"file:////{address.removeprefix('file://')}"
    return f"{address}?mode={mode}"


def _make_file(path: Path) -> None:
    # SQLite would make it readable for all; the journals beside it take over its permissions.
    with suppress(OSError):
        os.close(system().open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))


def _connect(path: Path, mode: str, lock_timeout_s: float) -> sqlite3.Connection:
    return sqlite3.connect(
        database_address(path.absolute(), mode),
        uri=True,
        timeout=lock_timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )


def _schema_version(connection: sqlite3.Connection) -> int:
    """Read the number of the schema, 0 if the database is empty.

    Raises:
        SchemaError: The database is another program's, or of a newer one.
    """
    version = _pragma(connection, "user_version")
    if not _is_marked(connection):
        _require_none_of_others(connection, version)
    if version < 0:
        raise _damaged(ValueError(f"its schema has the number {version}"))
    if version > SCHEMA_VERSION:
        raise SchemaError(
            f"the store was written by a newer stocklstm: schema {version}, not {SCHEMA_VERSION}",
            hint="upgrade with: pip install --upgrade stocklstm",
        )
    return version


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _is_marked(connection: sqlite3.Connection) -> bool:
    return _pragma(connection, "application_id") == APPLICATION_ID


def _require_none_of_others(connection: sqlite3.Connection, version: int) -> None:
    """Refuse a database that is not marked as ours and does not look like one of before."""
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    tables = {name for (name,) in rows}
    unmarked = _pragma(connection, "application_id") == 0
    if unmarked and tables >= _TABLES and version == 0:
        raise _damaged(ValueError("its schema has the number 0"))
    if not unmarked or (not tables >= _TABLES and (tables or version)):
        raise SchemaError(
            "stocklstm.db is the database of another program: it has none of stocklstm's tables"
            if unmarked
            else "stocklstm.db is the database of another program, or damaged: it has another mark",
            hint="set STOCKLSTM_HOME to another directory, or move the file away",
        )


def _mark(connection: sqlite3.Connection, lock_timeout_s: float) -> None:
    """Mark a database of before there were marks; who writes to it meanwhile comes first."""
    connection.execute("PRAGMA busy_timeout = 0")
    with suppress(sqlite3.OperationalError):
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA busy_timeout = {int(lock_timeout_s * 1000)}")


def _use_wal(connection: sqlite3.Connection, lock_timeout_s: float) -> None:
    """Switch to write-ahead logging; SQLite does not wait for other processes here, so we do."""
    deadline = time.monotonic() + lock_timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if _code(error) not in _LOCKED or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _migrate(connection: sqlite3.Connection, schema: int | None = None) -> None:
    with transaction(connection):
        # Read again inside the transaction: another process may have migrated meanwhile.
        for version in range(_schema_version(connection), schema or SCHEMA_VERSION):
            for statement in _MIGRATIONS[version].split(";"):
                connection.execute(statement)
            if version + 1 >= CHECKSUMS:
                from stocklstm.store.checksums import PARTS, Checksums

                parts = [part for part in PARTS if part.schema == version + 1]
                Checksums(connection).vouch_for_all(parts)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def integrity_faults(connection: sqlite3.Connection) -> list[str]:
    """Let SQLite check every page, index, value and reference; return what it found."""
    with database_errors():
        pages = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        orphans = [
            f"a row of {table} refers to a missing row of {parent}"
            for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check")
        ]
    return [fault for fault in pages if fault != "ok"] + orphans


def copy_database(connection: sqlite3.Connection, path: Path) -> None:
    """Copy an open database as it is at one moment, whoever writes to it meanwhile.

    Raises:
        OSError: There is no room.
    """
    with database_errors(), closing(sqlite3.connect(path)) as copy:
        connection.backup(copy)


def foreign_parts(connection: sqlite3.Connection) -> list[str]:
    """Name what a database has and one of ours of that schema has not, or the reverse."""
    with database_errors(), closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        _migrate(model, _schema_version(connection))
        expected, found = _parts(model), _parts(connection)
    return sorted(
        str(name)
        for name in expected.keys() | found.keys()
        if expected.get(name) != found.get(name)
    )


def _parts(connection: sqlite3.Connection) -> dict[str, object]:
    """Describe tables and indexes by their columns, and whatever else there is by its kind."""
    found: dict[str, object] = {}
    rows = connection.execute("SELECT type, name, tbl_name FROM sqlite_schema").fetchall()
    for kind, name, table in rows:
        columns = connection.execute(
            'SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?)', (name,)
        ).fetchall()
        found[name] = (kind, table, tuple(columns))
    return found


def schema_version(connection: sqlite3.Connection) -> int:
    """Read the schema version of an open database."""
    with database_errors():
        return _schema_version(connection)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit everything done inside, or nothing; joins a transaction that is open already.

    Raises:
        StoreLockedError: Another process is writing for too long; and see `database_errors`.
    """
    with database_errors():
        joined = connection.in_transaction
        if joined:
            yield
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            # A full or failing disk makes SQLite roll back by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
