"""Worker processes: they call a task many times, and a killed one costs only what it was doing."""

import os
import pickle
import signal
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from stocklstm.core.exits import STOP_SIGNALS, heeded_signals
from stocklstm.core.operating_system import system
from stocklstm.errors import TryAgainError
from stocklstm.learn.stopping import ShouldStop, StoppedError, never, told_by_parent

T = TypeVar("T")
Task = Callable[..., Any]
"""Function of a module, whose arguments and result can be pickled. Its last argument, a
`learn.stopping.ShouldStop`, tells it when to stop."""

# A process that has had nothing to do for as long ends: should this one be killed, nobody else ends
# those that it leaves behind.
_IDLE_S = 20
_FEEDER = "QueueFeederThread"
_FEEDER_S = 10
_POLL_S = 0.1
_WATCH_S = 0.5


@dataclass(frozen=True)
class Call:
    """One call of the task.

    Attributes:
        key: Tells it from the others.
        arguments: Of the task, before `should_stop`.
    """

    key: int
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Completed:
    """How one call ended.

    Attributes:
        key: Of the call.
        value: What the task returned; None if it raised.
        error: What it raised, `StoppedError` if it was asked to stop; None if it returned.
    """

    key: int
    value: Any = None
    error: BaseException | None = None

    def result(self) -> Any:  # noqa: ANN401 - whatever the task returns
        """Return what the task returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        return self.value


class Workers(ABC):
    """Processes that call tasks; those that are started for it end with the `with` block."""

    @abstractmethod
    def run(
        self, task: Task, calls: Iterable[Call], should_stop: ShouldStop
    ) -> Generator[Completed]:
        """Make every call, and yield each as it ends, in any order.

        A call that was taken is yielded once. Those of a process that is lost are made again.

        Args:
            task: Called for each.
            calls: Taken only when a process is about to be free for them.
            should_stop: Asked all the time; once it says yes, no further call is taken, and those
                under way end with a `StoppedError`.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:  # noqa: B027 - those of a cluster are not ours to end
        """End the processes that were started for it."""


