"""Training in several processes: what comes back, and how all of them end."""

import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any, TypeVar

from stocklstm.errors import TryAgainError
from stocklstm.learn.stopping import ShouldStop, StoppedError, never

T = TypeVar("T")

IDLE_S = 20
"""Seconds after which a process that nobody gives work ends itself."""


def run_apart(
    jobs: int,
    task: Callable[..., T],
    calls: Iterable[tuple[Any, ...]],
    should_stop: ShouldStop = never,
    *,
    hint: str,
) -> Iterator[T]:
    """Run a task many times in processes of its own, and give each outcome as it is done.

    Args:
        jobs: Processes.
        task: Function of a module; what it takes and gives must be picklable.
        calls: Arguments of each call.
        should_stop: Asked after every outcome.
        hint: What to do if a process is ended from outside.

    Raises:
        StoppedError: `should_stop` said so.
        TryAgainError: A process was ended from outside.
    """
    from joblib import Parallel, delayed

    # Should this process be killed, those that it leaves behind end soon.
    workers = Parallel(
        n_jobs=jobs,
        backend="loky",
        return_as="generator_unordered",
        idle_worker_timeout=IDLE_S,
    )
    with interrupts_ignored():
        outcomes = workers(delayed(task)(*arguments) for arguments in calls)
    try:
        for outcome in outcomes:
            yield outcome
            if should_stop():
                raise StoppedError
    except BrokenProcessPool as error:
        raise TryAgainError(
            "a process was ended from outside, perhaps for want of memory", hint=hint
        ) from error
    finally:
        with warnings.catch_warnings():
            # That tasks were cancelled, which is what closing is for.
            warnings.simplefilter("ignore", UserWarning)
            outcomes.close()


def ignore_interrupts() -> None:
    """Ignore Ctrl-C in this process from now on; see `interrupts_ignored`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Let the processes that are started meanwhile inherit that they ignore Ctrl-C.

    It reaches every process of a terminal, and is for the one that hands out the work.
    """
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
