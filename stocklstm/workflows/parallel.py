"""The same for many tickers at once: shared out to processes, gathered as if done one by one."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from stocklstm.core.batch import Failure, Named, each_once, unexpected
from stocklstm.errors import ConfigError, StockLstmError, UnexpectedError
from stocklstm.learn.cluster import DaskWorkers
from stocklstm.learn.stopping import StoppedError
from stocklstm.learn.workers import Call, Completed, LocalWorkers, Workers
from stocklstm.workflows.environment import packages

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_MOST_JOBS = 256


def check_jobs(jobs: int) -> None:
    """Refuse a number of processes outside its limits.

    Raises:
        ConfigError: It is.
    """
    if not 1 <= jobs <= _MOST_JOBS:
        raise ConfigError(
            f"--jobs must be from 1 to {_MOST_JOBS}, not {jobs}",
            hint="as many as the machine has cores is a good number",
        )


@dataclass(frozen=True)
class Where:
    """Which processes do the work.

    Attributes:
        jobs: Processes of this machine; 1 does it in this one.
        scheduler: Address of a Dask scheduler, whose workers do it instead.
    """

    jobs: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ConfigError: The number is outside its limits, or both were given.
        """
        check_jobs(self.jobs)
        if self.scheduler is not None and self.jobs != 1:
            raise ConfigError(
                "--jobs is about this machine, and --scheduler about others",
                hint="leave one of them out; a cluster does as much at once as it has workers",
            )

    @property
    def is_far(self) -> bool:
        """True if it is done where there is no store."""
        return self.scheduler is not None

    @property
    def is_here(self) -> bool:
        """True if this process does it."""
        return self.scheduler is None and self.jobs == 1

    @property
    def options(self) -> str:
        """The same as options of a command, with a space before them."""
        if self.scheduler is not None:
            return f" --scheduler {self.scheduler}"
        return "" if self.jobs == 1 else f" --jobs {self.jobs}"

    def workers(self, on_note: Callable[[str], None] = lambda _: None) -> Workers:
        """Give the processes.

        Args:
            on_note: Called with what a person may want to know of a cluster.
        """
        if self.scheduler is None:
            return LocalWorkers(self.jobs)
        return DaskWorkers(self.scheduler, packages, on_note)


HERE = Where()


class UnfinishedError(StoppedError):
    """The work was asked to stop before all was done.

    Attributes:
        left: Tickers that are neither done nor have failed, in the order that was asked for.
    """

    def __init__(self, left: tuple[str, ...]) -> None:
        """Keep them.

        Args:
            left: Tickers.
        """
        super().__init__(f"{len(left)} tickers are left")
        self.left = left


@dataclass(frozen=True)
class TickersDone:
    """Sent before the first ticker and after every one.

    Attributes:
        ticker: Whose; what was typed, if that is none; empty before the first.
        done: Tickers so far, in whichever order they end.
        total: How many there are.
        error: Why it failed; None if it did not.
    """

    ticker: str
    done: int
    total: int
    error: StockLstmError | None


@dataclass(frozen=True)
class Errand(Generic[T]):
    """What is to be done elsewhere for one ticker, and here once it is back.

    Attributes:
        arguments: Of the task.
        finish: Takes what the task returned.
    """

    arguments: tuple[Any, ...]
    finish: Callable[[Any], T]


@dataclass(frozen=True)
class Sharing(Generic[K, T]):
    """How to share out.

    Attributes:
        workers: Processes that do it; they end with it.
        task: Done for every ticker; see `learn.workers.Task`.
        begin: Gives a ticker's errand; what it holds, such as a lock, it holds until the errand is
            finished or has failed, which it is told as any context manager is.
        should_stop: Asked all the time.
        on_ended: Called before the first ticker and after every one.
    """

    workers: Workers
    task: Callable[..., Any]
    begin: Callable[[K], AbstractContextManager[Errand[T]]]
    should_stop: Callable[[], bool]
    on_ended: Callable[[TickersDone], None]

    def for_each(
        self, names: Sequence[str], parse: Callable[[str], K]
    ) -> tuple[tuple[T, ...], tuple[Failure, ...]]:
        """Do it for every name and keep going, as `core.batch.for_each` does.

        Args:
            names: As typed.
            parse: Reads one; names that mean the same are done once.

        Returns:
            Results and failures, each in the order of the names.

        Raises:
            UnfinishedError: `should_stop` said so before all was done.
        """
        wanted = list(each_once(names, parse))
        gathering = _Gathering(self, wanted)
        self.on_ended(TickersDone("", 0, len(wanted), None))
        try:
            with (
                self.workers as workers,
                closing(workers.run(self.task, gathering.calls(), self.should_stop)) as completed,
            ):
                for each in completed:
                    gathering.finish(each)
        finally:
            gathering.abandon()
        if left := gathering.left():
            raise UnfinishedError(left)
        order = range(len(wanted))
        return (
            tuple(gathering.results[place] for place in order if place in gathering.results),
            tuple(gathering.failures[place] for place in order if place in gathering.failures),
        )


