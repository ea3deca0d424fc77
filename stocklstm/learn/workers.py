"""Crews: processes of this machine, or of a Dask cluster, that do the same task many times."""

import tempfile
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stocklstm.errors import TryAgainError
from stocklstm.learn.processes import IDLE_S, ignore_interrupts, interrupts_ignored
from stocklstm.learn.stopping import ShouldStop, StoppedError, told_by_parent

Task = Callable[..., Any]

_MOMENT_S = 0.1


@dataclass(frozen=True)
class Call:
    """One time that the task is to be done.

    Attributes:
        key: Tells it from the others.
        arguments: Of the task, which is given a `learn.stopping.ShouldStop` after them.
    """

    key: int
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Ended:
    """How one call ended.

    Attributes:
        key: Of the call.
        outcome: What the task returned; None if it raised.
        error: What it raised, `StoppedError` if it was asked to stop; None if it returned.
    """

    key: int
    outcome: Any = None
    error: BaseException | None = None

    def result(self) -> Any:  # noqa: ANN401 - whatever the task returns
        """Give what the task returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        return self.outcome


class Crew(ABC):
    """Processes that do tasks; a task is a function of a module, and all that passes is pickled."""

    @abstractmethod
    def each(self, task: Task, calls: Iterable[Call], should_stop: ShouldStop) -> Generator[Ended]:
        """Do a task for every call, and give each as it ends, in whichever order.

        Every call that was taken is given back once. Those of a process that is lost are done
        again.

        Args:
            task: Is told to stop by its last argument, a `learn.stopping.ShouldStop`.
            calls: Taken only when somebody is about to be free for them.
            should_stop: Asked all the time; once it says yes, no further call is taken, and those
                that were end with a `StoppedError`.
        """


class LocalCrew(Crew):
    """Processes of this machine, which end with the one that made them."""

    def __init__(self, jobs: int) -> None:
        """Remember how many.

        Args:
            jobs: Processes.
        """
        self.jobs = jobs

    def each(self, task: Task, calls: Iterable[Call], should_stop: ShouldStop) -> Generator[Ended]:
        """See `Crew`.

        Should a process be ended from outside, all calls that were under way are done again, one
        after the other; one whose process is ended again, when it was alone, is given up.
        """
        with tempfile.TemporaryDirectory(prefix="stocklstm-") as scratch:
            work = _LocalWork(self.jobs, task, iter(calls), Path(scratch) / "stop")
            try:
                yield from work.ended(should_stop)
            finally:
                work.pool.end()


class _Pool:
    """Loky's processes; those of a broken pool are replaced."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.executor: Any = None

    def submit(self, task: Task, *arguments: object) -> Any:  # noqa: ANN401 - joblib has no types
        if self.executor is not None:
            return self.executor.submit(task, *arguments)
        from joblib.externals.loky import ProcessPoolExecutor

        self.executor = ProcessPoolExecutor(
            self.jobs,
            # Should this process be killed, those that it leaves behind end soon.
            timeout=IDLE_S,
            env=dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
            initializer=ignore_interrupts,
        )
        # Until they are as far as to ignore it themselves.
        with interrupts_ignored():
            return self.executor.submit(task, *arguments)

    def end(self) -> None:
        if self.executor is not None:
            self.executor.shutdown(wait=True, kill_workers=True)
            self.executor = None


class _LocalWork:
    """The calls of one `LocalCrew.each`: waiting, under way, and to be done again alone."""

    def __init__(self, jobs: int, task: Task, calls: Iterator[Call], stop: Path) -> None:
        self.pool = _Pool(jobs)
        self.task = task
        self.calls = calls
        self.stop = stop
        self.told = told_by_parent(stop)
        self.under_way: dict[Any, Call] = {}
        self.suspects: deque[Call] = deque()
        self.alone: Call | None = None

    def ended(self, should_stop: ShouldStop) -> Iterator[Ended]:
        while True:
            if not self.stop.exists() and should_stop():
                self.stop.touch()
            self._hand_out()
            if not self.under_way:
                if self.suspects:
                    continue
                return
            done, _ = wait(self.under_way, _MOMENT_S, FIRST_COMPLETED)
            for future in done:
                call = self.under_way.pop(future)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    yield from self._lost(call, error)
                elif error is not None:
                    yield Ended(call.key, error=error)
                else:
                    yield Ended(call.key, future.result())

    def _hand_out(self) -> None:
        if not self.under_way:
            self.alone = self.suspects.popleft() if self.suspects else None
            if self.alone is not None:
                self._submit(self.alone)
        if self.suspects or self.alone is not None:
            return
        # One more than there are processes, so that none waits while an outcome is looked at.
        while len(self.under_way) <= self.pool.jobs and not self.stop.exists():
            call = next(self.calls, None)
            if call is None:
                return
            self._submit(call)

    def _submit(self, call: Call) -> None:
        try:
            future = self.pool.submit(self.task, *call.arguments, self.told)
        except BrokenProcessPool:
            # It was broken before: what is new to it is to blame for nothing.
            self.pool.end()
            self.suspects.appendleft(call)
        else:
            self.under_way[future] = call

    def _lost(self, call: Call, error: BrokenProcessPool) -> Iterator[Ended]:
        # A pool that has lost one process ends the others, too.
        self.pool.end()
        if self.stop.exists():
            yield Ended(call.key, error=StoppedError())
        elif call is self.alone:
            yield Ended(call.key, error=_given_up(error))
        else:
            self.suspects.append(call)


def _given_up(cause: Exception) -> TryAgainError:
    error = TryAgainError(
        "the process that trained it was ended from outside twice, perhaps for want of memory",
        hint="try again with fewer --jobs, or where there is more memory",
    )
    error.__cause__ = cause
    return error
