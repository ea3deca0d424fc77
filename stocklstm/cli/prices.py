"""stocklstm prices show, export and verify."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.checks import checks_code, checks_tables
from stocklstm.cli.options import Json, LockTimeout, Quiet, Tickers
from stocklstm.cli.output import View, conclude
from stocklstm.core.config import LOCK_TIMEOUT_S
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.store.prices import LogEntry
    from stocklstm.workflows.prices import (
        Export,
        ExportResult,
        PriceRow,
        PricesResult,
        StoredPrices,
        VerifyResult,
    )
    from stocklstm.workflows.soundness import CheckedPrices

app = typer.Typer(help="Look at the stored prices.", no_args_is_help=True)

_SHOWN_CHANGES = 5


@app.command("show")
def show_prices(
    ticker: Tickers = None,
    last: Annotated[int, typer.Option(min=0, help="How many of the last rows to show.")] = 10,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Show what is stored, its gaps and where each row came from; all tickers in brief."""

    def call() -> "PricesResult":
        from stocklstm.workflows.prices import show_prices

        return show_prices(ticker or (), last=last, lock_timeout_s=lock_timeout)

    conclude(DETAILS if ticker else OVERVIEW, call, as_json=as_json, quiet=quiet)


@app.command("export")
def export_prices(
    ticker: Tickers = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A file, or a directory that gets one for each ticker; standard output if not "
            "given. What was there is replaced as a whole.",
            show_default=False,
        ),
    ] = None,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="csv or parquet (needs pyarrow); by the name of the file if not given.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Write stored prices to CSV, which fetch can read back, or to Parquet."""

    def call() -> "ExportResult":
        from stocklstm.workflows.prices import export_prices

        if as_json and out is None:
            raise ConfigError(
                "--json describes files, and standard output is none",
                hint="name a file with --out",
            )
        return export_prices(
            ticker or (), out=out, file_format=file_format, lock_timeout_s=lock_timeout
        )

    # The text itself is nothing for a table.
    conclude(EXPORT, call, as_json=as_json, quiet=quiet or (out is None and not as_json))


@app.command("verify")
def verify_prices(
    ticker: Tickers = None,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Check that the stored prices can be what an exchange quoted."""

    def call() -> "VerifyResult":
        from stocklstm.workflows.prices import verify_prices

        return verify_prices(ticker or (), lock_timeout_s=lock_timeout)

    conclude(VERIFY, call, as_json=as_json, quiet=quiet)


def _document(item: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any of the results above
    from dataclasses import asdict

    return asdict(item)


def _export_document(item: "Export") -> Mapping[str, Any]:
    return {name: value for name, value in _document(item).items() if name != "content"}


def _bare_prices(item: "StoredPrices") -> Iterable[str]:
    yield f"{item.ticker} {item.last} {item.last_close!r}"


def _bare_export(item: "Export") -> Iterable[str]:
    yield item.path or item.content.removesuffix("\n")


def _bare_check(item: "CheckedPrices") -> Iterable[str]:
    yield f"{item.ticker} {item.status}"


def _overview(console: "Console", items: Sequence["StoredPrices"]) -> None:
    from stocklstm.cli.tables import grid, sparkline

    columns = ["Ticker", "Rows", "From", "To", "Close", "Gaps", "Sources", "Fetched", "60 sessions"]
    rows = [
        [
            item.ticker,
            f"{item.rows}",
            item.first,
            item.last,
            _money(item.last_close, item),
            f"{len(item.gaps)}" if item.exchange else "?",
            _sources(item),
            item.last_fetch,
            sparkline(item.recent),
        ]
        for item in items
    ]
    grid(console, "Stored prices", columns, rows, left=["Sources", "Fetched", "60 sessions"])


def _details(console: "Console", items: Sequence["StoredPrices"]) -> None:
    from stocklstm.cli.tables import facts, grid, sparkline

    columns = ["Date", "Open", "High", "Low", "Close", "Adj close", "Volume", "Source", "Fetched"]
    for item in items:
        facts(
            console,
            item.ticker,
            [
                ("rows", f"{item.rows}, {item.first} to {item.last}"),
                ("close", _money(item.last_close, item)),
                ("last 60", sparkline(item.recent)),
                ("calendar", _calendar(item)),
                ("sources", _sources(item)),
                ("events", f"{item.dividends} dividends, {item.splits} splits"),
                ("fetched", item.last_fetch),
                ("gaps", _gaps(item)),
                *_changes(item),
            ],
        )
        if item.last_rows:
            rows = [_row(row) for row in item.last_rows]
            grid(console, "Last rows", columns, rows, left=["Source", "Fetched"])


def _money(amount: float, item: "StoredPrices") -> str:
    from stocklstm.core.money import money, price_digits

    return money(amount, item.currency, price_digits(amount))


def _sources(item: "StoredPrices") -> str:
    return ", ".join(f"{name} {rows}" for name, rows in item.sources.items())


def _calendar(item: "StoredPrices") -> str:
    name = item.exchange or "weekdays (no calendar is known)"
    chosen = "" if item.pinned_calendar is None else ", chosen with --calendar"
    return f"{name}{chosen}, {item.time_zone}"


def _gaps(item: "StoredPrices") -> str:
    if not item.exchange:
        return "not known without a calendar"
    if not item.gaps:
        return "none"
    more = f" and {len(item.gaps) - 10} more" if len(item.gaps) > 10 else ""
    return f"{len(item.gaps)}: {', '.join(item.gaps[:10])}{more}"


def _changes(item: "StoredPrices") -> list[tuple[str, str]]:
    return [
        (entry.kind, f"{_days(entry)}: {entry.detail} ({entry.source}, {entry.at})")
        for entry in item.log[-_SHOWN_CHANGES:]
    ]


def _days(entry: "LogEntry") -> str:
    return entry.first if entry.first == entry.last else f"{entry.first} to {entry.last}"


def _row(row: "PriceRow") -> list[str]:
    from math import isnan

    from stocklstm.core.money import price_digits

    digits = price_digits(row.close)
    prices = (row.open, row.high, row.low, row.close, row.adj_close)
    cells = ["" if isnan(price) else f"{price:,.{digits}f}" for price in prices]
    volume = "" if isnan(row.volume) else f"{row.volume:,.0f}"
    return [row.date, *cells, volume, row.source, row.fetched_at]


def _exports(console: "Console", items: Sequence["Export"]) -> None:
    for item in items:
        console.print(f"{item.ticker}: {item.rows} rows in {item.path}", soft_wrap=True)


OVERVIEW: "View[PricesResult, StoredPrices]" = View(
    command="prices show",
    key="prices",
    items=lambda result: result.prices,
    document=_document,
    tables=_overview,
    bare=_bare_prices,
)
DETAILS: "View[PricesResult, StoredPrices]" = View(
    command="prices show",
    key="prices",
    items=lambda result: result.prices,
    document=_document,
    tables=_details,
    bare=_bare_prices,
)
EXPORT: "View[ExportResult, Export]" = View(
    command="prices export",
    key="exports",
    items=lambda result: result.exports,
    document=_export_document,
    tables=_exports,
    bare=_bare_export,
)
VERIFY: "View[VerifyResult, CheckedPrices]" = View(
    command="prices verify",
    key="results",
    items=lambda result: result.results,
    document=_document,
    tables=checks_tables,
    bare=_bare_check,
    code=checks_code,
)
