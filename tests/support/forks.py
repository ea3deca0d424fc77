"""Processes at the price of a fork: one that has imported what they need makes a child for each.

In all else a child is a process of its own, with its environment, an exit code, and files for what
it says; its standard input is closed. `python -m tests.support.forks WORDS` is the one that forks.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.places import ROOT

LONG_S = 120
"""How long a child may take before it is ended; nothing passes or fails by a time."""

CLUSTER = ("dask.cli", "distributed.cli.dask_scheduler", "distributed.cli.dask_worker")
"""What a Dask cluster imports, and who trains on one."""

CALENDARS = ("tests.support.forks:calendars",)
"""What to do beforehand where many processes fetch."""

FETCHING = (
    "exchange_calendars",
    "yfinance",
    "stocklstm.cli.fetch",
    "stocklstm.cli.tables",
    "stocklstm.market.yahoo",
    "stocklstm.workflows.prices.fetch",
)
"""What a fetch from Yahoo imports."""

PROGRAM = "tests.support.forks:program"
"""A command line: the task that most children are made for."""

TRAINING = ("matplotlib.figure", "onnx", "onnxruntime", "torch", "stocklstm.workflows.train.train")
"""What a training imports."""

# Threads of libraries would not survive a fork, nor would Python like them to be there.
_NO_THREADS = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "PYTHONPATH": str(ROOT),
}


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, negative for a signal, and what it said."""

    code: int
    out: str
    err: str


@dataclass
class Fork:
    """A process, running."""

    parent: "Forks"
    pid: int
    files: tuple[Path, Path]

    def kill(self, kind: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.pid, kind)  # a process that has ended keeps its number until `wait`

    def wait(self) -> Ended:
        code = self.parent.order(wait=self.pid)
        ended = Ended(code, *(file.read_text() for file in self.files))
        for file in self.files:
            file.unlink()
        return ended


@dataclass
class Forks:
    """Starts processes."""

    folder: Path
    process: subprocess.Popen[str]
    started: int = 0
    # Tests may start processes from several threads.
    lock: Any = None

    def order(self, **words: object) -> int:
        with self.lock:
            self.process.stdin.write(json.dumps(words) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        assert answer, (self.folder / "words").read_text()
        return int(answer)

    def start(
        self, task: str, *arguments: object, environment: Mapping[str, str] | None = None
    ) -> Fork:
        """Start one.

        Args:
            task: Function of a module, as module:function; what it returns is the exit code.
            arguments: Its own, as JSON has them; paths come as strings.
            environment: Variables that it has besides.
        """
        self.started += 1
        files = tuple(self.folder / f"{name}-{self.started}" for name in ("out", "err"))
        for file in files:
            # A child may be killed before it could do so.
            file.touch()
        pid = self.order(
            task=task,
            arguments=arguments,
            environment=dict(environment or {}),
            files=[str(file) for file in files],
        )
        return Fork(self, pid, files)

    def run(
        self, task: str, *arguments: object, environment: Mapping[str, str] | None = None
    ) -> Ended:
        """Start one and wait for its end."""
        return self.start(task, *arguments, environment=environment).wait()


@contextmanager
def forks_of(
    folder: Path,
    *modules: str,
    prepared: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Forks]:
    """Start the process that forks.

    Args:
        folder: Takes what is said.
        modules: Imported before any child is made.
        prepared: A task to be done before that, and its arguments; none if empty.
        environment: Variables that all have besides.
    """
    words = json.dumps({"modules": modules, "prepared": prepared})
    with (
        (folder / "words").open("w") as said,
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.forks", words],
            cwd=ROOT,
            env={**os.environ, **_NO_THREADS, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as process,
    ):
        yield Forks(folder, process, lock=threading.Lock())
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def calendars() -> None:
    """Build the calendar of most of the tickers in tests, which takes as long as a fetch."""
    from stocklstm.market.calendar import sessions

    sessions("BVMF", np.datetime64("2000-01-01", "D"), np.datetime64("2030-01-01", "D"))


def program(*arguments: str) -> int:
    """Run a command line."""
    from multiprocessing.util import _exit_function

    from stocklstm.cli.app import run

    code = run(list(arguments))
    # As at the end of a process that is no fork: locks that it shared with others are given back.
    _exit_function()
    return code


def _serve(words: dict[str, Any]) -> None:
    # What is said meanwhile, by whomever, is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for module in words["modules"]:
        importlib.import_module(module)
    if words["prepared"]:
        _do(*words["prepared"])
    alive = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            alive.remove(order["wait"])
            _, status = os.waitpid(order["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            assert threading.active_count() == 1
            sys.stdout.flush()
            answer = os.fork()
            if answer == 0:
                _obey(order)
            alive.add(answer)
        answers.write(f"{answer}\n")
        answers.flush()
    for child in alive:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _do(task: str, *arguments: object) -> int:
    module, _, function = task.partition(":")
    code: int | None = getattr(importlib.import_module(module), function)(*arguments)
    return code or 0


def _obey(order: dict[str, Any]) -> None:
    """Do a task in this process and end it."""
    code = 1
    try:
        os.setsid()
        signal.alarm(LONG_S)
        # Whoever runs the tests may have told this process to ignore them.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        for descriptor, name in enumerate(order["files"], start=1):
            os.dup2(os.open(name, os.O_RDWR), descriptor)
        # As Python has it where the shell closed it.
        sys.stdin = None
        os.close(0)
        os.environ.update(order["environment"])
        code = _do(order["task"], *order["arguments"])
    except BaseException:  # noqa: BLE001 - said as any process says it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
