"""Opening the database, also while a restore puts another one in its place."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from stocklstm.errors import StockLstmError, StoreLockedError
from stocklstm.store.database import connect_for_reading, connect_for_writing, require_sqlite
from stocklstm.store.disk import disk_errors, make_private
from stocklstm.store.paths import StorePaths

# While one opens the store.
_MOST_RESTORES = 20


def open_database(path: Path, *, lock_timeout_s: float) -> sqlite3.Connection:
    """Open the database for writing; create or migrate it if necessary.

    Raises:
        SchemaError: It is damaged, lost, of another program, or was written by a newer one.
        ConfigError: It may not be written; StorageError if the disk refuses.
    """
    return _in_place(path, lock_timeout_s, lambda: _opened(path, lock_timeout_s))


def begin_anew(path: Path, *, lock_timeout_s: float) -> None:
    """Make a new database, also beside the models of one that was lost."""
    _in_place(path, lock_timeout_s, lambda: _opened(path, lock_timeout_s, anew=True)).close()


def _opened(path: Path, lock_timeout_s: float, *, anew: bool = False) -> sqlite3.Connection:
    with disk_errors("create the store"):
        make_private(path.parent, exist_ok=True)
    if _identity(path) is not None:
        return connect_for_writing(path, lock_timeout_s, make=False, anew=anew)
    paths = StorePaths(path.parent)
    if not os.path.lexists(paths.lock("restore")):
        return connect_for_writing(path, lock_timeout_s, make=True, anew=anew)
    # A store that is being restored has no database for a moment: a new one then would take the
    # place of what is restored.
    from stocklstm.store.restoring import nobody_restoring

    with nobody_restoring(paths, lock_timeout_s):
        return connect_for_writing(path, lock_timeout_s, make=True, anew=anew)


def open_readonly(path: Path, *, lock_timeout_s: float) -> sqlite3.Connection:
    """Open an existing database without writing, even in a read-only directory.

    Raises:
        SchemaError: It is damaged, or of another schema than this program's.
        ConfigError: A write was interrupted, and undoing it needs a directory to write to.
    """
    return _in_place(path, lock_timeout_s, lambda: connect_for_reading(path, lock_timeout_s))


def _in_place(
    path: Path, lock_timeout_s: float, connect: Callable[[], sqlite3.Connection]
) -> sqlite3.Connection:
    """Open the database that has the name, also where a restore puts another one there just now.

    SQLite finds a log by the name of its database, and would read one beside the other's.
    """
    require_sqlite()
    for _ in range(_MOST_RESTORES):
        before = _identity(path)
        try:
            connection = connect()
        except StockLstmError:
            if before == _identity(path) and not (
                before is None and _is_restored(path, lock_timeout_s)
            ):
                raise
            continue
        if before in {None, _identity(path)}:
            return connection
        connection.close()
    raise StoreLockedError(
        "the store is being restored again and again", hint="run it again once that has ended"
    )


def _is_restored(path: Path, lock_timeout_s: float) -> bool:
    """Wait for a restore that has begun, if one has; tell whether there is a database now."""
    from stocklstm.store.restoring import finish, is_pending

    paths = StorePaths(path.parent)
    if not os.path.lexists(paths.lock("restore")):
        return False
    if is_pending(paths):
        finish(paths, lock_timeout_s)
    return _identity(path) is not None


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell files of the same name from each other; None if there is none."""
    with suppress(OSError, ValueError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None
