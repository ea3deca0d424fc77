"""Files that are whole or not there, and disk errors in words."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stocklstm.errors import ConfigError, StorageError

# Places that no amount of free space or waiting will make writable.
_FORBIDDEN = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}


@contextmanager
def disk_errors(action: str) -> Iterator[None]:
    """Turn what the operating system says into an error that names the next step.

    Args:
        action: What was being done, such as "write the model".

    Raises:
        ConfigError: The place may not be written or read.
        StorageError: The disk is full or failing.
    """
    try:
        yield
    except OSError as error:
        said = error.strerror or str(error)
        where = f" ({error.filename})" if error.filename else ""
        if error.errno in _FORBIDDEN:
            raise ConfigError(
                f"cannot {action}: {said}{where}",
                hint="set STOCKLSTM_HOME to a directory that you may write",
            ) from error
        raise StorageError(
            f"cannot {action}: {said}{where}",
            hint="free some space or set STOCKLSTM_HOME to another disk, then run it again",
        ) from error


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file and wait until it is on the disk."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that readers see the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
