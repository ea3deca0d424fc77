"""stocklstm prices show, export, verify and rename."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.checks import checks_code, checks_tables
from stocklstm.cli.commands import Commands
from stocklstm.cli.options import (
    Json,
    LockTimeout,
    NamedTickers,
    Quiet,
    Tickers,
    all_tickers,
    in_any_case,
)
from stocklstm.cli.output import View, as_document, conclude, warn
from stocklstm.client import Client
from stocklstm.core.batch import Batch
from stocklstm.core.language import retold, say
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from stocklstm.core.wording import first_few
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.store.prices import LogEntry
    from stocklstm.workflows.prices.coverage import CoverageResult, IntradayCoverage
    from stocklstm.workflows.prices.export import Export, ExportResult
    from stocklstm.workflows.prices.rename import RenamedPrices
    from stocklstm.workflows.prices.show import PriceRow, PricesResult, StoredPrices
    from stocklstm.workflows.prices.verify import CheckedPrices, VerifyResult

app = Commands(help="Look at the stored prices.")

_SHOWN_CHANGES = 5

# Fewer sessions make no picture.
_SHORTEST_COURSE = 12

# What stands before the value of a fact.
_LABELS = len("  corrected  ")


@app.command("show")
def show_prices(
    named: NamedTickers = None,
    ticker: Tickers = None,
    last: Annotated[
        int, typer.Option(metavar="ROWS", min=0, help="How many of the last rows to show.")
    ] = 10,
    intraday: Annotated[
        bool,
        typer.Option(
            "--intraday", help="Show which sessions have bars within them (fetch --intraday)."
        ),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Show what is stored, its gaps and where each row came from; all tickers in brief."""

    def cover() -> "CoverageResult":
        with Client(lock_timeout_s=lock_timeout) as client:
            return client.show_intraday(all_tickers(named, ticker))

    if intraday:
        conclude(COVERAGE, cover, as_json=as_json, quiet=quiet)

    def call() -> "PricesResult":
        # Of all in brief only a document has rows.
        rows = last if named or ticker or as_json else 0
        with Client(lock_timeout_s=lock_timeout) as client:
            return client.show_prices(all_tickers(named, ticker), last=rows)

    conclude(DETAILS if named or ticker else OVERVIEW, call, as_json=as_json, quiet=quiet)


@app.command("export")
def export_prices(
    named: NamedTickers = None,
    ticker: Tickers = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="A file, or a directory that gets one for each ticker; standard output if not "
            "given. What was there is replaced as a whole.",
            show_default=False,
        ),
    ] = None,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="csv|parquet",
            parser=in_any_case,
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
        if as_json and out is None:
            raise ConfigError(
                "--json describes files, and standard output is none",
                hint="name a file with --out",
            )
        path = None if out is None else _path(out)
        with Client(lock_timeout_s=lock_timeout) as client:
            return client.export_prices(
                all_tickers(named, ticker), out=path, file_format=file_format
            )

    # The text itself is nothing for a table.
    conclude(EXPORT, call, as_json=as_json, quiet=quiet or (out is None and not as_json))


