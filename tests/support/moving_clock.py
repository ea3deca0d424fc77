"""The program as it runs at another time: its one clock says so, and all else is as ever.

`python -m tests.support.moving_clock MOMENT WORDS` is a process of its own that does so.
"""

import datetime as dt
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from stocklstm.core import clock

if TYPE_CHECKING:
    # A process of its own is to start fast.
    import pytest


def set_clock(monkeypatch: "pytest.MonkeyPatch", moment: Callable[[], str]) -> None:
    """Let a test's clock show what is given whenever it is looked at, as `move` has it."""
    monkeypatch.setattr(clock, "datetime", _showing(moment))


def move(moment: str) -> None:
    """Set this process's clock to a moment, in UTC such as 2024-03-14T21:30:00Z."""
    clock.datetime = _showing(lambda: moment)


def _showing(moment: Callable[[], str]) -> type[dt.datetime]:
    class Moved(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return dt.datetime.fromisoformat(moment()).astimezone(tz)

    return Moved


def program(moment: str, *arguments: str) -> int:
    """Run a command line at a moment; waiting for a source takes no time there."""
    from stocklstm.cli.app import run
    from stocklstm.workflows.prices.retry import Asker

    move(moment)
    Asker._sleep = lambda *_: None
    return run(list(arguments))


if __name__ == "__main__":
    sys.exit(program(*sys.argv[1:]))
