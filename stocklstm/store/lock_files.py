"""Files whose lock a process holds; the system frees it when that dies."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = ".lock"
"""How the name of a lock file ends; before that it is the name of what it guards."""


@contextmanager
def locked_file(path: Path, timeout_s: float = 0.0) -> Iterator[bool | None]:
    """Hold the lock of a file; False if another process does, None if there can be none."""
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=timeout_s, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    except (OSError, NotImplementedError):
        # Some network file systems have no locks, and in some places nothing may be written.
        yield None
        return
    try:
        yield True
    finally:
        lock.release()


def drop_lock_file(path: Path) -> None:
    """Remove the file of a lock that this process holds, and that nobody will ask for again.

    Whoever waits for it finds out. Windows keeps what is open, and filelock removes it there once
    it is not.
    """
    with suppress(FileNotFoundError, PermissionError):
        path.unlink()
