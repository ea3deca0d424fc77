"""The store: database, models, runs and locks below one directory."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stocklstm.core.records import dataclass
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from stocklstm.errors import ConfigError, NotFoundError, SchemaError, StockLstmError, StorageError
from stocklstm.store.database import file_size, open_in_memory, require_none_lost, transaction
from stocklstm.store.disk import disk_errors
from stocklstm.store.ledger import Ledger
from stocklstm.store.locks import writer_lock
from stocklstm.store.opening import begin_anew, open_database, open_readonly
from stocklstm.store.paths import StorePaths, data_home
from stocklstm.store.prices import PriceStore
from stocklstm.store.registry import Registry
from stocklstm.store.sessions import SessionStore
from stocklstm.store.signing import SigningKey, signing_key

if TYPE_CHECKING:
    from stocklstm.store.runs import RunStore
    from stocklstm.store.studies import StudyStore


@dataclass(frozen=True)
class Store:
    """An open store.

    Attributes:
        obstacle: Why it can only be read; None if it can be written.
        lock_timeout_s: Seconds to wait for another writer.
    """

    paths: StorePaths
    prices: PriceStore
    sessions: SessionStore
    registry: Registry
    ledger: Ledger
    obstacle: StockLstmError | None
    lock_timeout_s: float = LOCK_TIMEOUT_S

    @property
    def runs(self) -> "RunStore":
        """Unfinished training; imported here, as a forecast does not need it."""
        from stocklstm.store.runs import RunStore

        return RunStore(self.paths)

    @property
    def studies(self) -> "StudyStore":
        """Searches for settings; imported here likewise."""
        from stocklstm.store.studies import StudyStore

        return StudyStore(self.paths, self.prices.connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all changes made inside, in any part of the database, or none of them."""
        with transaction(self.prices.connection):
            yield

    @contextmanager
    def patient(self, wait_s: float | None) -> Iterator[None]:
        """Wait so many seconds for another writer of the database; None for `lock_timeout_s`."""
        if wait_s is None:
            yield
            return
        connection = self.prices.connection
        connection.execute(f"PRAGMA busy_timeout = {round(1000 * wait_s)}")
        try:
            yield
        finally:
            connection.execute(f"PRAGMA busy_timeout = {round(1000 * self.lock_timeout_s)}")

    def writing(self, name: str) -> AbstractContextManager[None]:
        """Hold the writer lock of a ticker or a pooled model.

        Raises:
            StoreLockedError: Another process still is after `lock_timeout_s`.
        """
        return writer_lock(self.paths, name, self.lock_timeout_s)

    @property
    def writable(self) -> bool:
        """False where only reading is possible."""
        return self.obstacle is None

    def require_writable(self) -> None:
        """Refuse work whose result could not be stored, before it is done.

        Raises:
            ConfigError: The store may not be written; StorageError if the disk refuses.
        """
        if self.obstacle is not None:
            raise self.obstacle


@contextmanager
def open_store(
    home: Path | None = None,
    *,
    create: bool = False,
    anew: bool = False,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> Iterator[Store]:
    """Open the store, and close it at the end.

    Args:
        home: Its directory; by default `STOCKLSTM_HOME` or the user data directory.
        create: Make it if there is none.
        anew: Make it also where the database was lost and its models are there.

    Raises:
        NotFoundError: There is no store and none is to be made.
        SchemaError: The database is damaged, lost, of another program or of a newer one.
        ConfigError: It may not be written though it must be created, or the signing key is too
            short.
    """
    paths = StorePaths(home or data_home())
    if anew:
        begin_anew(paths.database, lock_timeout_s=lock_timeout_s)
    if not _exists(paths, lock_timeout_s) and not create:
        raise NotFoundError(
            f"there is no store at {paths.home}",
            hint="stocklstm fetch --ticker PETR4.SA, or stocklstm demo",
        )
    key = signing_key()
    connection, obstacle = _open(paths, create=create, lock_timeout_s=lock_timeout_s)
    try:
        yield _store(paths, connection, key, obstacle, lock_timeout_s)
    finally:
        connection.close()


@contextmanager
def stand_in(home: Path | None = None) -> Iterator[Store | None]:
    """Open an empty store in memory in the place of one that could be made, and is not there.

    Args:
        home: As for `open_store`.

    Returns:
        The stand-in, to be read and not to be written; None where there is a store, or where none
        could be made.
    """
    paths = StorePaths(home or data_home())
    if _exists(paths) or not _could_be_made(paths):
        yield None
        return
    connection = open_in_memory()
    try:
        yield _store(paths, connection, signing_key(), None, LOCK_TIMEOUT_S)
    finally:
        connection.close()


@contextmanager
def stand_in_for_lost(home: Path | None = None) -> Iterator[Store]:
    """Open an empty database in memory in the place of one that was lost, to be read.

    Args:
        home: As for `open_store`.
    """
    connection = open_in_memory()
    try:
        yield _store(StorePaths(home or data_home()), connection, None, None, LOCK_TIMEOUT_S)
    finally:
        connection.close()


def _exists(paths: StorePaths, lock_timeout_s: float = LOCK_TIMEOUT_S) -> bool:
    """Tell whether there is a store; one that is being restored is put in its place first.

    Raises:
        SchemaError: There was one, and its database is lost.
    """
    size = file_size(paths.database)
    if size is None:
        from stocklstm.store.restoring import finish, is_pending

        if is_pending(paths):
            finish(paths, lock_timeout_s)
        # By now another process may have put it in its place, too.
        size = file_size(paths.database)
    if not size:
        # SQLite would make a new one of an empty file, and throw away the journal beside it.
        require_none_lost(paths.database)
    return size is not None


def _could_be_made(paths: StorePaths) -> bool:
    """Tell whether its directory, or the nearest one above it that there is, may be written."""
    with disk_errors("create the store"):
        nearest = next(path for path in (paths.home, *paths.home.parents) if path.exists())
        return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _store(
    paths: StorePaths,
    connection: sqlite3.Connection,
    key: SigningKey | None,
    obstacle: StockLstmError | None,
    lock_timeout_s: float,
) -> Store:
    return Store(
        paths,
        PriceStore(connection),
        SessionStore(connection),
        Registry(paths, connection, key),
        Ledger(connection),
        obstacle,
        lock_timeout_s,
    )


def _open(
    paths: StorePaths, *, create: bool, lock_timeout_s: float
) -> tuple[sqlite3.Connection, StockLstmError | None]:
    """Open for writing; where that is impossible for reading, with the reason."""
    # SQLite would open a file that it may not write, and say so only at the first write.
    allowed = os.access(paths.database, os.W_OK) and os.access(paths.home, os.W_OK)
    try:
        if create or allowed:
            return open_database(paths.database, lock_timeout_s=lock_timeout_s), None
        obstacle: StockLstmError = ConfigError(
            f"the store at {paths.home} cannot be written: no permission",
            hint="set STOCKLSTM_HOME to a directory that you may write",
        )
    except (ConfigError, StorageError) as error:
        # Opening needs a little room on the disk, and more rights than can be asked for
        # beforehand; reading does not.
        if create:
            raise
        obstacle = error
    try:
        return open_readonly(paths.database, lock_timeout_s=lock_timeout_s), obstacle
    except SchemaError as error:
        # A sound database of an older schema: all that it lacks is room to upgrade it.
        if isinstance(obstacle, StorageError):
            raise obstacle from error
        raise
