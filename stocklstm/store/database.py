"""The SQLite file: opening, migrating, and what its errors mean."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stocklstm.errors import ConfigError, SchemaError, StorageError, StoreLockedError
from stocklstm.store.disk import disk_errors

# Migration n takes user_version n - 1 to n. Published ones are never edited, only followed.
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
)

SCHEMA_VERSION = len(_MIGRATIONS)


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
        code = (error.sqlite_errorcode or 0) & 0xFF
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise StoreLockedError(
                "another stocklstm is writing to the store",
                hint="run it again in a moment, or allow more time with --lock-timeout",
            ) from error
        if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
            raise ConfigError(
                f"the store cannot be written: {error}",
                hint="set STOCKLSTM_HOME to a directory that you may write",
            ) from error
        if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
            raise StorageError(
                f"the store cannot be written: {error}",
                hint="free some space, then run it again; nothing stored was lost",
            ) from error
        raise _damaged(error) from error
    except sqlite3.DatabaseError as error:
        raise _damaged(error) from error


def _damaged(error: sqlite3.Error) -> SchemaError:
    return SchemaError(
        f"the database stocklstm.db is damaged: {error}",
        hint="restore it from a backup, or move it away and run fetch again",
    )


def open_database(path: Path, *, lock_timeout_s: float) -> sqlite3.Connection:
    """Open the database for writing, creating or migrating it if need be.

    Args:
        path: The file; its directory is created.
        lock_timeout_s: Seconds to wait for another writer.

    Raises:
        SchemaError: It is damaged, or was written by a newer program.
        ConfigError: It may not be written; StorageError if the disk refuses.
    """
    with disk_errors("create the store"):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with database_errors():
        connection = _connect(path, "rwc", lock_timeout_s)
        try:
            if _schema_version(connection) < SCHEMA_VERSION:
                connection.execute("PRAGMA journal_mode = WAL")
                _migrate(connection)
            # Power loss may cost the last commit in WAL mode, unless told otherwise.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
    return connection


def open_readonly(path: Path, *, lock_timeout_s: float) -> sqlite3.Connection:
    """Open the database without ever writing, even in a directory that may not be written.

    Args:
        path: The file, which exists.
        lock_timeout_s: Seconds to wait for another process.

    Raises:
        SchemaError: It is damaged, or of another schema than this program's.
    """
    with database_errors():
        try:
            connection = _connect(path, "ro", lock_timeout_s)
            version = _schema_version(connection)
        except sqlite3.OperationalError:
            # WAL needs a shared-memory file beside the database. Where none can be made nobody
            # can be writing either, so the file may be read as it stands.
            connection = _connect(path, "ro&immutable=1", lock_timeout_s)
            version = _schema_version(connection)
    if version < SCHEMA_VERSION:
        connection.close()
        raise SchemaError(
            "the database stocklstm.db is empty or of an older version",
            hint="run stocklstm fetch once where the store may be written",
        )
    return connection


def _connect(path: Path, mode: str, lock_timeout_s: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=lock_timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )


def _schema_version(connection: sqlite3.Connection) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise SchemaError(
            f"the store was written by a newer stocklstm: schema {version}, not {SCHEMA_VERSION}",
            hint="upgrade with: pip install --upgrade stocklstm",
        )
    return version


def _migrate(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        # Read again inside the transaction: another process may have migrated meanwhile.
        for version in range(_schema_version(connection), SCHEMA_VERSION):
            for statement in _MIGRATIONS[version].split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do everything inside, or nothing of it.

    Raises:
        StoreLockedError: Another process is writing for too long; and see `database_errors`.
    """
    with database_errors():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
