"""One writer at a time, across processes; the system frees a lock when its holder dies."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from stocklstm.core.operating_system import system
from stocklstm.errors import StoreLockedError
from stocklstm.store.disk import disk_errors, make_private
from stocklstm.store.lock_files import LOCK, drop_lock_file, locked_file
from stocklstm.store.paths import StorePaths

_OF_A_DIRECTORY = f".stocklstm{LOCK}"

_POLL_S = 0.02


@contextmanager
def work_lock(paths: StorePaths, kind: str, name: str, timeout_s: float = 0.0) -> Iterator[None]:
    """Keep other processes from working on the same run or study.

    Args:
        timeout_s: Seconds to wait; it may take hours, so waiting is of no use.

    Raises:
        StoreLockedError: Another process is working on it.
    """
    with ExitStack() as held:
        try:
            held.enter_context(writer_lock(paths, f"{kind}-{name}", timeout_s))
        except StoreLockedError as error:
            raise StoreLockedError(
                f"another process is working on the {kind} {name}",
                hint="wait for it to end; what it makes will be in the store",
            ) from error
        yield


@contextmanager
def writer_lock(paths: StorePaths, name: str, timeout_s: float) -> Iterator[None]:
    """Hold the writer lock of a ticker or other name.

    Raises:
        StoreLockedError: Another process still holds it after that time.
    """
    # Only who writes waits for it: its import takes longer than reading a store.
    from filelock import FileLock, Timeout

    path = paths.lock(name)
    with disk_errors("take the lock"):
        make_private(path.parent, exist_ok=True)
    lock = FileLock(path, timeout=timeout_s, mode=0o600)
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


@contextmanager
def directory_lock(path: Path, timeout_s: float) -> Iterator[None]:
    """Keep other processes from changing a file in a directory; nothing is left in it.

    Raises:
        OSError: There is no such directory, or it may not be read.
        StoreLockedError: Another process still holds it after that time.
    """
    until = time.monotonic() + timeout_s
    with ExitStack() as held:
        directory = held.enter_context(system().directory(path))
        while (locked := directory.lock()) is False:
            if time.monotonic() >= until:
                raise _being_written(path, timeout_s)
            time.sleep(_POLL_S)
        if not locked:
            file = path / _OF_A_DIRECTORY
            if held.enter_context(locked_file(file, timeout_s)) is False:
                raise _being_written(path, timeout_s)
            held.callback(drop_lock_file, file)
        yield


def _being_written(path: Path, timeout_s: float) -> StoreLockedError:
    return StoreLockedError(
        f"another stocklstm has been writing in {path} for more than {timeout_s:g} s",
        hint="wait for it to end, or allow more time with --lock-timeout",
    )
