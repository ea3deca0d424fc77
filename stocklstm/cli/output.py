"""stdout is the result and nothing else; words about it go to stderr."""

import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NoReturn, TypeVar

import typer

from stocklstm.cli.streams import speaking, to_stderr, write, writes_utf8
from stocklstm.core.batch import Batch, Failure, unexpected
from stocklstm.core.exits import ExitCode, exit_code, worst
from stocklstm.core.language import retold, say
from stocklstm.core.wording import first_few
from stocklstm.errors import (
    ConfigError,
    InterruptedWorkError,
    StockLstmError,
    StorageError,
    UnexpectedError,
    encodable,
)
from stocklstm.workflows.documents import envelope

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from rich.console import Console


class Mode(Enum):
    """How a result is written."""

    HUMAN = "human"
    JSON = "json"
    QUIET = "quiet"


VERBOSE = "STOCKLSTM_VERBOSE"
"""Environment variable that --verbose sets for this command line and its processes."""

T = TypeVar("T")


class View(NamedTuple, Generic[T]):
    """How one command's results are shown.

    Attributes:
        command: Its name.
        key: Name of their list in the JSON document.
        document: Turns a result into JSON values.
        tables: Prints results for a person.
        bare: Gives a result's lines for `--quiet`.
        code: Exit code that a result asks for.
        picture: Gives the path of the picture that --open shows; None where none was drawn.
    """

    command: str
    key: str
    document: Callable[[T], Mapping[str, Any]]
    tables: Callable[["Console", Sequence[T]], None]
    bare: Callable[[T], Iterable[str]]
    code: Callable[[T], ExitCode] = lambda _: ExitCode.OK
    picture: Callable[[T], str | None] = lambda _: None


def choose_mode(*, as_json: bool, quiet: bool) -> Mode:
    """Read the two options.

    Raises:
        ConfigError: Both were given.
    """
    if as_json and quiet:
        raise ConfigError("--json and --quiet exclude each other", hint="leave one of them out")
    if as_json:
        return Mode.JSON
    return Mode.QUIET if quiet else Mode.HUMAN


def conclude(
    view: View[T],
    call: Callable[[], Batch[T]],
    *,
    as_json: bool,
    quiet: bool,
    open_picture: bool = False,
) -> NoReturn:
    """Run a workflow, show its results and leave with the right exit code."""
    mode = Mode.JSON if as_json else Mode.HUMAN
    try:
        mode = choose_mode(as_json=as_json, quiet=quiet)
        _check_onlooker(mode, open_picture=open_picture)
        with speaking(only_wrong=mode is not Mode.HUMAN):
            batch = call()
    except KeyboardInterrupt as stop:
        if mode is Mode.JSON:
            with suppress(StorageError):
                write_json(_stopped(view, stop))
        raise
    except StockLstmError as error:
        batch = Batch((), (Failure(None, error),))
    except Exception as error:  # noqa: BLE001 - a bug is reported in the document too
        batch = Batch((), (Failure(None, _without_a_place(error) or unexpected(error)),))
    codes = [view.code(result) for result in batch.results]
    codes += [exit_code(failure.error) for failure in batch.failures]
    try:
        show(view, batch, mode)
    except StorageError as error:
        complain(error)
        codes.append(exit_code(error))
    if open_picture and batch.results:
        from stocklstm.cli.viewer import open_pictures

        open_pictures([path for result in batch.results if (path := view.picture(result))])
    raise typer.Exit(worst(codes))


def _stopped(view: View[T], stop: KeyboardInterrupt) -> dict[str, Any]:
    """Build the JSON document of a command that a signal ended."""
    from stocklstm.cli.interrupts import interrupted_code

    command = stop.command if isinstance(stop, InterruptedWorkError) else None
    error = {
        "ticker": None,
        "code": int(interrupted_code()),
        "error": type(stop).__name__,
        "message": "stopped; what is done is kept",
        "hint": command or "run it again",
    }
    return envelope(view.command, view.key, [], ()) | {"errors": [error]}


def _without_a_place(error: Exception) -> ConfigError | None:
    """Tell whether an error comes of a working directory that somebody has removed."""
    if not isinstance(error, FileNotFoundError):
        return None
    try:
        Path.cwd()
    except FileNotFoundError:
        return ConfigError(
            "the directory from which this was started is gone", hint="cd ~, then run it again"
        )
    return None


