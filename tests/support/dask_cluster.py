"""A real Dask cluster on the loopback interface: a scheduler and workers, each a process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.places import ROOT


@dataclass(frozen=True)
class Cluster:
    """Processes that can be killed.

    Attributes:
        address: Of the scheduler.
        scheduler: Its process.
        workers: Theirs.
    """

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]


@contextmanager
def cluster(directory: Path, workers: int = 2) -> Iterator[Cluster]:
    """Start a scheduler and workers, and end them.

    Args:
        directory: Where they may write.
        workers: How many.
    """
    place = directory / "scheduler.json"
    with ExitStack() as running:
        log = running.enter_context((directory / "cluster.log").open("wb"))

        def dask(*arguments: str) -> subprocess.Popen[bytes]:
            process = running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(place)],
                    stdout=log,
                    stderr=log,
                    cwd=directory,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                    start_new_session=True,
                )
            )
            running.callback(process.kill)
            return process

        scheduler = dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        quiet = ["--no-dashboard", "--memory-limit", "0", "--local-directory", str(directory)]
        # Without somebody beside them who would start them again.
        alone = ["--no-nanny", "--nthreads", "1", "--host", "127.0.0.1"]
        for _ in range(3000):
            if place.exists():
                break
            if scheduler.poll() is not None:
                pytest.fail((directory / "cluster.log").read_text())
            time.sleep(0.01)
        found = [dask("worker", *alone, *quiet) for _ in range(workers)]
        yield Cluster(json.loads(place.read_text())["address"], scheduler, found)
