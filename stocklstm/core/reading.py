"""Opening a file that a user names, which may be a pipe."""

import errno
import os
import select
import stat
from pathlib import Path
from typing import BinaryIO

PATIENCE_S = 10.0
"""How long a pipe may be without anybody who writes to it."""


def open_to_read(path: Path) -> BinaryIO:
    """Open a file for reading; a pipe that nobody opens to write to does not keep us for ever.

    Raises:
        OSError: It cannot be opened; with `ETIMEDOUT` and words of our own for such a pipe.
    """
    # A terminal, a device and whatever Windows has are opened as everywhere.
    if not hasattr(select, "poll") or not stat.S_ISFIFO(os.stat(path).st_mode):  # noqa: PTH116
        return path.open("rb")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        _await_writer(descriptor)
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _await_writer(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    # Somebody has written, or has come and gone.
    if poll.poll(1000 * PATIENCE_S):
        return
    try:
        # Nothing to read is the end of the file where nobody has it open to write.
        alone = os.read(descriptor, 1) == b""
    except BlockingIOError:
        alone = False
    if alone:
        raise OSError(errno.ETIMEDOUT, "it is a pipe, and nobody writes to it")