def _check_onlooker(mode: Mode, *, open_picture: bool) -> None:
    """Refuse to open pictures where a script reads."""
    if open_picture and mode is not Mode.HUMAN:
        raise ConfigError(
            "--open is for whoever looks on, and --json and --quiet are for scripts",
            hint="leave --open out: the paths of pictures are in --json",
        )


def show(view: View[T], batch: Batch[T], mode: Mode) -> None:
    """Write results to stdout and failures to stderr."""
    results = batch.results
    if mode is Mode.JSON:
        write_json(document(view, batch))
    elif mode is Mode.QUIET:
        write("".join(f"{line}\n" for result in results for line in view.bare(result)))
    elif results:
        from stocklstm.cli.tables import printed

        write(printed(lambda console: view.tables(console, results)))
    for failure in said_once(batch.failures):
        complain(failure.error, failure.ticker)


def said_once(failures: Sequence[Failure]) -> list[Failure]:
    """Take each error once, in order; one of several tickers is of none of them alone."""
    groups: dict[int, list[Failure]] = {}
    for failure in failures:
        groups.setdefault(id(failure.error), []).append(failure)
    return [same[0] if len(same) == 1 else Failure(None, same[0].error) for same in groups.values()]


def as_document(result: "DataclassInstance") -> dict[str, Any]:
    """Turn a result into JSON values, field by field: for views that leave nothing out.

    As `dataclasses.asdict` does, which copies every value and takes ten times as long.
    """
    return {name: _plain(getattr(result, name)) for name in _names(type(result))}


_ATOMS = frozenset({str, int, float, bool, type(None)})


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a result holds
    """Turn the dataclasses within a value into mappings."""
    if type(value) in _ATOMS:
        return value
    if isinstance(value, (tuple, list)):
        return [each if type(each) in _ATOMS else _plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return as_document(value)
    return value


@cache
def _names(kind: "type[DataclassInstance]") -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def document(view: View[T], batch: Batch[T]) -> dict[str, Any]:
    """Build the JSON document of a command, for `json_text`."""
    entries: Sequence[object] = batch.results
    # What leaves nothing out is written as it is: quicker than to turn it into mappings first.
    if view.document is not as_document:
        entries = [view.document(result) for result in batch.results]
    return envelope(view.command, view.key, entries, batch.failures)


def write_json(value: Mapping[str, Any]) -> None:
    """Write one JSON document to stdout."""
    text = json_text(value)
    if not writes_utf8():
        import json

        # JSON can say everything in ASCII.
        text = json.dumps(json.loads(text), indent=2) + "\n"
    write(text)


def json_text(value: Mapping[str, Any]) -> str:
    """Write a document as text; what is not a finite number becomes null."""
    import msgspec

    try:
        content = msgspec.json.encode(value)
    except UnicodeEncodeError:
        # A name that is not UTF-8.
        content = msgspec.json.encode(_encodable(_plain(value)))
    return msgspec.json.format(content, indent=2).decode() + "\n"


def _encodable(value: Any) -> Any:  # noqa: ANN401 - whatever a document holds
    """Escape all texts of a document."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, Mapping):
        return {_encodable(key): _encodable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(each) for each in value]
    return value


def complain(error: StockLstmError, ticker: str | None = None) -> None:
    """Write an error and the next step to stderr."""
    if isinstance(error, UnexpectedError) and error.__cause__ is not None:
        to_stderr("".join(traceback.format_exception(error.__cause__)).rstrip())
    to_stderr(headline(error, ticker))
    if error.hint:
        to_stderr(f"  next: {error.hint}")
    if os.environ.get(VERBOSE) and error.__cause__ is not None:
        to_stderr(f" cause: {type(error.__cause__).__name__}: {error.__cause__}")


def headline(error: StockLstmError, ticker: str | None = None) -> str:
    """Say in one line what went wrong, and for whom."""
    name = f"{ticker}: " if ticker and not error.message.startswith(ticker) else ""
    return f"error: {name}{error.message}"


def warn(ticker: str, warnings: Iterable[str]) -> None:
    """Write what a person should know of a result to stderr."""
    for warning in warnings:
        to_stderr(f"{say('warning')}: {ticker}: {retold(warning)}")


def warn_together(warned: Iterable[tuple[str, Iterable[str]]]) -> None:
    """Write the warnings of tickers to stderr, and what is true of many of them once."""
    tickers: dict[str, list[str]] = {}
    for ticker, warnings in warned:
        for warning in warnings:
            tickers.setdefault(warning, []).append(ticker)
    for warning, names in tickers.items():
        warn(first_few(names), [warning])
