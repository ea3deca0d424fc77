"""The program as a terminal runs it: in a group of processes of its own, to be interrupted."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.forks import LONG_S, Fork, Forks, program

_TALKATIVE = """
import sys
from stocklstm.cli import progress

progress.MINUTE_S = 0.0
sys.argv = ["stocklstm", *sys.argv[1:]]
from stocklstm.__main__ import main
main()
"""


def talkative(*arguments: str) -> list[str]:
    """Give a command line of the program on which every step of a long task says a line.

    Without a terminal the program itself says one a minute.
    """
    return [sys.executable, "-c", _TALKATIVE, *arguments]


counts_processes = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="counts the processes of Linux"
)


def talk(*arguments: str) -> int:
    """Run such a command line: a task of `tests.support.forks`."""
    from stocklstm.cli import progress

    progress.MINUTE_S = 0.0
    return program(*arguments)


@dataclass
class Running:
    """The program at work in a group of processes of its own, which has the number of the first.

    Attributes:
        returncode: None until it was waited for.
    """

    fork: Fork
    returncode: int | None = None

    @property
    def pid(self) -> int:
        return self.fork.pid

    def kill(self) -> None:
        if self.returncode is None:
            self.fork.kill()

    def communicate(self) -> tuple[str, str]:
        """Wait for its end, and give what was on stdout and stderr."""
        ended = self.fork.wait()
        self.returncode = ended.code
        return ended.out, ended.err

    def wait_for(self, words: str) -> None:
        """Wait until it says some words on stderr."""
        for _ in range(100 * LONG_S):
            ended = "State:\tZ" in Path(f"/proc/{self.pid}/status").read_text()
            if words in self.fork.files[1].read_text():
                return
            if ended:
                break
            time.sleep(0.01)
        pytest.fail(f"it never said {words!r}: {self.fork.files[1].read_text()}")


At = Callable[..., AbstractContextManager[Running]]
"""Takes a store and a command line: see `at_terminal` in tests/e2e/conftest.py."""


@contextmanager
def started(forks: Forks, home: Path, *arguments: str) -> Iterator[Running]:
    """Run the program in a group of processes of its own, every step of it saying a line."""
    places = {name: value for name, value in os.environ.items() if name.startswith("STOCKLSTM_")}
    places["STOCKLSTM_HOME"] = str(home)
    running = Running(forks.start(f"{__name__}:talk", *arguments, environment=places))
    try:
        yield running
    finally:
        running.kill()


def alive(group: int) -> dict[int, str]:
    """Find the processes of a group that have not ended, and their command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, _, its_group = (process / "stat").read_text().rpartition(")")[2].split()[:3]
            # One that has ended may wait for somebody to ask how.
            if int(its_group) == group and state not in "ZX":
                found[int(process.name)] = (process / "cmdline").read_text()
        except OSError:
            continue
    return found


def require_none_left(group: int, seconds: float = 10.0) -> None:
    """Wait for a group of processes to end: some end when they notice that another is gone."""
    for _ in range(int(100 * seconds)):
        if not (left := alive(group)):
            return
        time.sleep(0.01)
    assert left == {}


def interrupted(process: Running, kind: signal.Signals = signal.SIGINT) -> tuple[str, str]:
    """Press Ctrl-C, and give what was on stdout and stderr once all processes have ended.

    Args:
        kind: SIGTERM is what a service gets that systemd ends, SIGHUP where a terminal is closed;
            both go to every process, as Ctrl-C does.
    """
    os.killpg(process.pid, kind)
    said = process.communicate()
    require_none_left(process.pid)
    return said
