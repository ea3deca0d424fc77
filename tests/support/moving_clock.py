"""The program as it runs at another time: its one clock says so, and all else is as ever.

`python -m tests.support.moving_clock MOMENT WORDS` is a process of its own that does so.
"""

import datetime as dt
import sys

from stocklstm.core import clock


def move(moment: str) -> None:
    """Set this process's clock to a moment, in UTC such as 2024-03-14T21:30:00Z."""

    class Moved(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return dt.datetime.fromisoformat(moment).astimezone(tz)

    clock.datetime = Moved


def program(moment: str, *arguments: str) -> int:
    """Run a command line at a moment; waiting for a source takes no time there."""
    from stocklstm.cli.app import run
    from stocklstm.workflows.prices.retry import Asker

    move(moment)
    Asker._sleep = lambda *_: None
    return run(list(arguments))


if __name__ == "__main__":
    sys.exit(program(*sys.argv[1:]))
