"""One writer at a time, across processes; the system frees a lock when its holder dies."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from stocklstm.errors import StoreLockedError
from stocklstm.store.disk import disk_errors
from stocklstm.store.paths import StorePaths


@contextmanager
def writer_lock(paths: StorePaths, name: str, timeout_s: float) -> Iterator[None]:
    """Hold the lock of one ticker's writers.

    Args:
        paths: The store.
        name: What is locked, such as the ticker.
        timeout_s: Seconds to wait for another writer.

    Raises:
        StoreLockedError: Another process still holds it after that time.
    """
    path = paths.lock(name)
    with disk_errors("take the lock"):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=timeout_s)
    with disk_errors("take the lock"):
        try:
            lock.acquire()
        except Timeout as error:  # an OSError too, so it has to be caught first
            raise StoreLockedError(
                f"another stocklstm has been writing {name} for more than {timeout_s:g} s",
                hint="wait for it to end, or allow more time with --lock-timeout",
            ) from error
    try:
        yield
    finally:
        lock.release()
