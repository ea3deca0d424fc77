"""The program as a terminal runs it: in a group of processes of its own, to be interrupted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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


@contextmanager
def started(home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the program in a group of processes of its own."""
    with subprocess.Popen(
        talkative(*arguments),
        env={**os.environ, "STOCKLSTM_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whoever runs the tests may have told this process to ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    """Read what it says on stderr up to some words."""
    for line in process.stderr:
        if words in line:
            return
    pytest.fail(f"it never said {words!r}")


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


def interrupted(
    process: subprocess.Popen[str], kind: signal.Signals = signal.SIGINT
) -> tuple[str, str]:
    """Press Ctrl-C, and give what was on stdout and stderr once all processes have ended.

    Args:
        kind: SIGTERM is what a service gets that systemd ends, SIGHUP where a terminal is closed;
            both go to every process, as Ctrl-C does.
    """
    os.killpg(process.pid, kind)
    said = process.communicate(timeout=60)
    require_none_left(process.pid)
    return said
