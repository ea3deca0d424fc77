"""One task for many tickers, where a failure of one stops no other."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from typing import Generic, NamedTuple, Self, TypeVar

from stocklstm.core.records import dataclass
from stocklstm.core.reference import is_pool
from stocklstm.core.system_errors import want_of
from stocklstm.errors import StockLstmError, UnexpectedError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Failure:
    """What went wrong with one ticker.

    Attributes:
        ticker: Whose; None if the failure is not of a ticker, or what was typed is none.
        error: Why, with the next command to run.
    """

    ticker: str | None
    error: StockLstmError


@dataclass(frozen=True)
class Batch(Generic[T_co]):
    """Results of one task for many tickers.

    Attributes:
        results: Of those that went well, in the order they were asked for.
        failures: Of the others, likewise.
    """

    results: tuple[T_co, ...]
    failures: tuple[Failure, ...] = ()

    def after(self, failures: tuple[Failure, ...]) -> Self:
        """Put what failed before the task began in front of what failed in it."""
        return replace(self, failures=(*failures, *self.failures)) if failures else self


def unexpected(cause: Exception) -> StockLstmError:
    """Wrap a bug, so that it can be reported like any failure.

    Want of files or space is none, nor is that of a package.

    Raises:
        KeyboardInterrupt: It is an interrupt in other words; see `raise_interrupt`.
    """
    raise_interrupt(cause)
    if (wanting := want_of(cause)) is not None:
        return wanting
    if isinstance(cause, ImportError):
        from stocklstm.core.packages import missing_package

        if (missing := missing_package(cause)) is not None:
            return missing
    error = UnexpectedError(
        f"a bug in stocklstm: {type(cause).__name__}: {cause}",
        hint="please report it with the traceback above",
    )
    error.__cause__ = cause
    return error


def raise_interrupt(error: Exception) -> None:
    """Interrupt once more where an interrupt came while a library in C was being imported.

    Such a library reports it as an `ImportError` of its own.

    Raises:
        KeyboardInterrupt: An interrupt is the cause of the error.
    """
    cause = error.__cause__
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        cause = cause.__cause__


class Named(NamedTuple, Generic[K]):
    """One of several names.

    Attributes:
        name: As typed.
        ticker: What to call it in a failure; None if it is no name of a ticker.
        key: What it means, or why it means nothing.
    """

    name: str
    ticker: str | None
    key: K | StockLstmError


def each_once(names: Iterable[str], parse: Callable[[str], K]) -> Iterator[Named[K]]:
    """Read names, and drop those that mean the same as one before.

    Args:
        parse: Reads one; raises a `StockLstmError` where it is none.
    """
    done: set[K] = set()
    for name in names:
        try:
            key = parse(name)
        except StockLstmError as error:
            yield Named(name, None, error)
        except Exception as error:  # noqa: BLE001 - see `for_each`
            yield Named(name, None, unexpected(error))
        else:
            if key not in done:
                done.add(key)
                yield Named(name, _owner(name), key)


def for_each(
    names: Iterable[str], parse: Callable[[str], K], task: Callable[[K], T]
) -> tuple[tuple[T, ...], tuple[Failure, ...]]:
    """Run a task for every name and keep going.

    Args:
        names: As typed.
        parse: Reads one; names that mean the same are done once.
        task: Raises a `StockLstmError` where it fails; anything else it raises is a bug, which is
            kept as an `UnexpectedError` and stops the other names no more than any failure.

    Returns:
        Results and failures, each in the order of the names.
    """
    return attempt_each(each_once(names, parse), task)


def attempt_each(
    wanted: Iterable[Named[K]], task: Callable[[K], T]
) -> tuple[tuple[T, ...], tuple[Failure, ...]]:
    """Run a task for names that have been read, as `for_each` does."""
    results: list[T] = []
    failures: list[Failure] = []
    for named in wanted:
        try:
            if isinstance(named.key, StockLstmError):
                failures.append(Failure(named.ticker, named.key))
            else:
                results.append(task(named.key))
        except StockLstmError as error:
            failures.append(Failure(named.ticker, error))
        except Exception as error:  # noqa: BLE001 - a bug in one is no reason to drop the rest
            failures.append(Failure(named.ticker, unexpected(error)))
    return tuple(results), tuple(failures)


def _owner(name: str) -> str:
    owner = name.partition("@")[0].strip()
    return owner.lower() if is_pool(owner) else owner.upper()
