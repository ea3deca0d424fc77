"""Errors of the operating system: what can be done about each."""

import errno

from stocklstm.errors import StorageError

_STEPS = {
    errno.EMFILE: "allow more with: ulimit -n 4096, then run it again",
    errno.ENFILE: "end programs that have many files open, then run it again",
    errno.ENOMEM: "free some memory, then run it again",
    errno.EFBIG: "allow larger files with: ulimit -f unlimited, or {}, then run it again",
    errno.EDQUOT: "free some space of your quota, or {}, then run it again",
    errno.ENOSPC: "free some space, or {}, then run it again",
    errno.EIO: "check the disk, or {}, then run it again",
    errno.ESTALE: "mount the file system again, or {}, then run it again",
}
"""What helps; `{}` is where else it could be done."""

_WORDS = {errno.EMFILE: "too many files are open", errno.ENFILE: "too many files are open"}


def next_step(error: OSError, elsewhere: str) -> str:
    """Say what helps against an error that a later attempt may not meet.

    Args:
        elsewhere: Where else it could be done, such as "name another place with --out".
    """
    words = _STEPS.get(error.errno or 0, "check that the place is there, or {}, then run it again")
    return words.format(elsewhere)


def want_of(error: Exception) -> StorageError | None:
    """Tell whether something failed for want of files, space or memory, wherever it did.

    No other `OSError` is taken for that: it may well be a bug.
    """
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, ImportError) and "Too many open files" in str(error):
        # As the system's loader of libraries says it.
        number = errno.EMFILE
    if isinstance(error, MemoryError):
        number = errno.ENOMEM
    if number not in _STEPS:
        return None
    said = error.strerror if isinstance(error, OSError) else str(error)
    wanting = StorageError(
        f"the system refuses to go on: {_WORDS.get(number, said) or 'no memory is left'}",
        hint=_STEPS[number].format("set STOCKLSTM_HOME or TMPDIR to another disk"),
    )
    wanting.__cause__ = error
    return wanting
