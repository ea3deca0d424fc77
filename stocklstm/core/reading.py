"""Opening a file that a user names, which may be a pipe."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from stocklstm.core.operating_system import system

PATIENCE_S = 10.0
"""How long a pipe may be without anybody who writes to it."""


def open_to_read(path: Path) -> BinaryIO:
    """Open a file for reading; a pipe that nobody opens to write to does not keep us for ever.

    Raises:
        OSError: It cannot be opened; with `ETIMEDOUT` and words of our own for such a pipe.
    """
    # A terminal and a device are opened as a file is.
    if not stat.S_ISFIFO(path.stat().st_mode):
        return path.open("rb")
    return os.fdopen(system().open_pipe(path, PATIENCE_S), "rb")
