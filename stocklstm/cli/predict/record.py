"""stocklstm forecasts: what was forecast, and what came."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import (
    Json,
    LockTimeout,
    NamedTickers,
    Quiet,
    Tickers,
    TickersFile,
    all_tickers,
)
from stocklstm.cli.output import View, as_document, conclude
from stocklstm.cli.predict.spreadsheet import STDOUT, CsvStyleName, chosen_style, write_table
from stocklstm.cli.streams import tell
from stocklstm.client import Client
from stocklstm.core.batch import Failure
from stocklstm.core.language import currency_symbol, retold, say
from stocklstm.core.settings.config import INTERVAL_LEVELS, LOCK_TIMEOUT_S
from stocklstm.core.wording import first_few, level_percent, price_digits, range_words
from stocklstm.errors import ConfigError, StockLstmError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.predict.history import PastForecast, RecordResult


def forecasts(
    named: NamedTickers = None,
    ticker: Tickers = None,
    tickers_file: TickersFile = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DAY",
            help="Only forecasts of sessions from that day on, such as 2024-03-13.",
            show_default=False,
        ),
    ] = None,
    csv: Annotated[
        str | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            help="Write a row of comma-separated values for each forecast; - is standard output, "
            "in the place of the table.",
            show_default=False,
        ),
    ] = None,
    csv_style: CsvStyleName = None,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """List the forecasts on record, each beside what came; no ticker means all."""

    def call() -> "RecordResult":
        if csv == STDOUT and (as_json or quiet):
            raise ConfigError(
                "--csv - excludes --json and --quiet: one of them for stdout",
                hint="stocklstm forecasts --json --csv record.csv",
            )
        style = chosen_style(csv_style, used=csv is not None)
        names = all_tickers(named, ticker, tickers_file)
        with Client(lock_timeout_s=lock_timeout) as client:
            result = client.list_forecasts(names, since=since)
        if not (result.results or result.failures or as_json or quiet):
            tell(say("no forecast on record is of a session from {since} on", since=since))
        # What could not be read is no reason to empty a file.
        unknown = bool(result.failures) and not result.results
        if csv is None or (unknown and csv != STDOUT):
            return result
        from stocklstm.workflows.predict.rows import record_table

        try:
            write_table(csv, record_table(result.results), style)
        except StockLstmError as error:
            result = replace(result, failures=(*result.failures, Failure(None, error)))
        # The rows on standard output stand in the place of the table.
        return replace(result, results=()) if csv == STDOUT else result

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def _bare(item: "PastForecast") -> Iterable[str]:
    came = "" if item.outcome is None else repr(item.outcome)
    yield f"{item.ticker}\t{item.target_session}\t{item.point!r}\t{came}"


def _tables(console: "Console", items: Sequence["PastForecast"]) -> None:
    groups: dict[str, list[PastForecast]] = {}
    for item in items:
        groups.setdefault(item.ticker, []).append(item)
    for number, group in enumerate(groups.values()):
        if number:
            console.print()
        _of_ticker(console, group)


def _of_ticker(console: "Console", items: Sequence["PastForecast"]) -> None:
    from stocklstm.cli.tables import grid, width_of

    currency = currency_symbol(items[0].currency)
    ticker = items[0].ticker
    title = (
        say("{ticker}, forecasts on record in {currency}", ticker=ticker, currency=currency)
        if currency
        else say("{ticker}, forecasts on record", ticker=ticker)
    )
    levels = [level_percent(level) for level in INTERVAL_LEVELS]
    columns = [
        *(say("Session"), say("From"), say("Made (UTC)"), say("Model"), say("Ahead")),
        *(say("Forecast"), *map(retold, levels), say("Came"), say("Error"), say("Inside")),
    ]
    rows = [_cells(item) for item in items]
    left = columns[1:4]
    if width_of(columns, rows) > console.width:
        # Two lines a forecast, where that is narrow enough; else each becomes a block of lines.
        pairs = ((0, 1), (2, 3), (5, 4), (6, 7), (8, 9), (10,))
        paired = [[_stacked(row, pair) for pair in pairs] for row in (columns, *rows)]
        if width_of(paired[0], paired[1:]) <= console.width:
            columns, *rows = paired
            left = [columns[1]]
    grid(console, title, columns, rows, left=left)
    console.print(say("Intervals: as the model gave them, not adapted."))
    _say_what_was_rescaled(console, [item for item in items if item.outcome is not None])
    closed = [item.held for item in items if item.held is not None and not item.late]
    if closed:
        shares = (
            say(
                "{level} held {count}",
                level=level,
                count=sum(held[f"{number:g}"] for held in closed),
            )
            for level, number in zip(levels, INTERVAL_LEVELS, strict=True)
        )
        console.print(
            say(
                "Of {count} that closed and were made in time: {shares}.",
                count=len(closed),
                shares=", ".join(shares),
            )
        )


def _say_what_was_rescaled(console: "Console", items: Sequence["PastForecast"]) -> None:
    """Tell whose outcome is not the close that is stored today."""
    days = [retold(item.target_session) for item in items if item.scale != 1]
    if days:
        console.print(
            say(
                "A split or a correction changed prices after the forecast; what came is in the "
                "prices of then: {days}",
                days=retold(first_few(days)),
            )
        )


def _stacked(cells: Sequence[str], places: Sequence[int]) -> str:
    return "\n".join(cells[place] for place in places)


def _cells(item: "PastForecast") -> list[str]:
    digits = price_digits(item.last_close)
    came, error = (
        "" if value is None else f"{value:{sign},.{digits}f}"
        for value, sign in ((item.outcome, ""), (item.error, "+"))
    )
    return [
        item.target_session,
        item.as_of,
        _made(item),
        item.model,
        f"{item.horizon}",
        f"{item.point:,.{digits}f}",
        *(range_words(each.lower, each.upper, digits) for each in item.intervals),
        *(came, error, _inside(item)),
    ]


def _made(item: "PastForecast") -> str:
    when = f"{item.made_at[:10]} {item.made_at[11:16]}"
    return say("{when} late", when=when) if item.late else when


def _inside(item: "PastForecast") -> str:
    if item.held is None:
        return ""
    # An interval lies within those that promise more.
    held = [level for level in INTERVAL_LEVELS if item.held[f"{level:g}"]]
    return level_percent(held[0]) if held else say("no")


VIEW: "View[PastForecast]" = View(
    command="forecasts",
    key="forecasts",
    document=as_document,
    tables=_tables,
    bare=_bare,
)
