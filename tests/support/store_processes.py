"""Starting other processes that work on the same store."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _command(action: str, *args: object) -> list[str]:
    return [sys.executable, "-m", "tests.support.store_actions", action, *map(str, args)]


def run_child(action: str, *args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(action, *args),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def running(action: str, *args: object) -> Iterator[subprocess.Popen[str]]:
    """Start a process and wait until it is ready; kill it at the end if it has not ended."""
    with subprocess.Popen(
        _command(action, *args),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()
