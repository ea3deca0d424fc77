"""Work for many tickers in several processes, whose results are those of one process."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from stocklstm.core.batch import Failure, Named, each_once, unexpected
from stocklstm.errors import ConfigError, StockLstmError
from stocklstm.learn.cluster import DaskWorkers, parse_address
from stocklstm.learn.stopping import ShouldStop, StoppedError, never
from stocklstm.learn.workers import Call, Completed, LocalWorkers, Workers
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.environment import packages

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_MOST_JOBS = 256


def check_jobs(jobs: int) -> None:
    """Raise `ConfigError` if a number of processes is outside its limits."""
    if not 1 <= jobs <= _MOST_JOBS:
        raise ConfigError(
            f"--jobs must be from 1 to {_MOST_JOBS}, not {jobs}",
            hint="as many as the machine has cores is a good number",
        )


@dataclass(frozen=True)
class Backend:
    """The processes that do the work.

    Example:
        >>> stocklstm.Backend(jobs=2).is_this_process
        False

    Attributes:
        jobs: Processes of this machine; 1 for the calling one.
        scheduler: Address of a Dask scheduler, whose workers do it instead.
    """

    jobs: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: The number is outside its limits, both were given, or the address is none.
        """
        check_jobs(self.jobs)
        if self.scheduler is not None and self.jobs != 1:
            raise ConfigError(
                "--jobs is about this machine, and --scheduler about others",
                hint="leave one of them out; a cluster does as much at once as it has workers",
            )
        if self.scheduler is not None:
            parse_address(self.scheduler)

    @property
    def is_remote(self) -> bool:
        """True if the processes share no store with this one."""
        return self.scheduler is not None

    @property
    def is_this_process(self) -> bool:
        """True if there are no others."""
        return self.scheduler is None and self.jobs == 1

    @property
    def options(self) -> str:
        """Options of a command that choose it, with a space before them."""
        if self.scheduler is not None:
            return f" --scheduler {self.scheduler}"
        return "" if self.jobs == 1 else f" --jobs {self.jobs}"

    def workers(self, on_note: Callable[[str], None] = lambda _: None) -> Workers:
        """Make the workers; `on_note` is told what a person may want to know of a cluster."""
        if self.scheduler is None:
            return LocalWorkers(self.jobs)
        return DaskWorkers(self.scheduler, packages, on_note)


THIS_PROCESS = Backend()


class UnfinishedError(StoppedError):
    """The work was asked to stop before all was done.

    Attributes:
        left: Tickers that are neither done nor have failed, in the order that was asked for.
    """

    def __init__(self, left: tuple[str, ...]) -> None:
        """Name them."""
        super().__init__(f"{len(left)} tickers are left")
        self.left = left


@dataclass(frozen=True)
class TickersDone:
    """Sent before the first ticker and after every one.

    Attributes:
        ticker: The one that ended; what was typed, if that is none; empty before the first.
        done: Tickers so far, in whichever order they end.
        total: How many there are.
        error: Why it failed; None if it did not.
    """

    ticker: str
    done: int
    total: int
    error: StockLstmError | None


@dataclass(frozen=True)
class Job(Generic[T]):
    """The work for one ticker.

    Attributes:
        arguments: Of the task that a worker runs.
        finish: Makes the result of what the task returned, in this process.
    """

    arguments: tuple[Any, ...]
    finish: Callable[[Any], T]


def for_each_in_workers(
    names: Sequence[str],
    parse: Callable[[str], K],
    workers: Workers,
    task: Callable[..., Any],
    start_job: Callable[[K], AbstractContextManager[Job[T]]],
    *,
    on_ticker: Callable[[TickersDone], None],
    should_stop: ShouldStop = never,
) -> tuple[tuple[T, ...], tuple[Failure, ...]]:
    """Run a task for every name in worker processes, as `core.batch.for_each` does in this one.

    Args:
        names: As typed.
        parse: Reads one; names that mean the same are done once.
        workers: They end with it.
        task: See `learn.workers.Task`.
        start_job: Makes the job of a ticker. Its context, which may hold a lock, is left when the
            job is finished or has failed.
        on_ticker: Called before the first ticker and after every one.
        should_stop: Asked all the time.

    Returns:
        Results and failures, each in the order of the names.

    Raises:
        UnfinishedError: `should_stop` said so before all was done.
    """
    jobs = _Jobs(list(each_once(names, parse)), start_job, on_ticker)
    on_ticker(TickersDone("", 0, len(jobs.wanted), None))
    try:
        with workers, closing(workers.run(task, jobs.calls(), should_stop)) as completed:
            for each in completed:
                jobs.finish(each)
    finally:
        jobs.abandon()
    if left := jobs.left():
        raise UnfinishedError(left)
    return _in_order(jobs.results), _in_order(jobs.failures)


