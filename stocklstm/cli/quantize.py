"""stocklstm quantize."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.options import (
    Jobs,
    Json,
    LockTimeout,
    NamedModels,
    OneOrMore,
    OpenPicture,
    Quiet,
    all_tickers,
    in_any_case,
    parameter,
    with_parameters,
)
from stocklstm.cli.output import View, as_document, conclude
from stocklstm.cli.progress import Lines, tickers_progress
from stocklstm.cli.streams import draws_bars, note
from stocklstm.client import Client
from stocklstm.core.exits import ExitCode
from stocklstm.core.language import english_money, number, retold, say
from stocklstm.core.settings.compression import METHODS, TOLERANCE_PCT, Compression, options
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from stocklstm.core.wording import MOST_TIMES, error_digits, percent, percent_change

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.quantize.measure import VersionFigures
    from stocklstm.workflows.quantize.methods import EpochTrained
    from stocklstm.workflows.quantize.quantize import QuantizedVersion, QuantizeResult


def _with_method_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give the command an option for every row of `Compression`, after `--method`."""
    rows = [
        parameter(row.name, row.type, f"{row.metadata['words']}.", metavar=row.metadata["metavar"])
        for row in options()
    ]
    return with_parameters(command, rows, after="method")


@_with_method_options
def quantize(
    named: NamedModels = None,
    ticker: OneOrMore = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="METHOD",
            parser=in_any_case,
            help=" ".join(f"{name}: {row.words}." for name, row in METHODS.items()),
        ),
    ] = "dynamic",
    tolerance: Annotated[
        float,
        typer.Option(metavar="PERCENT", help="Most growth of RMSE and CRPS to be accepted."),
    ] = TOLERANCE_PCT,
    open_picture: OpenPicture = False,
    jobs: Jobs = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
    **method_options: Any,  # noqa: ANN401 - of whatever type each has
) -> None:
    """Make a smaller, faster version; champion only if its errors hardly grow."""

    def call() -> "QuantizeResult":
        # A flag that was not given is no option of another method.
        given = {name: value for name, value in method_options.items() if value is not False}
        compression = Compression(method, **given)
        with (
            Client(lock_timeout_s=lock_timeout) as client,
            progress(shown=jobs == 1) as on_epoch,
            tickers_progress(say("Quantizing"), shown=jobs > 1) as on_ticker,
        ):
            return client.quantize(
                all_tickers(named, ticker),
                compression,
                tolerance_pct=tolerance,
                jobs=jobs,
                on_note=_notes(),
                on_epoch=on_epoch,
                on_ticker=on_ticker,
            )

    conclude(VIEW, call, as_json=as_json, quiet=quiet, open_picture=open_picture)


def _notes() -> Callable[[str], None]:
    """Make what is told what is being done; without a bar beside it that is progress, too."""
    if draws_bars():
        return lambda words: note(retold(words))
    lines = Lines()
    return lambda words: lines.of(words.partition(":")[0], f"{say('note')}: {retold(words)}")


@contextmanager
def progress(*, shown: bool = True) -> Iterator[Callable[["EpochTrained"], None]]:
    """Show epochs on stderr, on a terminal; elsewhere the notes say what is being done.

    Args:
        shown: False shows nothing: other processes do the work.
    """
    if not (shown and draws_bars()):
        yield lambda _: None
        return
    from stocklstm.cli.progress import retraining_bar

    with retraining_bar() as on_epoch:
        yield on_epoch


def _bare(item: "QuantizedVersion") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version}"


def _code(item: "QuantizedVersion") -> ExitCode:
    return ExitCode.OK if item.accepted else ExitCode.CHECK_FAILED


def _tables(console: "Console", items: Sequence["QuantizedVersion"]) -> None:
    for item in items:
        _table(console, item)


