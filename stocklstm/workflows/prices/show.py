"""prices show: what is stored, and where it came from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import NamedTuple

import numpy as np

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.csv_rows import Cell, Table
from stocklstm.core.prices.series import COLUMNS, Bars, Dates
from stocklstm.core.prices.soundness import gaps
from stocklstm.core.reference import parse_ticker
from stocklstm.store.checksums import ORIGINS, PRICE_DAYS, Part, Row, damaged, snapshot
from stocklstm.store.prices import SUMMED_UP, LogEntry
from stocklstm.store.store import Store
from stocklstm.workflows.prices.verify import MARGIN_DAYS, stored_tickers

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


@dataclass(frozen=True, repr=False)
class StoredPrices(Result):
    """What is stored of one ticker.

    Attributes:
        ticker: Ticker whose prices these are.
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

    SHOWN = ("ticker", "rows", "first", "last", "last_close", "currency", "exchange", "last_fetch")

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


class PricesResult(Batch[StoredPrices]):
    """What is stored of each ticker."""

    @property
    def prices(self) -> tuple[StoredPrices, ...]:
        """The same as `results`."""
        return self.results


def show_prices(store: Store, tickers: Sequence[str], *, last: int) -> PricesResult:
    """Read what is stored of some tickers; see `Client.show_prices`.

    Of those that are named every row is compared with its checksum, of all in brief those that are
    shown: to look at millions of rows would take minutes.
    """
    calendars, checksums = cache(partial(_Calendar, store)), store.prices.checksums

    def show_named(ticker: str) -> StoredPrices:
        # All that is said of a ticker is of one moment.
        with snapshot(store.prices.connection):
            store.prices.bars(ticker)
            store.prices.provenance(ticker)
            checksums.require(PRICE_DAYS, ticker)
            return _show(store, ticker, last, calendars, checksums.read)

    if tickers:
        return PricesResult(*for_each(tickers, parse_ticker, show_named))
    with snapshot(store.prices.connection):
        names = stored_tickers(store)
        read = checksums.reader(SUMMED_UP)
        shown = for_each(
            names, parse_ticker, lambda ticker: _show(store, ticker, last, calendars, read)
        )
    return PricesResult(*shown)


class _Known(NamedTuple):
    """What a calendar says of some days.

    Attributes:
        knows: Whether sessions around them are known.
        gaps: The sessions between the first and the last of them that are not among them.
    """

    knows: bool
    gaps: tuple[str, ...]


class _Calendar:
    """The sessions of an exchange, read once for all of its tickers."""

    def __init__(self, store: Store, exchange: str) -> None:
        self._sessions = store.sessions.between(exchange, "", "")
        # Most tickers have the very same days.
        self._about = lru_cache(maxsize=8)(self._compared)

    def about(self, dates: Dates) -> _Known:
        """Compare some days with the sessions."""
        return self._about(dates.tobytes())

    def _compared(self, days: bytes) -> _Known:
        dates = np.frombuffer(days, "datetime64[D]")
        begin, end = self._places(dates[0] - MARGIN_DAYS, dates[-1] + MARGIN_DAYS)
        first, last = self._places(dates[0], dates[-1])
        missing = gaps(dates, self._sessions[first:last])
        return _Known(begin < end, tuple(missing.astype(str).tolist()))

    def _places(self, first: np.datetime64, last: np.datetime64) -> tuple[int, int]:
        begin = np.searchsorted(self._sessions, first)
        return int(begin), int(np.searchsorted(self._sessions, last, side="right"))


def _show(
    store: Store,
    ticker: str,
    last: int,
    calendars: Callable[[str], _Calendar],
    read: Callable[[Part, str], list[Row]],
) -> StoredPrices:
    found = store.prices.summary(ticker, read)
    wanted = found.dates[-max(last, _RECENT) :]
    bars = store.prices.bars_since(ticker, str(wanted[0]))
    # The days are kept apart from the rows, which may have been damaged one without the other.
    if not np.array_equal(bars.dates, wanted):
        raise damaged(PRICE_DAYS, ticker, ())
    known = calendars(found.instrument.exchange).about(found.dates)
    dividends = sum(action.kind == "dividend" for action in found.actions)
    return StoredPrices(
        ticker=ticker,
        rows=len(found.dates),
        first=str(found.dates[0]),
        last=str(found.dates[-1]),
        last_close=float(bars.closes[-1]),
        currency=found.instrument.currency,
        exchange=found.instrument.exchange,
        calendar_known=known.knows,
        pinned_calendar=found.pinned_calendar,
        time_zone=found.instrument.time_zone,
        last_fetch=found.last_fetch,
        sources=found.sources,
        gaps=known.gaps,
        dividends=dividends,
        splits=len(found.actions) - dividends,
        log=found.log,
        recent=tuple(bars.adj_closes[-_RECENT:].tolist()),
        last_rows=_last_rows(store, ticker, bars.select(slice(-last, None))) if last else (),
    )


def _last_rows(store: Store, ticker: str, bars: Bars) -> tuple[PriceRow, ...]:
    """Add to each of the last rows where it came from."""
    origins = store.prices.provenance(ticker, str(bars.dates[0]))
    if not np.array_equal(bars.dates, origins.dates[-len(bars) :]):
        raise damaged(ORIGINS, ticker, ())
    columns = (getattr(bars, name).tolist() for name in COLUMNS)
    days = bars.dates.astype(str).tolist()
    sources, times = (each[-len(bars) :] for each in (origins.sources, origins.fetched_at))
    return tuple(map(PriceRow, days, *columns, sources, times))


def price_table(store: Store, tickers: Sequence[str], since: str | None) -> Table:
    """Put every stored session of some tickers into rows; see `Client.prices`."""
    columns = ("open", "high", "low", "close", "adj_close", "volume")
    rows: list[list[Cell]] = []
    for ticker in dict.fromkeys(map(parse_ticker, tickers or stored_tickers(store))):
        bars = store.prices.bars(ticker).since(since)
        numbers = (getattr(bars, name).tolist() for name in COLUMNS)
        days = bars.dates.astype(str).tolist()
        rows += ([ticker, *row] for row in zip(days, *numbers, strict=True))
    return Table(("ticker", "date", *columns), ("ticker", "date"), ("date",), rows)