def each_apart(
    names: Sequence[str],
    parse: Callable[[str], K],
    jobs: int,
    task: Callable[..., Any],
    arguments: tuple[Any, ...],
    on_ended: Callable[[TickersDone], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[tuple[Any, ...], tuple[Failure, ...]]:
    """Do for each name, in processes of this machine, what does all of it with the store itself.

    Args:
        names: As typed.
        parse: Reads one; what it gives must, as a string, be read as the same.
        jobs: Processes.
        task: Is given a name, the arguments and a `learn.stopping.ShouldStop`; see `only`.
        arguments: The same for each.
        on_ended: Called before the first name and after every one.
        should_stop: Asked all the time.

    Returns:
        Results and failures, each in the order of the names.

    Raises:
        UnfinishedError: `should_stop` said so before all was done.
    """

    def begin(key: K) -> AbstractContextManager[Errand[Any]]:
        return nullcontext(Errand((str(key), *arguments), lambda result: result))

    where = Where(jobs)
    return Sharing(where.workers(), task, begin, should_stop, on_ended).for_each(names, parse)


def only(results: Sequence[T], failures: Sequence[Failure]) -> T:
    """Give the one result of a workflow that was given one name, or raise why there is none.

    Args:
        results: One, or none.
        failures: None, or one.
    """
    for failure in failures:
        error = failure.error
        # A bug travels with its traceback, and is called one by who hands out the work.
        raise (error.__cause__ or error) if isinstance(error, UnexpectedError) else error
    return results[0]


class _Gathering(Generic[K, T]):
    """What is under way and what has come back, by the place of its name."""

    def __init__(self, sharing: Sharing[K, T], wanted: Sequence[Named[K]]) -> None:
        self.sharing = sharing
        self.wanted = wanted
        self.under_way: dict[int, tuple[ExitStack, Errand[T]]] = {}
        self.results: dict[int, T] = {}
        self.failures: dict[int, Failure] = {}

    def calls(self) -> Iterator[Call]:
        """Begin one ticker after the other, as there is somebody to do it."""
        for place, named in enumerate(self.wanted):
            if isinstance(named.key, StockLstmError):
                self._failed(place, named.key)
                continue
            stack = ExitStack()
            try:
                errand = stack.enter_context(self.sharing.begin(named.key))
            except StockLstmError as error:
                self._failed(place, error)
            except Exception as error:  # noqa: BLE001 - as in `core.batch.for_each`
                self._failed(place, unexpected(error))
            else:
                self.under_way[place] = stack, errand
                yield Call(place, errand.arguments)

    def finish(self, completed: Completed) -> None:
        """Take back what was done for one ticker."""
        stack, errand = self.under_way.pop(completed.key)
        try:
            with stack:
                self.results[completed.key] = errand.finish(completed.result())
        except StoppedError:
            return
        except StockLstmError as error:
            self._failed(completed.key, error)
        except Exception as error:  # noqa: BLE001 - likewise
            self._failed(completed.key, unexpected(error))
        else:
            self._say(completed.key, None)

    def abandon(self) -> None:
        """Let go of what will not come back."""
        for place in list(self.under_way):
            self.finish(Completed(place, error=StoppedError()))

    def left(self) -> tuple[str, ...]:
        """Name those that are neither done nor have failed."""
        return tuple(
            self._name(place)
            for place in range(len(self.wanted))
            if place not in self.results and place not in self.failures
        )

    def _failed(self, place: int, error: StockLstmError) -> None:
        self.failures[place] = Failure(self.wanted[place].ticker, error)
        self._say(place, error)

    def _say(self, place: int, error: StockLstmError | None) -> None:
        done = len(self.results) + len(self.failures)
        self.sharing.on_ended(TickersDone(self._name(place), done, len(self.wanted), error))

    def _name(self, place: int) -> str:
        named = self.wanted[place]
        return named.ticker or named.name


def listed(tickers: Sequence[str], most: int = 5) -> str:
    """Name tickers in words, the first few of many.

    Args:
        tickers: At least one.
        most: How many to name.
    """
    more = len(tickers) - most
    return ", ".join(tickers[:most]) + (f" and {more} more" if more > 0 else "")
