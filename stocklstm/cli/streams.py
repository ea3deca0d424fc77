"""What is written to stdout, and words about it to stderr: a reader who has gone is no error."""

import os
import sys
from contextlib import suppress

from stocklstm.errors import StorageError


def writes_utf8() -> bool:
    """Tell whether stdout takes every character."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def write(text: str) -> None:
    """Write to stdout; a reader who has gone away is no error.

    Raises:
        StorageError: stdout leads to a disk that is full or failing.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Python would complain once more as it flushes stdout on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise StorageError(
                f"the result cannot be written to standard output: {error.strerror}",
                hint="free some space or write it elsewhere; what was done is done",
            ) from error


def draws_bars() -> bool:
    """Tell whether a person watches stderr, where a progress bar can be drawn."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def say(line: str) -> None:
    """Write one line to stderr, if anybody can read it there."""
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
