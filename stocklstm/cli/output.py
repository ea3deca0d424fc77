"""stdout is the result and nothing else; words about it go to stderr."""

import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar

import typer

from stocklstm.cli.streams import say, write, writes_utf8
from stocklstm.core.batch import Failure, unexpected
from stocklstm.core.exits import ExitCode, exit_code, worst
from stocklstm.errors import ConfigError, StockLstmError, StorageError, UnexpectedError
from stocklstm.workflows.documents import envelope

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from rich.console import Console


class Mode(Enum):
    """How a result is written."""

    HUMAN = "human"
    JSON = "json"
    QUIET = "quiet"


class Result(Protocol):
    """What every workflow over several tickers returns."""

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Those that failed."""


VERBOSE = "STOCKLSTM_VERBOSE"
"""Environment variable that --verbose sets for this command line and its processes."""

R = TypeVar("R", bound=Result)
T = TypeVar("T")


def _results(result: Any) -> Any:  # noqa: ANN401 - a `Batch` of whatever the view shows
    return result.results


@dataclass(frozen=True)
class View(Generic[R, T]):
    """How one command's result is shown.

    Attributes:
        command: Its name.
        key: Name of the list in the JSON document.
        document: Turns an item into JSON values.
        tables: Prints items for a person.
        bare: Gives an item's lines for `--quiet`.
        items: Takes the list out of a result that is no `Batch`.
        code: Exit code that an item asks for.
    """

    command: str
    key: str
    document: Callable[[T], Mapping[str, Any]]
    tables: Callable[["Console", Sequence[T]], None]
    bare: Callable[[T], Iterable[str]]
    items: Callable[[R], Sequence[T]] = _results
    code: Callable[[T], ExitCode] = lambda _: ExitCode.OK


def choose_mode(*, as_json: bool, quiet: bool) -> Mode:
    """Read the two options.

    Raises:
        ConfigError: Both were given.
    """
    if as_json and quiet:
        raise ConfigError("--json and --quiet exclude each other")
    if as_json:
        return Mode.JSON
    return Mode.QUIET if quiet else Mode.HUMAN


def conclude(view: View[R, T], call: Callable[[], R], *, as_json: bool, quiet: bool) -> NoReturn:
    """Run a workflow, show its result and leave with the right code.

    Args:
        view: How to show it.
        call: The workflow, ready to run.
        as_json: The `--json` option.
        quiet: The `--quiet` option.
    """
    items: Sequence[T] = ()
    mode = Mode.JSON if as_json else Mode.HUMAN
    try:
        mode = choose_mode(as_json=as_json, quiet=quiet)
        result = call()
        items, failures = view.items(result), result.failures
    except StockLstmError as error:
        failures = (Failure(None, error),)
    except Exception as error:  # noqa: BLE001 - a bug is reported in the document too
        failures = (Failure(None, unexpected(error)),)
    codes = [view.code(item) for item in items] + [exit_code(f.error) for f in failures]
    try:
        show(view, items, failures, mode)
    except StorageError as error:
        complain(error)
        codes.append(exit_code(error))
    raise typer.Exit(worst(codes))


def show(view: View[R, T], items: Sequence[T], failures: Sequence[Failure], mode: Mode) -> None:
    """Write items to stdout and failures to stderr.

    Args:
        view: How to show them.
        items: What went well.
        failures: What did not.
        mode: For whom.
    """
    if mode is Mode.JSON:
        write_json(document(view, items, failures))
    elif mode is Mode.QUIET:
        write("".join(f"{line}\n" for item in items for line in view.bare(item)))
    elif items:
        from stocklstm.cli.tables import printed

        write(printed(lambda console: view.tables(console, items)))
    for tickers in _together(failures):
        # What stopped the whole run is said once, not for every ticker that it kept back.
        complain(tickers[0].error, tickers[0].ticker if len(tickers) == 1 else None)


def _together(failures: Sequence[Failure]) -> list[list[Failure]]:
    """Group the failures that are one and the same error, in order."""
    groups: dict[int, list[Failure]] = {}
    for failure in failures:
        groups.setdefault(id(failure.error), []).append(failure)
    return list(groups.values())


def as_document(item: "DataclassInstance") -> dict[str, Any]:
    """Turn an item into JSON values, field by field: for views that leave nothing out.

    Args:
        item: What a workflow returned.
    """
    return asdict(item)


def document(view: View[R, T], items: Sequence[T], failures: Sequence[Failure]) -> dict[str, Any]:
    """Build the JSON document of a command."""
    return envelope(view.command, view.key, [view.document(item) for item in items], failures)


def write_json(value: Mapping[str, Any]) -> None:
    """Write one JSON document; what is not a finite number becomes null."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    if not writes_utf8():
        import json

        # JSON can say everything in ASCII.
        text = json.dumps(json.loads(text), indent=2)
    write(f"{text}\n")


def complain(error: StockLstmError, ticker: str | None = None) -> None:
    """Write an error and the next step to stderr."""
    if isinstance(error, UnexpectedError) and error.__cause__ is not None:
        say("".join(traceback.format_exception(error.__cause__)).rstrip())
    name = f"{ticker}: " if ticker and not error.message.startswith(ticker) else ""
    say(f"error: {name}{error.message}")
    if error.hint:
        say(f"  next: {error.hint}")
    if os.environ.get(VERBOSE) and error.__cause__ is not None:
        say(f" cause: {type(error.__cause__).__name__}: {error.__cause__}")


def warn(ticker: str, warnings: Iterable[str]) -> None:
    """Write what a person should know of a result to stderr."""
    for warning in warnings:
        say(f"warning: {ticker}: {warning}")
