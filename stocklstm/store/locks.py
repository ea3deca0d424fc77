"""One writer at a time, across processes; the system frees a lock when its holder dies."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from stocklstm.errors import StoreLockedError
from stocklstm.store.disk import disk_errors, make_private
from stocklstm.store.paths import StorePaths

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
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        until = time.monotonic() + timeout_s
        while not _locked(handle):
            if time.monotonic() >= until:
                raise StoreLockedError(
                    f"another stocklstm has been writing in {path} for more than {timeout_s:g} s",
                    hint="wait for it to end, or allow more time with --lock-timeout",
                )
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # Some network file systems have no such locks: there it has to do without.
        return True
    return True


@contextmanager
def claimed_directory(name: Callable[[], Path]) -> Iterator[Path]:
    """Make a directory and hold a lock on it until the end.

    The lock is on the directory itself: it moves with it and is freed when the process dies.

    Args:
        name: Gives a path that nothing has yet.
    """
    while True:
        path = name()
        make_private(path)
        with ExitStack() as held:
            try:
                handle = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            held.callback(os.close, handle)
            # Some network file systems have no such locks; `unclaimed` then calls all in use.
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            # Before it was marked, somebody who cleans up may have taken it for a leftover.
            if path.exists():
                yield path
                return


@contextmanager
def unclaimed(path: Path) -> Iterator[bool]:
    """Hold the lock of such a directory; yield False if a living process has it, or may."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
