"""Starting other processes that work on the same store."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stocklstm.store.store import Store, open_store
from tests.support.forks import Ended
from tests.support.places import ROOT

MOST_STEPS = 140

Child = Callable[..., Ended]


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


def killed_at_every_step(child: Child, before: Path, folder: Path, action: str) -> Iterator[Store]:
    """Run an action again and again, each time killed one step later, until it ends alive.

    Args:
        child: Lets another process act on a store.
        before: The store that each begins with, copied.
        folder: Takes the copies.
        action: One of `store_actions`.
    """
    for step in range(MOST_STEPS):
        home = folder / f"step-{step}"
        shutil.copytree(before, home)
        ended = child("die_at_step", home, action, step)
        if ended.code == 0:
            assert step > 10, "the steps were not counted"
            return
        assert ended.code == -signal.SIGKILL
        with open_store(home) as store:
            yield store
        shutil.rmtree(home)
    pytest.fail(f"{action} has more than {MOST_STEPS} steps")
