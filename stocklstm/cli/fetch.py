"""stocklstm fetch."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.options import Json, LockTimeout, Quiet, Tickers
from stocklstm.cli.output import View, conclude
from stocklstm.core.config import LOCK_TIMEOUT_S

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.fetch import FetchedTicker, FetchResult


def fetch(
    ticker: Tickers = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="Where from: yahoo, csv, sample (bundled PETR4.SA). "
            "Yahoo if not given, csv if there is a file.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="The file that --source csv reads.", show_default=False)
    ] = None,
    date_format: Annotated[
        str | None,
        typer.Option(help="Dates in the file, such as %d/%m/%Y; found out if not given."),
    ] = None,
    accept_jumps: Annotated[
        bool, typer.Option("--accept-jumps", help="Believe moves beyond 35 % without a split.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Get prices into the local store; without a ticker, refresh all that are stored."""

    def call() -> "FetchResult":
        from stocklstm.workflows.fetch import FetchOptions, fetch

        chosen = source or ("yahoo" if file is None else "csv")
        options = FetchOptions(chosen, file, date_format, accept_jumps)
        return fetch(ticker or (), options, lock_timeout_s=lock_timeout)

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def _document(item: "FetchedTicker") -> Mapping[str, Any]:
    from dataclasses import asdict

    return asdict(item)


def _bare(item: "FetchedTicker") -> Iterable[str]:
    yield f"{item.ticker} {item.last}"


def _tables(console: "Console", items: Sequence["FetchedTicker"]) -> None:
    from stocklstm.cli.tables import grid

    columns = ["Ticker", "Source", "New", "Revised", "Rejected", "Gaps", "Rows", "From", "To"]
    rows = [
        [
            item.ticker,
            item.source,
            f"{item.rows_added}",
            f"{item.rows_revised}",
            f"{len(item.rows_rejected)}",
            f"{len(item.missing_sessions)}",
            f"{item.rows}",
            item.first,
            item.last,
        ]
        for item in items
    ]
    grid(console, "Prices", columns, rows, left=["Source"])
    for item in items:
        _notes(console, item)


def _notes(console: "Console", item: "FetchedTicker") -> None:
    if item.unchanged:
        console.print(f"{item.ticker}: up to date, nothing changed")
    by_reason: dict[str, list[str]] = {}
    for rejection in item.rows_rejected:
        by_reason.setdefault(rejection.reason, []).append(rejection.date)
    for reason, dates in by_reason.items():
        console.print(f"{item.ticker}: rejected, {reason}: {_listed(dates)}")
    if item.missing_sessions:
        missing = _listed(item.missing_sessions)
        console.print(f"{item.ticker}: {item.exchange} traded, but there is no row: {missing}")


def _listed(dates: Sequence[str]) -> str:
    more = len(dates) - 10
    return ", ".join(dates[:10]) + (f" and {more} more (all in --json)" if more > 0 else "")


VIEW: "View[FetchResult, FetchedTicker]" = View(
    command="fetch",
    key="results",
    items=lambda result: result.results,
    document=_document,
    tables=_tables,
    bare=_bare,
)
