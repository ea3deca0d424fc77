"""One task for many tickers, where a failure of one stops no other."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, Self, TypeVar, overload

from stocklstm.core.records import dataclass
from stocklstm.core.reference import is_pool
from stocklstm.core.system_errors import want_of
from stocklstm.errors import StockLstmError, UnexpectedError

if TYPE_CHECKING:
    from pandas import DataFrame

    from stocklstm.core.csv_rows import Table
    from stocklstm.core.display import Shown

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Result:
    """A result that shows itself in a line, and the row of a table that it is.

    Attributes:
        ROWS: Which of its fields holds rows, where a result is more than one.
        SHOWN: Columns of its table that a person wants to see first; none for as many as fit.
        SAID: Columns of its table that are sentences, and stand below it.
    """

    ROWS: ClassVar[str | None] = None
    SHOWN: ClassVar[tuple[str, ...]] = ()
    SAID: ClassVar[tuple[str, ...]] = ("verdict_text",)

    def __repr__(self) -> str:
        """Name what a person wants to see first."""
        from stocklstm.core.display import in_a_line

        return in_a_line(self)

    def to_frame(self) -> "DataFrame":
        """Give the same as a data frame of pandas, as those of many are put together."""
        from stocklstm.core.frames import data_frame, table_of

        return data_frame(table_of([self]))


@dataclass(frozen=True)
class Failure:
    """What went wrong with one ticker.

    Attributes:
        ticker: Whose; None if the failure is not of a ticker, or what was typed is none.
        error: Why, with the next command to run.
    """

    ticker: str | None
    error: StockLstmError

    def __eq__(self, other: object) -> bool:
        """Tell whether the same went wrong, also in a copy of an error."""
        return self._said() == other._said() if isinstance(other, Failure) else NotImplemented

    def __hash__(self) -> int:
        """Go by what is compared."""
        return hash(self._said())

    def _said(self) -> tuple[str | None, type, str, str | None]:
        return (self.ticker, type(self.error), self.error.message, self.error.hint)

    def __repr__(self) -> str:
        """Say what went wrong, and the next command."""
        return f"Failure({self.ticker}: {type(self.error).__name__}: {self.error.message})"


@dataclass(frozen=True)
class Batch(Generic[T_co]):
    """Results of one task for many tickers, which it counts, gives one by one and by their place.

    Attributes:
        results: Of those that went well, in the order they were asked for.
        failures: Of the others, likewise.
    """

    results: tuple[T_co, ...]
    failures: tuple[Failure, ...] = ()

    def __iter__(self) -> Iterator[T_co]:
        """Give the results one by one."""
        return iter(self.results)

    def __len__(self) -> int:
        """Count the results."""
        return len(self.results)

    def __bool__(self) -> bool:
        """Be there, even where nothing went well."""
        return True

    @overload
    def __getitem__(self, place: int) -> T_co: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[T_co, ...]: ...

    def __getitem__(self, place: int | slice) -> "T_co | tuple[T_co, ...]":
        """Give the result at a place, or those of several places."""
        return self.results[place]

    def after(self, failures: tuple[Failure, ...]) -> Self:
        """Put what failed before the task began in front of what failed in it."""
        return replace(self, failures=(*failures, *self.failures)) if failures else self

    def table(self) -> "Table":
        """Put the results into rows; what failed is in none."""
        from stocklstm.core.frames import table_of

        return table_of(self.results)

    def to_frame(self) -> "DataFrame":
        """Give the results as a data frame of pandas, a row each; what failed is in none.

        What lies deeper has a column of its own, named by the way to it, such as `point_rmse`.
        Days are dates there, and UTC timestamps moments of that zone.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        from stocklstm.core.frames import data_frame

        return data_frame(self.table())

    def shown(self) -> "Shown":
        """Choose what a person sees of it in a Python prompt or a notebook."""
        from stocklstm.core.display import shown_of

        return shown_of(self.table(), self.results, self.failures)

    def __repr__(self) -> str:
        """Show a small table, verdicts and failures."""
        from stocklstm.core.display import as_text

        return as_text(self.shown())

    def _repr_html_(self) -> str:
        """Show the same in a notebook."""
        from stocklstm.core.display import as_html

        return as_html(self.shown())


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
