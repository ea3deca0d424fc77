"""stocklstm fetch."""

from collections.abc import Iterable, Sequence
from pathlib import Path
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
    in_any_case,
    or_auto,
)
from stocklstm.cli.output import (
    View,
    as_document,
    conclude,
    warn_together,
)
from stocklstm.cli.progress import fetch_progress
from stocklstm.cli.streams import note, write
from stocklstm.client import Client
from stocklstm.core.language import retold, say, say_counted
from stocklstm.core.reference import AUTO
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from stocklstm.core.wording import percent_change, price_words
from stocklstm.errors import ConfigError, StockLstmError

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.core.batch import Failure
    from stocklstm.core.prices.answers import Rejection
    from stocklstm.workflows.prices.fetch import FetchedTicker, FetchResult
    from stocklstm.workflows.prices.intraday import FetchedSessions
    from stocklstm.workflows.prices.missing import Stocked


def _list_sources(wanted: bool) -> None:
    if wanted:
        from stocklstm.market.source import source_names

        write("".join(f"{name}\n" for name in source_names()))
        raise typer.Exit


def fetch(
    named: NamedTickers = None,
    ticker: Tickers = None,
    tickers_file: TickersFile = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            parser=in_any_case,
            help="Where from: yahoo, csv, b3 (COTAHIST files), sample (bundled PETR4.SA), or a "
            "plug-in. Yahoo if not given, csv if there is a file.",
            show_default=False,
        ),
    ] = None,
    list_sources: Annotated[
        bool,
        typer.Option(
            "--list-sources",
            callback=_list_sources,
            is_eager=True,
            help="Print the sources there are.",
        ),
    ] = False,
    file: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="The file that --source csv or b3 reads; - is standard input (csv). Several of "
            "b3: give it again for each.",
            show_default=False,
        ),
    ] = None,
    date_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT", help="Dates in the file, such as %d/%m/%Y; found out if not given."
        ),
    ] = None,
    decimal: Annotated[
        str | None,
        typer.Option(
            metavar="SIGN",
            help="What precedes the decimals in the file, a comma or a point; found out if not "
            "given.",
            show_default=False,
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=NAME",
            help="Which columns of the file hold what, such as close=PX_LAST,date=Dates; found out "
            "if not given.",
            show_default=False,
        ),
    ] = None,
    all_tickers_of_file: Annotated[
        bool,
        typer.Option(
            "--all-tickers", help="Every ticker that the file names, each under its own name."
        ),
    ] = False,
    accept_spacing: Annotated[
        bool,
        typer.Option(
            "--accept-spacing", help="Take weekly or monthly prices from the file as they are."
        ),
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Ask for the whole history, not only what may be new.")
    ] = False,
    accept_revision: Annotated[
        bool,
        typer.Option(
            "--accept-revision",
            help="Store moves that look like a split that nobody recorded, and changes of stored "
            "prices that no event explains.",
        ),
    ] = False,
    calendar: Annotated[
        str | None,
        typer.Option(
            metavar="CALENDAR",
            parser=or_auto,
            help="Calendar of these tickers from now on, such as BVMF or XNYS; weekdays for none, "
            "auto for that of the exchange.",
            show_default=False,
        ),
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            parser=or_auto,
            help="Currency of these tickers' prices from now on, such as BRL, USD or GBp; auto for "
            "that of the source.",
            show_default=False,
        ),
    ] = None,
    intraday: Annotated[
        bool | None,
        typer.Option(
            "--intraday/--no-intraday",
            help="Also get bars of 5 and 60 minutes, and keep how much each session varied within; "
            "once they were asked for, every fetch of the ticker gets the new ones.",
            show_default=False,
        ),
    ] = None,
    keep_bars: Annotated[
        bool, typer.Option("--keep-bars", help="Like --intraday, and keep the bars themselves.")
    ] = False,
    deadline: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, max=86_400, help="For all tickers together."),
    ] = 900.0,
    retries: Annotated[
        int,
        typer.Option(
            metavar="ATTEMPTS", min=0, max=20, help="Further attempts after the network failed."
        ),
    ] = 2,
    jobs: Annotated[
        int,
        typer.Option(
            metavar="COUNT", help="Files of b3 read at once, each in a process of its own."
        ),
    ] = 1,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Get prices into the local store; without a ticker, refresh all that are stored."""
    del list_sources

    def call() -> "FetchResult":
        from stocklstm.workflows.prices.plan import FetchOptions
        from stocklstm.workflows.prices.retry import Patience

        options = FetchOptions(
            source=source or AUTO,
            files=tuple(file or ()),
            date_format=date_format,
            decimal=decimal,
            columns=_named_columns(columns or ()),
            accept_spacing=accept_spacing,
            all_tickers=all_tickers_of_file,
            jobs=jobs,
            accept_revision=accept_revision,
            full=full,
            calendar=calendar,
            currency=currency,
            patience=Patience(deadline, retries),
            intraday=intraday,
            keep_bars=keep_bars,
        )
        tickers = all_tickers(named, ticker, tickers_file)
        with (
            Client(lock_timeout_s=lock_timeout) as client,
            fetch_progress() as (on_ticker, on_file),
        ):
            result = client.fetch(tickers, options, on_ticker=on_ticker, on_file=on_file)
        warn_together((item.ticker, item.warnings) for item in result.results)
        return result

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def _named_columns(typed: Sequence[str]) -> dict[str, str]:
    """Read close=PX_LAST,date=Dates; a name with a comma in it takes an option of its own."""
    named: dict[str, str] = {}
    for text in typed:
        parts = text.split(",")
        several = all("=" in part for part in parts)
        for part in parts if several else [text]:
            column, equals, name = part.partition("=")
            if not equals or not name.strip():
                raise ConfigError(
                    f"{part!a} does not say which column holds what",
                    hint="write it like --columns close=PX_LAST,date=Dates",
                )
            key = column.strip().lower().replace(" ", "_")
            if named.get(key, name) != name:
                raise ConfigError(
                    f"--columns names two columns for {key}: {named[key]} and {name}",
                    hint=f"say one of them: --columns {key}={name}",
                )
            named[key] = name
    return named


def require_prices(client: Client, tickers: Sequence[str], *, fetch: bool) -> "Stocked":
    """Get the prices of tickers that have none, and say so; without `fetch` such tickers fail."""
    from stocklstm.core.packages import TRAINING, require_packages
    from stocklstm.workflows.prices.missing import announcement

    def get(missing: Sequence[str]) -> "FetchResult":
        require_packages("training", TRAINING)
        note(retold(announcement(missing)))
        with fetch_progress() as (on_ticker, _):
            result = client.fetch(missing, on_ticker=on_ticker)
        warn_together((item.ticker, item.warnings) for item in result.results)
        return result

    return client.require_prices(tickers, get if fetch else None)


def refresh(client: Client, tickers: Sequence[str]) -> tuple["Failure", ...]:
    """Get new prices of tickers from Yahoo, as the command does without further options.

    Returns:
        Those that could not be refreshed, also where nothing could be.
    """
    from stocklstm.core.batch import Failure
    from stocklstm.workflows.prices.missing import announcement

    prices = client.store().prices
    if missing := [ticker for ticker in tickers if not prices.has(ticker)]:
        note(retold(announcement(missing)))
    try:
        with fetch_progress() as (on_ticker, _):
            result = client.fetch(tickers, on_ticker=on_ticker)
    except StockLstmError as error:
        return tuple(Failure(str(ticker), error) for ticker in tickers)
    warn_together((item.ticker, item.warnings) for item in result.results)
    return result.failures


def _bare(item: "FetchedTicker") -> Iterable[str]:
    yield f"{item.ticker} {item.last}"


def _tables(console: "Console", items: Sequence["FetchedTicker"]) -> None:
    from stocklstm.cli.tables import grid

    columns = [say("Ticker"), say("Source"), say("New"), say("Revised"), say("Rejected")]
    columns += [say("Gaps"), say("Rows"), say("From"), say("To")]
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
    grid(console, say("Prices"), columns, rows, left=columns[1:2])
    for item in items:
        _notes(console, item)


def _notes(console: "Console", item: "FetchedTicker") -> None:
    if item.unchanged:
        # The gaps are counted above, and were listed when they came about.
        console.print(say("{ticker}: up to date, nothing changed", ticker=item.ticker))
    if item.revision:
        console.print(
            say(
                "{ticker}: stored prices were revised: {revision}",
                ticker=item.ticker,
                revision=item.revision,
            )
        )
    for reason, dates in _by_reason(item.rows_rejected):
        console.print(
            say(
                "{ticker}: rejected, {reason}: {listed}",
                ticker=item.ticker,
                reason=reason,
                listed=_listed(dates),
            )
        )
    for reason, dates in _by_reason(item.rows_incomplete):
        console.print(
            say(
                "{ticker}: kept, {reason}: {listed}",
                ticker=item.ticker,
                reason=reason,
                listed=_listed(dates),
            )
        )
    for move in item.large_moves:
        console.print(
            say(
                "{ticker}: {date} is stored with a large move, {price_words} to "
                "{price_words2} ({change})",
                ticker=item.ticker,
                date=move.date,
                price_words=price_words(move.before),
                price_words2=price_words(move.after),
                change=percent_change(move.change_pct),
            )
        )
    if item.intraday is not None:
        console.print(f"{item.ticker}: {_intraday(item.intraday)}")
    if item.missing_sessions and not item.unchanged:
        missing = _listed(item.missing_sessions)
        console.print(
            say(
                "{ticker}: {exchange} traded, but there is no row: {missing}",
                ticker=item.ticker,
                exchange=item.exchange,
                missing=missing,
            )
        )


def _intraday(item: "FetchedSessions") -> str:
    if not item.minutes:
        return say("no bars within its sessions came")
    lengths = " and ".join(f"{minutes}" for minutes in item.minutes)
    parts = [
        say(
            "bars of {lengths} minutes, {first} to {last}",
            lengths=lengths,
            first=item.first,
            last=item.last,
        ),
        say_counted(item.sessions_added, "1 session new", "{count} sessions new"),
    ]
    if item.sessions_revised:
        parts.append(say("{sessions_revised} revised", sessions_revised=item.sessions_revised))
    if item.sessions_dropped:
        parts.append(
            say("{sessions_dropped} damaged ones dropped", sessions_dropped=item.sessions_dropped)
        )
    if item.not_usable:
        parts.append(say("not used: {listed}", listed=_listed(item.not_usable)))
    return "; ".join(parts)


def _by_reason(rows: Sequence["Rejection"]) -> Iterable[tuple[str, list[str]]]:
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(row.reason, []).append(row.date)
    return by_reason.items()


def _listed(dates: Sequence[str]) -> str:
    more = len(dates) - 10
    listed = ", ".join(map(retold, dates[:10]))
    return (
        say("{listed} and {more} more (all in --json)", listed=listed, more=more)
        if more > 0
        else listed
    )


VIEW: "View[FetchedTicker]" = View(
    command="fetch",
    key="results",
    document=as_document,
    tables=_tables,
    bare=_bare,
)
