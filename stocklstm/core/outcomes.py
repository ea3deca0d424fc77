"""Doing the same for many tickers, where one failing stops no other."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from stocklstm.core.pools import is_pool
from stocklstm.errors import StockLstmError, UnexpectedError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """What went wrong with one ticker.

    Attributes:
        ticker: Whose; None if the failure is not of a ticker, or what was typed is none.
        error: Why, with the next command to run.
    """

    ticker: str | None
    error: StockLstmError


def unexpected(cause: Exception) -> UnexpectedError:
    """Wrap a bug, so that it can be reported like any failure."""
    error = UnexpectedError(
        f"a bug in stocklstm: {type(cause).__name__}: {cause}",
        hint="please report it with the traceback above",
    )
    error.__cause__ = cause
    return error


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
    results: list[T] = []
    failures: list[Failure] = []
    done: set[K] = set()
    for name in names:
        ticker = None
        try:
            key = parse(name)
            if key in done:
                continue
            done.add(key)
            ticker = _named(name)
            results.append(task(key))
        except StockLstmError as error:
            failures.append(Failure(ticker, error))
        except Exception as error:  # noqa: BLE001 - a bug in one is no reason to drop the rest
            failures.append(Failure(ticker, unexpected(error)))
    return tuple(results), tuple(failures)


def _named(name: str) -> str:
    owner = name.partition("@")[0].strip()
    return owner.lower() if is_pool(owner) else owner.upper()
