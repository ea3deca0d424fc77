"""What is written to stdout, and words about it to stderr: a reader who has gone is no error."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from stocklstm.core.language import say
from stocklstm.core.operating_system import system
from stocklstm.core.system_errors import next_step
from stocklstm.errors import StorageError, encodable


def writes_utf8() -> bool:
    """Tell whether stdout takes every character."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def write(text: str) -> None:
    """Write to stdout; a reader who has gone away is no error.

    Raises:
        StorageError: stdout leads to a disk that is full or failing.
    """
    try:
        sys.stdout.write(encodable(text))
        sys.stdout.flush()
    except OSError as error:
        # Python would complain once more as it flushes stdout on its way out.
        os.dup2(system().open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise StorageError(
                f"the result cannot be written to standard output: {error.strerror}",
                hint=f"{next_step(error, 'write it elsewhere')}; what was done is done",
            ) from error


class _Speech:
    """What stderr is for, until the command has ended."""

    only_wrong = False


@contextmanager
def speaking(*, only_wrong: bool) -> Iterator[None]:
    """Let stderr say what is wrong and no more, as `--quiet` and `--json` want it, or all."""
    before = _Speech.only_wrong
    _Speech.only_wrong = only_wrong
    try:
        yield
    finally:
        _Speech.only_wrong = before


def speaks_only_of_wrong() -> bool:
    """Tell whether stderr is for what is wrong and no more."""
    return _Speech.only_wrong


def draws_bars() -> bool:
    """Tell whether a person watches stderr and wants progress, so that a bar can be drawn."""
    if _Speech.only_wrong:
        return False
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def tell(line: str) -> None:
    """Write a line of progress, or whatever else is good to know, to stderr."""
    if not _Speech.only_wrong:
        to_stderr(line)


def note(words: str) -> None:
    """Write what a person may want to know, and nobody has to, to stderr."""
    tell(f"{say('note')}: {words}")


def to_stderr(line: str) -> None:
    """Write one line to stderr, whatever was wanted: for what is wrong."""
    with suppress(OSError):
        sys.stderr.write(f"{encodable(line)}\n")
        sys.stderr.flush()
