"""A real Dask cluster on the loopback interface: a scheduler and workers, each a process."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.forks import Fork, Forks


@dataclass(frozen=True)
class Cluster:
    """Processes that can be killed.

    Attributes:
        address: Of the scheduler.
        scheduler: Its process.
        workers: Theirs.
    """

    address: str
    scheduler: Fork
    workers: list[Fork]


def dask(directory: str, *arguments: str) -> int:
    """Run the command line of Dask in a directory: a task of `tests.support.forks`."""
    from dask.cli import run_cli

    # As long as the tests of a file take.
    signal.alarm(0)
    os.chdir(directory)
    sys.argv = ["dask", *arguments]
    run_cli()
    return 0


@contextmanager
def cluster(forks: Forks, directory: Path, workers: int = 2) -> Iterator[Cluster]:
    """Start a scheduler and workers, and end them.

    Args:
        forks: Starts them.
        directory: Where they may write.
        workers: How many.
    """
    place = directory / "scheduler.json"
    with ExitStack() as running:

        def started(*arguments: str) -> Fork:
            words = (*arguments, "--scheduler-file", str(place))
            process = forks.start(f"{__name__}:dask", str(directory), *words)
            running.callback(process.wait)
            running.callback(process.kill)
            return process

        scheduler = started("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        quiet = ["--no-dashboard", "--memory-limit", "0", "--local-directory", str(directory)]
        # Without somebody beside them who would start them again.
        alone = ["--no-nanny", "--nthreads", "1", "--host", "127.0.0.1"]
        for _ in range(3000):
            if place.exists():
                break
            time.sleep(0.01)
        else:
            pytest.fail(scheduler.files[1].read_text())
        found = [started("worker", *alone, *quiet) for _ in range(workers)]
        yield Cluster(json.loads(place.read_text())["address"], scheduler, found)
