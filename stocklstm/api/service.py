"""The store and its models behind the server: opened once a thread, loaded once, always current."""

import asyncio
import os
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, local
from typing import TypeVar

from stocklstm.api.model_cache import ModelShelf
from stocklstm.api.server_options import ServerOptions
from stocklstm.errors import NotFoundError
from stocklstm.store.database import database_errors, open_readonly
from stocklstm.store.disk import disk_errors
from stocklstm.store.paths import StorePaths, data_home
from stocklstm.store.store import Store, open_store

_WATCH_TIMEOUT_S = 1.0

T = TypeVar("T")


class _Binding:
    """One database file as it was found: its connections, and the models loaded from its store.

    Where another file takes its place, as by a restored backup, another binding does; requests
    under way end with the one they began with.
    """

    def __init__(self, paths: StorePaths, lock_timeout_s: float) -> None:
        self._home, self._lock_timeout_s = paths.home, lock_timeout_s
        self._threads = local()
        self._opened = ExitStack()
        self._opening = Lock()
        self.shelf = ModelShelf()
        # A store of an older program is brought up to date, if it may be written.
        with open_store(self._home, lock_timeout_s=lock_timeout_s):
            self.watch = open_readonly(paths.database, lock_timeout_s=_WATCH_TIMEOUT_S)

    def store(self) -> Store:
        """Give the calling thread's own connection."""
        found: Store | None = getattr(self._threads, "store", None)
        if found is None:
            with self._opening:
                found = self._opened.enter_context(
                    open_store(self._home, lock_timeout_s=self._lock_timeout_s)
                )
            self._threads.store = found
        return found

    def close(self) -> None:
        """Close every connection; no thread may be at work any more."""
        self.watch.close()
        self._opened.close()


@dataclass(frozen=True)
class Desk:
    """What a thread works with.

    Attributes:
        store: Open, of that thread.
        shelf: Loaded models.
    """

    store: Store
    shelf: ModelShelf


class Service:
    """Makes answers in a few threads, from a store that may change at any time."""

    def __init__(self, options: ServerOptions) -> None:
        """Begin with nothing open.

        Args:
            options: Where the store lies, and the limits.
        """
        self._options = options
        self._paths = StorePaths(options.home or data_home())
        self._database = str(self._paths.database)
        self._threads = ThreadPoolExecutor(options.limits.threads, "stocklstm-answer")
        self._identity: tuple[int, int, int] | None = None
        self._binding: _Binding | None = None
        self._pending: dict[Hashable, asyncio.Future[bytes]] = {}
        self.made = 0
        """Answers that were made."""

    @property
    def shelf(self) -> ModelShelf | None:
        """The models in memory; None until a store is open."""
        return None if self._binding is None else self._binding.shelf

    @property
    def home(self) -> Path:
        """Where the store lies."""
        return self._paths.home

    def moment(self) -> Hashable:
        """Tell by one small value whether an answer may have changed since.

        What answers depend on is the database and the minute: sessions end on whole minutes, and
        everything else that a forecast is made of is in the database or, as the files of a
        version, never changes. SQLite tells in microseconds whether another connection has
        written since (`PRAGMA data_version`), those of our own threads included.

        Raises:
            NotFoundError: There is no store.
            StockLstmError: It cannot be read.
        """
        binding = self._current()
        with database_errors():
            version = int(binding.watch.execute("PRAGMA data_version").fetchone()[0])
        return self._identity, version, int(time.time() // 60)

    async def answer(self, key: Hashable, make: Callable[[Desk], bytes]) -> bytes:
        """Make an answer once for all who ask for it at the same moment.

        Args:
            key: Tells questions apart.
            make: Makes the answer, in another thread.

        Raises:
            NotFoundError: There is no store.
            StockLstmError: Whatever stands in the way of the answer.
        """
        asked = (self.moment(), key)
        pending = self._pending.get(asked)
        if pending is None:
            self.made += 1
            pending = asyncio.ensure_future(self.work(make))
            self._pending[asked] = pending
            pending.add_done_callback(lambda done: self._forget(asked, done))
        # Who goes away must not take the answer from the others who wait for it.
        return await asyncio.shield(pending)

    async def work(self, task: Callable[[Desk], T]) -> T:
        """Do something in another thread, anew each time.

        Args:
            task: What to do.

        Raises:
            NotFoundError: There is no store.
            StockLstmError: Whatever stands in the way.
        """
        binding = self._current()
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: task(Desk(binding.store(), binding.shelf))
        )

    def close(self) -> None:
        """Wait for the threads and close every connection."""
        self._threads.shutdown()
        if self._binding is not None:
            self._binding.close()

    def _forget(self, asked: Hashable, done: asyncio.Future[bytes]) -> None:
        del self._pending[asked]
        if not done.cancelled():
            # Read here as well, so that nobody warns of an error if all have gone away.
            done.exception()

    def _writable(self) -> bool:
        return os.access(self._database, os.W_OK) and os.access(self._paths.home, os.W_OK)

    def _current(self) -> _Binding:
        """Open the store, if it is not open or another one has taken its place."""
        try:
            found = os.stat(self._database)  # noqa: PTH116 - half the time of Path.stat
        except FileNotFoundError as error:
            raise NotFoundError(
                f"there is no store at {self._paths.home}",
                hint="stocklstm fetch --ticker PETR4.SA, or stocklstm demo",
            ) from error
        except OSError:
            with disk_errors("open the store"):
                raise
        # What may not be written is read as it stands; only the file's time tells of changes.
        changed = 0 if self._writable() else found.st_mtime_ns
        identity = (found.st_dev, found.st_ino, changed)
        if identity != self._identity or self._binding is None:
            # The one before closes its connections as the last request that has it ends.
            self._binding = _Binding(self._paths, self._options.lock_timeout_s)
            self._identity = identity
        return self._binding
