"""stdin, stdout and stderr as a shell may hand them over."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

FILE, CLOSED, FULL, GONE = "file", "closed", "/dev/full", "reader gone"
"""As it is; closed; a full disk; a pipe from which nobody reads. Any other word is a path."""


def run_with(arguments: Sequence[str], streams: Sequence[str]) -> int:
    """Run a command line in this process, which is a fork, as `python -m stocklstm` would.

    Args:
        streams: Where stdin, stdout and stderr lead.
    """
    for descriptor, kind in enumerate(streams):
        _lead(descriptor, kind)
    from stocklstm.__main__ import main

    sys.argv = ["stocklstm", *arguments]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # As Python does on its way out.
            code = 120
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return code


def _lead(descriptor: int, kind: str) -> None:
    name = ("stdin", "stdout", "stderr")[descriptor]
    if kind == FILE:
        return
    if kind == CLOSED:
        setattr(sys, name, None)
        with suppress(OSError):
            os.close(descriptor)
        return
    if kind == GONE:
        reading, handle = os.pipe()
        os.close(reading)
    else:
        handle = os.open(kind, os.O_RDWR if descriptor else os.O_RDONLY)
    if handle != descriptor:
        os.dup2(handle, descriptor)
        os.close(handle)
    # As Python makes them of what it finds.
    made = open(descriptor, "w" if descriptor else "r", closefd=False)  # noqa: SIM115
    setattr(sys, name, made)
