"""The store as one thing to open."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stocklstm.core.config import LOCK_TIMEOUT_S
from stocklstm.errors import NotFoundError
from stocklstm.store.database import open_database, open_readonly
from stocklstm.store.disk import disk_errors
from stocklstm.store.ledger import Ledger
from stocklstm.store.paths import StorePaths, data_home
from stocklstm.store.prices import PriceStore
from stocklstm.store.registry import Registry
from stocklstm.store.sessions import SessionStore


@dataclass(frozen=True)
class Store:
    """An open store.

    Attributes:
        paths: Where it lies.
        prices: Bars, actions, instruments.
        sessions: Trading days.
        registry: Model versions and aliases.
        ledger: Forecasts made.
        writable: False where only reading is possible.
    """

    paths: StorePaths
    prices: PriceStore
    sessions: SessionStore
    registry: Registry
    ledger: Ledger
    writable: bool


@contextmanager
def open_store(
    home: Path | None = None,
    *,
    create: bool = False,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> Iterator[Store]:
    """Open the store and close it again.

    Args:
        home: Its directory; by default `STOCKLSTM_HOME` or the user data directory.
        create: Make it if there is none.
        lock_timeout_s: Seconds to wait for another writer.

    Raises:
        NotFoundError: There is no store and none is to be made.
        SchemaError: The database is damaged or of a newer program.
        ConfigError: It may not be written though it must be created.
    """
    paths = StorePaths(home or data_home())
    with disk_errors("open the store"):
        exists = paths.database.exists()
    if not create and not exists:
        raise NotFoundError(
            f"there is no store at {paths.home}",
            hint="stocklstm fetch --ticker PETR4.SA, or stocklstm demo",
        )
    # SQLite would open a file that it may not write, and say so only at the first write.
    writable = create or (os.access(paths.database, os.W_OK) and os.access(paths.home, os.W_OK))
    opener = open_database if writable else open_readonly
    connection = opener(paths.database, lock_timeout_s=lock_timeout_s)
    try:
        yield Store(
            paths,
            PriceStore(connection),
            SessionStore(connection),
            Registry(paths, connection),
            Ledger(connection),
            writable,
        )
    finally:
        connection.close()
