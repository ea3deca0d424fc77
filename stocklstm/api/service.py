"""The store and its models behind the server: one connection a thread, always up to date."""

import asyncio
import math
import os
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Lock, local
from typing import TypeVar

from stocklstm.api.model_cache import ModelCache
from stocklstm.api.server_options import ServerOptions
from stocklstm.errors import NotFoundError
from stocklstm.store.database import database_errors
from stocklstm.store.disk import disk_errors
from stocklstm.store.opening import open_readonly
from stocklstm.store.paths import StorePaths, data_home
from stocklstm.store.store import Store, open_store

_WATCH_TIMEOUT_S = 1.0

_RIGHTS_S = 1.0

T = TypeVar("T")


class _OpenDatabase:
    """One database file: a connection for each thread, and the models loaded from its store.

    Where another file takes its place, as when a backup is restored, that one is opened anew;
    requests under way end with the one they began with.
    """

    def __init__(self, paths: StorePaths, lock_timeout_s: float, model_bytes: int) -> None:
        self._home, self._lock_timeout_s = paths.home, lock_timeout_s
        self._threads = local()
        self._connections = ExitStack()
        self._opening = Lock()
        self.models = ModelCache(model_bytes)
        # A store of an older program is brought up to date, if it may be written.
        with open_store(self._home, lock_timeout_s=lock_timeout_s):
            self.watch = open_readonly(paths.database, lock_timeout_s=_WATCH_TIMEOUT_S)

    def store(self) -> Store:
        """Return the calling thread's own connection."""
        found: Store | None = getattr(self._threads, "store", None)
        if found is None:
            with self._opening:
                found = self._connections.enter_context(
                    open_store(self._home, lock_timeout_s=self._lock_timeout_s)
                )
            self._threads.store = found
        return found

    def close(self) -> None:
        """Close every connection, once no thread is at work any more."""
        self.watch.close()
        self._connections.close()


class Service:
    """Makes responses in a few threads, from a store that may change at any time."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._paths = StorePaths(options.home or data_home())
        self._path = str(self._paths.database)
        self._threads = ThreadPoolExecutor(options.limits.threads, "stocklstm-answer")
        self._aside = ThreadPoolExecutor(1, "stocklstm-aside")
        self._identity: tuple[int, int, int] | None = None
        self._database: _OpenDatabase | None = None
        self._asked_at, self._may_write = -math.inf, True
        self._pending: dict[Hashable, asyncio.Future[bytes]] = {}
        self.made = 0
        """Responses that were computed."""

    @property
    def models(self) -> ModelCache | None:
        """The models in memory; None until a store is open."""
        return None if self._database is None else self._database.models

    def state(self) -> Hashable:
        """Return a small value that changes whenever a response may have changed.

        Responses depend on the database and the minute: sessions end on whole minutes, and all
        else that a forecast is made of is in the database or, as the files of a version, never
        changes. SQLite tells in microseconds whether another connection has written since
        (`PRAGMA data_version`), those of our own threads included.

        Raises:
            StockLstmError: There is no store, or it cannot be read.
        """
        database = self._current()
        with database_errors():
            version = int(database.watch.execute("PRAGMA data_version").fetchone()[0])
        return self._identity, version, int(time.time() // 60)

    async def answer(self, key: Hashable, make: Callable[[Store, ModelCache], bytes]) -> bytes:
        """Compute a response once for all who ask for it at the same moment.

        Args:
            key: Equal for requests that have the same response.
            make: Computes it, in another thread.
        """
        request = (self.state(), key)
        pending = self._pending.get(request)
        if pending is None:
            self.made += 1
            pending = asyncio.ensure_future(self.work(make))
            self._pending[request] = pending
            pending.add_done_callback(lambda done: self._forget(request, done))
        # A client that goes away must not cancel the response that others wait for.
        return await asyncio.shield(pending)

    async def work(self, task: Callable[[Store, ModelCache], T], *, aside: bool = False) -> T:
        """Run a task in another thread, anew each time.

        Args:
            task: What to do.
            aside: True to take none of the threads that make responses.
        """
        database = self._current()
        return await asyncio.get_running_loop().run_in_executor(
            self._aside if aside else self._threads,
            lambda: task(database.store(), database.models),
        )

    def close(self) -> None:
        """Wait for the threads and close every connection."""
        self._threads.shutdown()
        self._aside.shutdown()
        if self._database is not None:
            self._database.close()

    def _forget(self, request: Hashable, done: asyncio.Future[bytes]) -> None:
        del self._pending[request]
        if not done.cancelled():
            # Read, so that asyncio does not warn of an error if all clients have gone away.
            done.exception()

    def _writable(self) -> bool:
        # Each question to the system costs a turn among the threads, and this is asked for every
        # request; rights change seldom.
        if (now := time.monotonic()) - self._asked_at >= _RIGHTS_S:
            self._asked_at = now
            self._may_write = os.access(self._path, os.W_OK) and os.access(
                self._paths.home, os.W_OK
            )
        return self._may_write

    def _current(self) -> _OpenDatabase:
        """Open the database, if it is not open or another file has taken its place."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - half the time of Path.stat
        except FileNotFoundError as error:
            raise NotFoundError(
                f"there is no store at {self._paths.home}",
                hint="stocklstm fetch --ticker PETR4.SA, or stocklstm demo",
            ) from error
        except OSError:
            with disk_errors("open the store"):
                raise
        # A store that may not be written is read as it stands; only the file's time tells of
        # changes.
        changed = 0 if self._writable() else found.st_mtime_ns
        identity = (found.st_dev, found.st_ino, changed)
        if identity != self._identity or self._database is None:
            # The one before closes its connections as the last request that has it ends.
            self._database = _OpenDatabase(
                self._paths, self._options.lock_timeout_s, self._options.limits.model_bytes
            )
            self._identity = identity
        return self._database