def _table(console: "Console", item: "QuantizedVersion") -> None:
    from rich.text import Text

    from stocklstm.cli.tables import grid, paths

    measured = [item.before, *(step.figures for step in item.steps), item.after]
    digits = error_digits(item.before.rmse)
    columns = [_column(figures, item.currency, digits) for figures in measured]
    names = [say("Before"), *(retold(step.name).capitalize() for step in item.steps), say("After")]
    rows = [
        [name, *cells, change]
        for name, *cells, change in zip(_row_names(), *columns, _changes(item), strict=True)
    ]
    title = say(
        "{ticker}@v{version}: {method} of v{parent}",
        ticker=item.ticker,
        version=item.version,
        method=item.method,
        parent=item.parent,
    )
    grid(console, title, ["", *names, say("Change")], rows)
    console.print()
    difference = english_money(item.largest_difference, item.currency, digits)
    console.print(
        say(
            "Largest difference of two point forecasts of a test day: {difference}.",
            difference=difference,
        )
    )
    if not item.accepted:
        words, style = say("REFUSED, not champion"), "bold red"
    elif item.promoted:
        words, style = say("ACCEPTED, now champion"), "green"
    else:
        words = say("ACCEPTED, not champion because v{parent} is not", parent=item.parent)
        style = "yellow"
    console.print(Text(f"{words}. {retold(item.reason)}.", style))
    if item.method == "pruned-int8":
        shares = item.after.sparsity_by_matrix.items()
        zeros = ", ".join(f"{name} {retold(percent(share))}" for name, share in shares)
        console.print(say("Zeros by matrix: {zeros}.", zeros=zeros))
    console.print(say("Note: {note}.", note=item.note))
    paths(console, say("Picture"), [item.plot])


def _row_names() -> tuple[str, ...]:
    return (
        *(say("Serving file"), say("Compressed"), say("Forecast of one window")),
        *(say("Forecasts of 256 windows"), say("Loading"), "RMSE", "CRPS"),
        *(say("80 % interval covers"), say("95 % interval covers"), say("Parameters")),
        say("Weights that are zero"),
    )


def _column(figures: "VersionFigures", currency: str, digits: int) -> list[str]:
    """Write what one network has, in the order of `_row_names`."""
    return [
        say("{bytes:,} bytes", bytes=figures.bytes),
        say("{compressed_bytes:,} bytes", compressed_bytes=figures.compressed_bytes),
        f"{figures.latency_ms:.3f} ms",
        f"{figures.latency_256_ms:.2f} ms",
        f"{figures.load_ms:.2f} ms",
        english_money(figures.rmse, currency, digits),
        english_money(figures.crps, currency, digits),
        percent(figures.coverage["0.8"]),
        percent(figures.coverage["0.95"]),
        f"{figures.parameters:,}",
        percent(figures.sparsity),
    ]


def _changes(item: "QuantizedVersion") -> list[str]:
    """Write what has changed from the first to the last column, in the order of `_row_names`."""
    before, after = item.before, item.after
    faster, slower = say("faster"), say("slower")
    return [
        _times(item.size_ratio, say("smaller"), say("larger")),
        _times(item.compressed_ratio, say("smaller"), say("larger")),
        _times(item.speed_ratio, faster, slower),
        _times(before.latency_256_ms / after.latency_256_ms, faster, slower),
        _times(before.load_ms / after.load_ms, faster, slower),
        percent_change(item.rmse_change_pct),
        percent_change(item.crps_change_pct),
        *("", "", "", ""),
    ]


def _times(ratio: float, gain: str, loss: str) -> str:
    times, words = (ratio, gain) if ratio >= 1 else (1 / ratio, loss)
    return f"> {MOST_TIMES} × {words}" if times > MOST_TIMES else f"{number(times, 2)} × {words}"


VIEW: "View[QuantizedVersion]" = View(
    command="quantize",
    key="results",
    document=as_document,
    tables=_tables,
    bare=_bare,
    code=_code,
    picture=lambda item: item.plot,
)
