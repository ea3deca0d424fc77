"""What the server says on stderr: few lines, and none that a stranger could multiply or forge."""

import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable

_QUIET_S = 60.0

_MOST_KINDS = 256

_LOGS = ("stocklstm.api", "uvicorn", "asyncio")


def log_to_stderr() -> None:
    """Send the warnings of the server and its libraries to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneColumnFormatter("%(levelname)s: %(message)s"))
    handler.addFilter(SeldomFilter())
    for name in _LOGS:
        log = logging.getLogger(name)
        log.handlers = [handler]
        log.setLevel(logging.WARNING)
        log.propagate = False


class SeldomFilter(logging.Filter):
    """Passes one line of a kind a minute; the next one tells how many were left out.

    Lines are of one kind if they have the same words in the program, whatever a client put into
    them, and, of errors, arose in the same place.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: OrderedDict[tuple[object, ...], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is to be written."""
        kind = (record.name, record.msg, *_origin(record))
        now = self._clock()
        since, left_out = self._kinds.get(kind, (-_QUIET_S, 0))
        if now - since < _QUIET_S:
            self._kinds[kind] = (since, left_out + 1)
            return False
        self._kinds[kind] = (now, 0)
        self._kinds.move_to_end(kind)
        while len(self._kinds) > _MOST_KINDS:
            self._kinds.popitem(last=False)
        if left_out:
            record.msg = f"{record.msg} ({left_out} more like it since the last such line)"
        return True


class OneColumnFormatter(logging.Formatter):
    """Writes control characters as escapes, and indents all lines but the first of a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        first, *others = super().format(record).split("\n")
        return "\n".join([_plain(first), *(f"  {_plain(line)}" for line in others)])


def _plain(line: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
    )


def _origin(record: logging.LogRecord) -> tuple[object, ...]:
    """Name the kind of a record's error and the line that raised it; nothing without one."""
    if not record.exc_info or record.exc_info[1] is None:
        return ()
    error = record.exc_info[1]
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = None if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    return (type(error), place)