class LocalWorkers(Workers):
    """Processes of this machine, started with the first call."""

    def __init__(self, jobs: int) -> None:
        """Set their number."""
        self.jobs = jobs
        self._executor: Any = None

    def run(
        self,
        task: Task,
        calls: Iterable[Call],
        should_stop: ShouldStop = never,
        *,
        attempts: int = 2,
    ) -> Generator[Completed]:
        """See `Workers.run`.

        Args:
            attempts: If 2, all calls that were under way when a process was ended from outside are
                made again one by one, and one whose process is ended again ends with a
                `TryAgainError`. If 1, all end with a `BrokenProcessPool` at once.
        """
        with tempfile.TemporaryDirectory(prefix="stocklstm-") as scratch:
            calls_made = _LocalCalls(self, task, iter(calls), Path(scratch) / "stop", attempts)
            try:
                yield from calls_made.completed(should_stop)
            except BaseException:
                self.end()
                raise

    def submit(self, task: Task, *arguments: object) -> Any:  # noqa: ANN401 - loky has no types
        """Give a call to the processes.

        Raises:
            BrokenProcessPool: One of them is gone; `end`, and the next call starts others.
        """
        # Processes that this starts hear none until they are as far as to ignore it themselves; the
        # one in which loky keeps account of its resources never ignores SIGHUP.
        with _interrupts_held():
            if self._executor is None:
                from loky import ProcessPoolExecutor

                self._executor = ProcessPoolExecutor(
                    self.jobs,
                    timeout=_IDLE_S,
                    env=dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
                    initializer=_begin,
                    initargs=(os.getpid(),),
                )
            return self._executor.submit(_called, task, *arguments)

    def end(self) -> None:
        """End the processes, whatever they are doing."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None
            # The thread that hands out calls may still be giving up its locks, for which loky does
            # not wait. Should this process end before it has, the one that keeps account of them
            # says on stderr that they were leaked.
            for thread in threading.enumerate():
                if thread.name == _FEEDER:
                    thread.join(_FEEDER_S)

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        self.end()


def all_results(
    workers: LocalWorkers,
    task: Callable[..., T],
    calls: Iterable[tuple[Any, ...]],
    should_stop: ShouldStop = never,
    *,
    hint: str,
) -> Generator[T]:
    """Call a task in worker processes and yield its results in any order; none may fail.

    Args:
        workers: A single one is not started: then this process does it, one call after the other.
        task: See `Task`.
        calls: Arguments of each call.
        should_stop: Asked after every step in this process, and after every result of the others.
        hint: What to do if a process is ended from outside.

    Raises:
        StoppedError: `should_stop` said so.
        TryAgainError: A process was ended from outside.
    """
    if workers.jobs == 1:
        for arguments in calls:
            yield task(*arguments, should_stop)
        return
    numbered = (Call(number, arguments) for number, arguments in enumerate(calls))
    with closing(workers.run(task, numbered, attempts=1)) as completed:
        for each in completed:
            if isinstance(each.error, BrokenProcessPool):
                raise TryAgainError(
                    "a process was ended from outside, perhaps for want of memory", hint=hint
                ) from each.error
            yield each.result()
            if should_stop():
                raise StoppedError


class _LocalCalls:
    """The calls of one `LocalWorkers.run`: waiting, under way, and to be made again alone."""

    def __init__(
        self, workers: LocalWorkers, task: Task, calls: Iterator[Call], stop: Path, attempts: int
    ) -> None:
        self.workers = workers
        self.task = task
        self.calls = calls
        self.stop = stop
        self.told = told_by_parent(stop)
        self.attempts = attempts
        self.under_way: dict[Any, Call] = {}
        self.suspects: deque[Call] = deque()
        self.alone: Call | None = None

    def completed(self, should_stop: ShouldStop) -> Iterator[Completed]:
        while True:
            if not self.stop.exists() and should_stop():
                self.stop.touch()
            self._hand_out()
            if not self.under_way:
                if self.suspects:
                    continue
                return
            done, _ = wait(self.under_way, _POLL_S, FIRST_COMPLETED)
            for future in done:
                call = self.under_way.pop(future)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    yield from self._lost(call, error)
                elif error is not None:
                    yield Completed(call.key, error=error)
                else:
                    yield Completed(call.key, future.result())

    def _hand_out(self) -> None:
        if not self.under_way:
            self.alone = self.suspects.popleft() if self.suspects else None
            if self.alone is not None:
                self._submit(self.alone)
        if self.suspects or self.alone is not None:
            return
        # One more than there are processes, so that none waits while a result is looked at.
        while len(self.under_way) <= self.workers.jobs and not self.stop.exists():
            call = next(self.calls, None)
            if call is None:
                return
            self._submit(call)

    def _submit(self, call: Call) -> None:
        try:
            future = self.workers.submit(self.task, *call.arguments, self.told)
        except BrokenProcessPool:
            # It was broken before: a call that is new to it is to blame for nothing.
            self.workers.end()
            self.suspects.appendleft(call)
        else:
            self.under_way[future] = call

    def _lost(self, call: Call, error: BrokenProcessPool) -> Iterator[Completed]:
        # A pool that has lost one process ends the others, too.
        self.workers.end()
        if self.stop.exists():
            yield Completed(call.key, error=StoppedError())
        elif self.attempts == 1:
            yield Completed(call.key, error=error)
        elif call is self.alone:
            yield Completed(call.key, error=_given_up(error))
        else:
            self.suspects.append(call)


def _given_up(cause: Exception) -> TryAgainError:
    error = TryAgainError(
        "the process that trained it was ended from outside twice, perhaps for want of memory",
        hint="try again with fewer --jobs, or where there is more memory",
    )
    error.__cause__ = cause
    return error


def _called(task: Task, *arguments: object) -> Any:  # noqa: ANN401 - whatever the task returns
    """Call a task in a worker; an error that cannot travel becomes words.

    Otherwise the process that waits for it would take this one for killed.
    """
    try:
        return task(*arguments)
    except Exception as error:  # noqa: BLE001 - raised again, or told in words
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
        except Exception:  # noqa: BLE001 - whatever keeps it from being pickled
            words = f"{type(error).__name__}: {error}"
        else:
            raise
    raise RuntimeError(words)


def _begin(parent: int) -> None:
    """Ignore what asks this worker to end from now on, and end with the process that started it.

    See `_interrupts_held`.
    """
    for kind in STOP_SIGNALS:
        signal.signal(kind, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process once its parent is gone, whatever it is doing.

    It may be waiting to write a result that nobody will read: then it would never look itself.
    """
    while system().is_parent(parent):
        time.sleep(_WATCH_S)
    os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold signals that ask to stop back, and let processes that are started never feel them.

    Ctrl-C reaches every process of a terminal, and SIGTERM every one of a systemd service; both are
    for the process that hands out the work, where they count as soon as this is over.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = heeded_signals()
    for kind in before:
        signal.signal(kind, lambda number, _: caught.append(number))
    try:
        # What is blocked here stays so in processes that are started.
        with system().signals_blocked(STOP_SIGNALS):
            yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        for kind in caught[:1]:
            signal.raise_signal(kind)
