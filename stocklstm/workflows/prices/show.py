"""prices: what is stored, where it came from, and whether it is sound."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stocklstm.core.batch import Failure, for_each
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.soundness import gaps
from stocklstm.core.reference import parse_ticker
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from stocklstm.errors import ConfigError
from stocklstm.store.output import is_directory, write_file
from stocklstm.store.prices import LogEntry, Provenance
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.prices.export import FORMATS, encoder, rows_of
from stocklstm.workflows.prices.verify import (
    CheckedPrices,
    check_prices,
    sessions_of,
    stored_tickers,
)

_RECENT = 60


@dataclass(frozen=True)
class PriceRow:
    """One stored session; NaN where the source gave no value."""

    date: str
    open: float
    high: float
    low: float
    close: float
    adj_close: float
    volume: float
    source: str
    fetched_at: str


@dataclass(frozen=True)
class StoredPrices:
    """What is stored of one ticker.

    Attributes:
        ticker: Whose.
        rows: Stored sessions.
        first: First ISO day.
        last: Last ISO day.
        last_close: In currency.
        currency: ISO 4217 code.
        exchange: Calendar; empty if weekdays stand in for one.
        calendar_known: False if no sessions of the exchange are stored, so that gaps cannot be
            told from closed days.
        pinned_calendar: The calendar somebody chose, empty for weekdays; None if the exchange
            decides.
        time_zone: IANA name.
        last_fetch: UTC timestamp.
        sources: Rows by source.
        gaps: ISO days on which the exchange traded and there is no row.
        dividends: How many are known.
        splits: How many are known.
        log: What changed after it had been stored, oldest first.
        recent: The last 60 adjusted closes.
        last_rows: The last rows, oldest first.
    """

    ticker: str
    rows: int
    first: str
    last: str
    last_close: float
    currency: str
    exchange: str
    calendar_known: bool
    pinned_calendar: str | None
    time_zone: str
    last_fetch: str
    sources: dict[str, int]
    gaps: tuple[str, ...]
    dividends: int
    splits: int
    log: tuple[LogEntry, ...]
    recent: tuple[float, ...]
    last_rows: tuple[PriceRow, ...]


@dataclass(frozen=True)
class PricesResult:
    """Outcome for all tickers."""

    prices: tuple[StoredPrices, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class Export:
    """One exported ticker.

    Attributes:
        ticker: Whose.
        path: The file; None if `content` is to be written to standard output.
        format: "csv" or "parquet".
        rows: Sessions.
        content: The CSV text where there is no file.
    """

    ticker: str
    path: str | None
    format: str
    rows: int
    content: str = ""


@dataclass(frozen=True)
class ExportResult:
    """Outcome for all tickers."""

    exports: tuple[Export, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class VerifyResult:
    """Outcome for all tickers."""

    results: tuple[CheckedPrices, ...]
    failures: tuple[Failure, ...]


def show_prices(
    tickers: Sequence[str] = (),
    *,
    last: int = 10,
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> PricesResult:
    """Look at what is stored.

    Args:
        tickers: As typed; none means all that are stored.
        last: How many of the last rows to give.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for a writer.

    Raises:
        NotFoundError: There is no store, or nothing in it.
    """
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        names = list(tickers) or stored_tickers(store)
        return PricesResult(*for_each(names, parse_ticker, lambda name: _show(store, name, last)))


def export_prices(
    tickers: Sequence[str],
    *,
    out: Path | None = None,
    file_format: str | None = None,
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> ExportResult:
    """Write stored prices to files that other programs read; a CSV file can be fetched back.

    Args:
        tickers: As typed.
        out: A file, replaced as a whole, or an existing directory that gets a file for each
            ticker; None to give the text of one ticker.
        file_format: "csv" or "parquet"; None to go by the name of the file.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for a writer.

    Raises:
        ConfigError: No ticker, several for one file, no such format, or Parquet without pyarrow.
        NotFoundError: There is no store.
    """
    names = list(dict.fromkeys(name.strip().upper() for name in tickers))
    if not names:
        raise ConfigError("no ticker was given", hint="stocklstm prices export --ticker PETR4.SA")
    into_directory = out is not None and is_directory(out)
    chosen = _format(None if into_directory else out, file_format)
    if chosen == "parquet" and out is None:
        raise ConfigError(
            "Parquet is not text: it needs a file", hint="name it: --out PETR4.SA.parquet"
        )
    if len(names) > 1 and not into_directory:
        raise ConfigError(
            "several tickers need a directory to be written to",
            hint="name one that exists: --out DIRECTORY",
        )
    encode = encoder(chosen)
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:

        def task(ticker: str) -> Export:
            content, rows = encode(store, ticker), len(store.prices.dates(ticker))
            if out is None:
                return Export(ticker, None, chosen, rows, content.decode())
            path = out / f"{ticker}.{chosen}" if into_directory else out
            write_file(path, content)
            return Export(ticker, str(path), chosen, rows)

        return ExportResult(*for_each(names, parse_ticker, task))


def verify_prices(
    tickers: Sequence[str] = (),
    *,
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> VerifyResult:
    """Check that stored prices can be what an exchange quoted.

    Args:
        tickers: As typed; none means all that are stored.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for a writer.

    Raises:
        NotFoundError: There is no store, or nothing in it.
    """
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        return VerifyResult(*check_prices(store, tickers))


def _show(store: Store, ticker: str, last: int) -> StoredPrices:
    bars, instrument = store.prices.bars(ticker), store.prices.instrument(ticker)
    actions, origins = store.prices.actions(ticker), store.prices.provenance(ticker)
    dividends = sum(action.kind == "dividend" for action in actions)
    sessions = sessions_of(store, ticker, bars)
    return StoredPrices(
        ticker=ticker,
        rows=len(bars),
        first=str(bars.dates[0]),
        last=str(bars.dates[-1]),
        last_close=float(bars.closes[-1]),
        currency=instrument.currency,
        exchange=instrument.exchange,
        calendar_known=bool(len(sessions)),
        pinned_calendar=store.prices.pinned_calendar(ticker),
        time_zone=instrument.time_zone,
        last_fetch=store.prices.last_fetch(ticker),
        sources=dict(sorted(Counter(origins.sources).items())),
        gaps=tuple(gaps(bars.dates, sessions).astype(str).tolist()),
        dividends=dividends,
        splits=len(actions) - dividends,
        log=store.prices.log(ticker),
        recent=tuple(bars.adj_closes[-_RECENT:].tolist()),
        last_rows=_last_rows(bars, origins, last),
    )


def _last_rows(bars: Bars, origins: Provenance, count: int) -> tuple[PriceRow, ...]:
    start = len(bars) - min(count, len(bars))
    rows = rows_of(bars.select(slice(start, None)))
    origin = zip(rows, origins.sources[start:], origins.fetched_at[start:], strict=True)
    return tuple(PriceRow(*row, source, at) for row, source, at in origin)


def _format(file: Path | None, wanted: str | None) -> str:
    suffix = "" if file is None else file.suffix.lstrip(".").lower()
    chosen = wanted or (suffix if suffix in FORMATS else "csv")
    if chosen not in FORMATS:
        raise ConfigError(f"there is no format {chosen!a}", hint=f"take {' or '.join(FORMATS)}")
    return chosen