def for_each_in_processes(
    store: Store,
    names: Sequence[str],
    parse: Callable[[str], K],
    jobs: int,
    task: Callable[..., T],
    arguments: tuple[Any, ...],
    *,
    on_ticker: Callable[[TickersDone], None],
    should_stop: ShouldStop = never,
) -> tuple[tuple[T, ...], tuple[Failure, ...]]:
    """Run a task for every name in processes of this machine, each of which opens the store.

    Args:
        store: Is opened anew in each process.
        names: As typed.
        parse: Reads one.
        jobs: Processes.
        task: Takes the store, what `parse` read, the arguments and a `ShouldStop`.
        arguments: The same for each name.
        on_ticker: Called before the first name and after every one.
        should_stop: Asked all the time.

    Returns:
        Results and failures, each in the order of the names.

    Raises:
        UnfinishedError: `should_stop` said so before all was done.
    """

    def start_job(key: K) -> AbstractContextManager[Job[T]]:
        common = (task, store.paths.home, store.lock_timeout_s)
        return nullcontext(Job((*common, key, *arguments), lambda result: result))

    return for_each_in_workers(
        names,
        parse,
        Backend(jobs).workers(),
        _run_with_store,
        start_job,
        on_ticker=on_ticker,
        should_stop=should_stop,
    )


def _run_with_store(
    task: Callable[..., T], home: Path, lock_timeout_s: float, *arguments: object
) -> T:
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        return task(store, *arguments)


class _Jobs(Generic[K, T]):
    """The jobs under way and the results so far, by the index of their name."""

    def __init__(
        self,
        wanted: Sequence[Named[K]],
        start_job: Callable[[K], AbstractContextManager[Job[T]]],
        on_ticker: Callable[[TickersDone], None],
    ) -> None:
        self.wanted = wanted
        self.start_job = start_job
        self.on_ticker = on_ticker
        self.under_way: dict[int, tuple[ExitStack, Job[T]]] = {}
        self.results: dict[int, T] = {}
        self.failures: dict[int, Failure] = {}

    def calls(self) -> Iterator[Call]:
        """Start one job after the other, whenever a worker is about to be free."""
        for index, named in enumerate(self.wanted):
            if isinstance(named.key, StockLstmError):
                self._failed(index, named.key)
                continue
            stack = ExitStack()
            try:
                job = stack.enter_context(self.start_job(named.key))
            except StockLstmError as error:
                self._failed(index, error)
            except Exception as error:  # noqa: BLE001 - as in `core.batch.for_each`
                self._failed(index, unexpected(error))
            else:
                self.under_way[index] = stack, job
                yield Call(index, job.arguments)

    def finish(self, completed: Completed) -> None:
        """Finish the job of a call, or note its failure."""
        index = completed.key
        stack, job = self.under_way.pop(index)
        try:
            with stack:
                self.results[index] = job.finish(completed.result())
        except StoppedError:
            return
        except StockLstmError as error:
            self._failed(index, error)
        except Exception as error:  # noqa: BLE001 - likewise
            self._failed(index, unexpected(error))
        else:
            self._report(index, None)

    def abandon(self) -> None:
        """Leave the contexts of jobs that will not end."""
        for index in list(self.under_way):
            self.finish(Completed(index, error=StoppedError()))

    def left(self) -> tuple[str, ...]:
        """Name those that are neither done nor have failed."""
        return tuple(
            self._name(index)
            for index in range(len(self.wanted))
            if index not in self.results and index not in self.failures
        )

    def _failed(self, index: int, error: StockLstmError) -> None:
        self.failures[index] = Failure(self.wanted[index].ticker, error)
        self._report(index, error)

    def _report(self, index: int, error: StockLstmError | None) -> None:
        done = len(self.results) + len(self.failures)
        self.on_ticker(TickersDone(self._name(index), done, len(self.wanted), error))

    def _name(self, index: int) -> str:
        named = self.wanted[index]
        return named.ticker or named.name


def _in_order(by_index: dict[int, T]) -> tuple[T, ...]:
    return tuple(by_index[index] for index in sorted(by_index))