@app.command("verify")
def verify_prices(
    named: NamedTickers = None,
    ticker: Tickers = None,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Check that the stored prices can be what an exchange quoted."""

    def call() -> "VerifyResult":
        with Client(lock_timeout_s=lock_timeout) as client:
            return client.verify_prices(all_tickers(named, ticker))

    conclude(VERIFY, call, as_json=as_json, quiet=quiet)


@app.command("rename")
def rename_prices(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A stored ticker, such as VIIA3.SA.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name, such as BHIA3.SA.")],
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Give a ticker's prices and the forecasts on record another name; models stay."""

    def call() -> "Batch[RenamedPrices]":
        with Client(lock_timeout_s=lock_timeout) as client:
            renamed = client.rename_prices(old, new)
        warn(renamed.ticker, renamed.warnings)
        return Batch((renamed,))

    conclude(RENAME, call, as_json=as_json, quiet=quiet)


def _path(typed: str) -> Path:
    path = Path(typed)
    # A Path forgets the slash that says what is meant.
    if typed.endswith("/") and not path.is_dir():
        raise ConfigError(f"there is no directory {typed}", hint=f"mkdir -p {typed}")
    return path


def _export_document(item: "Export") -> Mapping[str, Any]:
    return {name: value for name, value in as_document(item).items() if name != "content"}


def _bare_prices(item: "StoredPrices") -> Iterable[str]:
    yield f"{item.ticker} {item.last} {item.last_close!r}"


def _bare_export(item: "Export") -> Iterable[str]:
    yield item.path or item.content.removesuffix("\n")


def _bare_check(item: "CheckedPrices") -> Iterable[str]:
    yield f"{item.ticker} {item.status}"


def _bare_renamed(item: "RenamedPrices") -> Iterable[str]:
    yield item.ticker


def _renamed(console: "Console", items: Sequence["RenamedPrices"]) -> None:
    from stocklstm.cli.tables import facts

    for item in items:
        pairs = [
            (say("renamed from"), item.renamed_from),
            (
                say("rows"),
                say("{rows}, {first} to {last}", rows=item.rows, first=item.first, last=item.last),
            ),
            (say("forecasts"), say("{forecasts} on record", forecasts=item.forecasts)),
            (say("currency"), item.currency or say("not known")),
            (say("calendar"), item.exchange or say("weekdays")),
        ]
        if item.models:
            old = item.renamed_from
            pairs += [
                (
                    say("models"),
                    say("{models}, kept under the old name", models=", ".join(item.models)),
                ),
                (say("next"), f"stocklstm train --ticker {item.ticker} --like {old} --from {old}"),
            ]
        facts(console, item.ticker, pairs)


def _overview(console: "Console", items: Sequence["StoredPrices"]) -> None:
    from stocklstm.cli.tables import grid, width_of

    columns = [say("Ticker"), say("Rows"), say("From"), say("To"), say("Close"), say("Gaps")]
    columns += [say("Sources"), say("Fetched")]
    rows = [
        [
            item.ticker,
            f"{item.rows}",
            item.first,
            item.last,
            _money(item.last_close, item),
            f"{len(item.gaps)}" if item.calendar_known else "?",
            _sources(item) if len(item.sources) > 1 else "".join(item.sources),
            item.last_fetch[:10],
        ]
        for item in items
    ]
    # One more column has a space before it.
    room = console.width - width_of(columns, rows) - 2
    if room < 0:
        # Each row becomes a block of lines, and the course one of them.
        room = console.width - len(f"{say('Course')}: ")
    if room >= _SHORTEST_COURSE:
        columns.append(say("Course"))
        rows = [[*row, _course(item, room)] for row, item in zip(rows, items, strict=True)]
    grid(console, say("Stored prices"), columns, rows, left=columns[6:])


def _course(item: "StoredPrices", room: int) -> str:
    from stocklstm.cli.tables import sparkline

    return sparkline(item.recent[-max(1, room) :])


def _details(console: "Console", items: Sequence["StoredPrices"]) -> None:
    from stocklstm.cli.tables import facts

    for number, item in enumerate(items):
        if number:
            console.print()
        course = _course(item, console.width - _LABELS)
        facts(
            console,
            item.ticker,
            [
                (
                    say("rows"),
                    say(
                        "{rows}, {first} to {last}",
                        rows=item.rows,
                        first=item.first,
                        last=item.last,
                    ),
                ),
                (say("close"), _money(item.last_close, item)),
                (say("last {count}", count=len(course)), course),
                (say("calendar"), _calendar(item)),
                (say("currency"), item.currency or say("not known")),
                (say("sources"), _sources(item)),
                (
                    say("events"),
                    say(
                        "{dividends} dividends, {splits} splits",
                        dividends=item.dividends,
                        splits=item.splits,
                    ),
                ),
                (say("fetched"), item.last_fetch),
                (say("gaps"), _gaps(item)),
                (say("changes"), _count(item)),
                *_changes(item),
            ],
        )
        if item.last_rows:
            console.print()
            _last_rows(console, item.last_rows)


def _bare_coverage(item: "IntradayCoverage") -> Iterable[str]:
    yield f"{item.ticker} {item.sessions}"


def _coverage(console: "Console", items: Sequence["IntradayCoverage"]) -> None:
    from stocklstm.cli.tables import grid

    columns = [say("Ticker"), say("Minutes"), say("Sessions"), say("Not used"), say("From")]
    columns += [say("To"), say("Of days"), say("Bars kept")]
    rows = [
        [
            item.ticker,
            f"{each.minutes}",
            f"{each.sessions}",
            f"{each.not_usable}",
            each.first,
            each.last,
            f"{each.share_pct:.0f} %",
            f"{each.bars_kept}" if each.bars_kept else "",
        ]
        for item in items
        for each in item.lengths
    ]
    if rows:
        grid(console, say("Sessions with bars within them"), columns, rows)
    for item in items:
        if not item.lengths:
            command = f"stocklstm fetch --ticker {item.ticker} --intraday"
            console.print(say("{ticker}: none; {command}", ticker=item.ticker, command=command))
            continue
        words = say(
            "{sessions} of {rows} days can be used, {share_pct:.0f} %",
            sessions=item.sessions,
            rows=item.rows,
            share_pct=item.share_pct,
        )
        if item.not_usable:
            words += "; " + say("not used: {first_few}", first_few=first_few(item.not_usable, 10))
        console.print(f"{item.ticker}: {words}")


def _last_rows(console: "Console", rows: Sequence["PriceRow"]) -> None:
    from stocklstm.cli.tables import grid

    columns = [say("Date"), say("Open"), say("High"), say("Low"), say("Close"), say("Adj close")]
    columns += [say("Volume"), say("Fetched")]
    cells = [_row(row) for row in rows]
    title = say("Last {count} rows, from {source}", count=len(rows), source=rows[0].source)
    if len({row.source for row in rows}) > 1:
        title = say("Last {count} rows", count=len(rows))
        columns.append(say("Source"))
        cells = [[*row, origin.source] for row, origin in zip(cells, rows, strict=True)]
    grid(console, title, columns, cells, left=columns[7:])


def _money(amount: float, item: "StoredPrices") -> str:
    from stocklstm.core.language import english_money
    from stocklstm.core.wording import price_digits

    return english_money(amount, item.currency, price_digits(amount))


def _sources(item: "StoredPrices") -> str:
    return ", ".join(f"{name} {rows}" for name, rows in item.sources.items())


def _calendar(item: "StoredPrices") -> str:
    chosen = item.pinned_calendar is not None
    parts = [item.exchange or say("weekdays")]
    if not (item.exchange or chosen):
        parts.append(say("as no calendar is known"))
    if item.exchange and not item.calendar_known:
        parts.append(say("its sessions are not stored"))
    if chosen:
        parts.append(say("chosen with --calendar"))
    return ", ".join([*parts, item.time_zone])


def _gaps(item: "StoredPrices") -> str:
    if not item.calendar_known:
        return say("not known without a calendar")
    if not item.gaps:
        return say("none")
    return say("{count}: {first_few}", count=len(item.gaps), first_few=first_few(item.gaps, 10))


def _count(item: "StoredPrices") -> str:
    if not item.log:
        return say("none since the rows were stored")
    if len(item.log) <= _SHOWN_CHANGES:
        return f"{len(item.log)}"
    return say(
        "{count}, the last {shown_changes} of them",
        count=len(item.log),
        shown_changes=_SHOWN_CHANGES,
    )


def _changes(item: "StoredPrices") -> list[tuple[str, str]]:
    return [
        (retold(entry.kind), f"{_days(entry)}: {_what(entry)} ({entry.source}, {retold(entry.at)})")
        for entry in item.log[-_SHOWN_CHANGES:]
    ]


def _what(entry: "LogEntry") -> str:
    """Put into words what changed; the log keeps the values of a single day as JSON."""
    if not entry.detail.startswith("{"):
        return retold(entry.detail)
    import msgspec

    values = msgspec.json.decode(entry.detail, type=dict[str, tuple[float | None, float | None]])
    return ", ".join(
        say(
            "{name} {old} to {new}",
            name=name.replace("_", " "),
            old=say("none") if old is None else old,
            new=new,
        )
        for name, (old, new) in values.items()
    )


def _days(entry: "LogEntry") -> str:
    if entry.first == entry.last:
        return retold(entry.first)
    return say("{first} to {last}", first=entry.first, last=entry.last)


def _row(row: "PriceRow") -> list[str]:
    from math import isnan

    from stocklstm.core.wording import price_digits

    digits = price_digits(row.close)
    prices = (row.open, row.high, row.low, row.close)
    cells = ["" if isnan(price) else f"{price:,.{digits}f}" for price in prices]
    # What was paid out since may leave a small part of a close.
    own = max(digits, price_digits(row.adj_close))
    cells.append(f"{row.adj_close:,.{own}f}")
    volume = "" if isnan(row.volume) else f"{row.volume:,.0f}"
    return [row.date, *cells, volume, row.fetched_at[:10]]


def _exports(console: "Console", items: Sequence["Export"]) -> None:
    for item in items:
        console.print(
            say(
                "{ticker}: {rows} rows in {path}",
                ticker=item.ticker,
                rows=item.rows,
                path=item.path,
            ),
            soft_wrap=True,
        )


OVERVIEW: "View[StoredPrices]" = View(
    command="prices show",
    key="prices",
    document=as_document,
    tables=_overview,
    bare=_bare_prices,
)
DETAILS: "View[StoredPrices]" = View(
    command="prices show",
    key="prices",
    document=as_document,
    tables=_details,
    bare=_bare_prices,
)
COVERAGE: "View[IntradayCoverage]" = View(
    command="prices show",
    key="intraday",
    document=as_document,
    tables=_coverage,
    bare=_bare_coverage,
)
EXPORT: "View[Export]" = View(
    command="prices export",
    key="exports",
    document=_export_document,
    tables=_exports,
    bare=_bare_export,
)
RENAME: "View[RenamedPrices]" = View(
    command="prices rename",
    key="results",
    document=as_document,
    tables=_renamed,
    bare=_bare_renamed,
)
VERIFY: "View[CheckedPrices]" = View(
    command="prices verify",
    key="results",
    document=as_document,
    tables=checks_tables,
    bare=_bare_check,
    code=checks_code,
)
