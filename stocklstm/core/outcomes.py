"""Doing the same for many tickers, where one failing stops no other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from stocklstm.errors import StockLstmError

T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """What went wrong with one ticker.

    Attributes:
        ticker: Whose; None if the failure is not of a ticker.
        error: Why, with the next command to run.
    """

    ticker: str | None
    error: StockLstmError


def for_each(
    names: Iterable[str], task: Callable[[str], T]
) -> tuple[tuple[T, ...], tuple[Failure, ...]]:
    """Run a task for every name and keep going.

    Args:
        names: Tickers or references; one that is given twice is done once.
        task: Raises a `StockLstmError` where it fails; anything else is a bug and ends the run.

    Returns:
        Results and failures, each in the order of the names.
    """
    results: list[T] = []
    failures: list[Failure] = []
    for name in dict.fromkeys(names):
        try:
            results.append(task(name))
        except StockLstmError as error:
            failures.append(Failure(name, error))
    return tuple(results), tuple(failures)
