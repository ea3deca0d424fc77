"""Durable and atomic writing, safe reading, and disk errors in words."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from stocklstm.core.operating_system import system
from stocklstm.core.system_errors import next_step
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

# A directory or a symbolic link has the name of a file.
_IN_THE_WAY = {errno.EISDIR, errno.ELOOP}


@contextmanager
def disk_errors(
    action: str, elsewhere: str = "set STOCKLSTM_HOME to another disk"
) -> Iterator[None]:
    """Turn the operating system's errors into ours.

    Args:
        action: What was being done, such as "write the model".
        elsewhere: What to set to another place if that would help.

    Raises:
        ConfigError: The place may not be written or read.
        StorageError: The disk is full or failing.
    """
    try:
        yield
    except OSError as error:
        said = error.strerror or str(error)
        where = f" ({error.filename})" if error.filename else ""
        if system().is_in_use(error):
            raise StorageError(
                f"cannot {action}: another program has it open{where}",
                hint="end that program, which may be a spreadsheet or stocklstm serve, then run it "
                "again",
            ) from error
        if error.errno in _FORBIDDEN:
            raise ConfigError(
                f"cannot {action}: {said}{where}",
                hint=f"move {error.filename} away, which is no file, then run it again"
                if error.filename and error.errno in _IN_THE_WAY
                else "set STOCKLSTM_HOME to a directory that you may write",
            ) from error
        raise StorageError(
            f"cannot {action}: {said}{where}",
            hint=next_step(error, elsewhere),
        ) from error


class SymbolicLinkError(OSError):
    """A symbolic link stands where a file should be."""


def make_private(path: Path, *, exist_ok: bool = False) -> None:
    """Make a directory and its missing parents for this user alone."""
    above = [parent for parent in reversed(path.parents) if not parent.exists()]
    for parent in above:
        parent.mkdir(mode=0o700, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=exist_ok)


def _private(path: str, flags: int) -> int:
    return system().open(path, flags)


class OversizedError(OSError):
    """A file is larger than it may be.

    Attributes:
        size: Its bytes.
    """

    def __init__(self, size: int) -> None:
        super().__init__(errno.EFBIG, os.strerror(errno.EFBIG))
        self.size = size


def read_regular(path: Path, most: int) -> bytes:
    """Read a regular file of at most so many bytes; refuse symbolic links, never wait for a pipe.

    Raises:
        SymbolicLinkError: It is one.
        OversizedError: It has more bytes.
    """
    try:
        handle = system().open_regular(path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise SymbolicLinkError(*error.args) from error
        raise
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if stat.S_ISREG(found.st_mode) and found.st_size > most:
            raise OversizedError(found.st_size)
        return file.read(most + 1)


def remove_tree(path: Path) -> None:
    """Delete a file, directory or symbolic link; what a link points at stays."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        system().remove_tree(path)


def size_of(path: Path) -> int:
    """Add up the bytes of all files below a path; symbolic links are not followed."""
    if path.is_symlink() or not path.is_dir():
        files = [path]
    else:
        files = [Path(place, name) for place, _, names in os.walk(path) for name in names]
    total = 0
    for file in files:
        # What is being written or removed by another process may be gone by now.
        with suppress(FileNotFoundError):
            total += file.lstat().st_size
    return total


def write_durably(path: Path, content: bytes, *, private: bool = True) -> None:
    """Write a new file and wait until it is on the disk.

    Args:
        private: For this user alone; otherwise for whom files of this user are as a rule.
    """
    with open_new(path, private=private) as file:
        file.write(content)
        sync_file(file)


def open_new(path: Path, *, private: bool = True) -> BinaryIO:
    """Open a new file for writing; see `write_durably`, which also waits for the disk."""
    return open(path, "xb", opener=_private if private else None)


def sync_file(file: BinaryIO) -> None:
    """Wait until what was written to an open file is on the disk."""
    file.flush()
    system().sync_file(file.fileno())


def sync_directory(path: Path) -> None:
    """Wait until the entries of a directory are on the disk."""
    system().sync_directory(path)
