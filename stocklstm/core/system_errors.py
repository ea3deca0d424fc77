"""Errors of the operating system: what can be done about each."""

import errno

from stocklstm.core.operating_system import system
from stocklstm.errors import StorageError

_STEPS = {
    errno.EMFILE: "{more_files}, then run it again",
    errno.ENFILE: "end programs that have many files open, then run it again",
    errno.ENOMEM: "free some memory, then run it again",
    errno.EFBIG: "{larger_files}, or {elsewhere}, then run it again",
    errno.EDQUOT: "free some space of your quota, or {elsewhere}, then run it again",
    errno.ENOSPC: "free some space, or {elsewhere}, then run it again",
    errno.EIO: "check the disk, or {elsewhere}, then run it again",
    errno.ESTALE: "mount the file system again, or {elsewhere}, then run it again",
}
"""What helps; what stands in braces is put in by `_words`."""

_OTHERWISE = "check that the place is there, or {elsewhere}, then run it again"

_WANTING = {errno.EMFILE: "too many files are open", errno.ENFILE: "too many files are open"}


def next_step(error: OSError, elsewhere: str) -> str:
    """Say what helps against an error that a later attempt may not meet.

    Args:
        elsewhere: Where else it could be done, such as "name another place with --out".
    """
    step = _STEPS.get(error.errno or 0, _OTHERWISE)
    return _words(step, elsewhere)


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
        f"the system refuses to go on: {_WANTING.get(number, said) or 'no memory is left'}",
        hint=_words(_STEPS[number], "set STOCKLSTM_HOME or TMPDIR to another disk"),
    )
    wanting.__cause__ = error
    return wanting


def _words(step: str, elsewhere: str) -> str:
    on = system()
    return step.format(elsewhere=elsewhere, more_files=on.more_files, larger_files=on.larger_files)
