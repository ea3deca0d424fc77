"""prices show: what is stored, and where it came from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from stocklstm.core.batch import Batch, for_each
from stocklstm.core.prices.series import Bars, Dates
from stocklstm.core.prices.soundness import gaps
from stocklstm.core.reference import parse_ticker
from stocklstm.store.checksums import snapshot
from stocklstm.store.prices import Extent, LogEntry, Provenance
from stocklstm.store.store import Store
from stocklstm.workflows.prices.export import rows_of
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


@dataclass(frozen=True)
class StoredPrices:
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
    names = list(tickers) or stored_tickers(store)
    calendars = cache(partial(_Calendar, store))

    def show(ticker: str) -> StoredPrices:
        # All that is said of a ticker is of one moment.
        with snapshot(store.prices.connection):
            if tickers:
                store.prices.bars(ticker)
                store.prices.provenance(ticker)
            return _show(store, ticker, last, calendars)

    return PricesResult(*for_each(names, parse_ticker, show))


class _Calendar:
    """The sessions of an exchange, read once for all of its tickers."""

    def __init__(self, store: Store, exchange: str) -> None:
        self._sessions = store.sessions.between(exchange, "", "")
        self._text = "".join(self._sessions.astype(str).tolist())

    def around(self, extent: Extent) -> Dates:
        """List the sessions around some rows; none if they are not known."""
        first, last = (np.datetime64(day, "D") for day in (extent.first, extent.last))
        begin = np.searchsorted(self._sessions, first - MARGIN_DAYS)
        end = np.searchsorted(self._sessions, last + MARGIN_DAYS, side="right")
        return self._sessions[begin:end]

    def gaps(self, extent: Extent) -> tuple[str, ...]:
        """List the sessions between the first and the last row that have no row."""
        # Most have none, which is seen without a look at each day.
        begin = self._text.find(extent.first)
        if begin >= 0 and self._text.startswith(extent.days, begin):
            return ()
        return tuple(gaps(extent.dates, self.around(extent)).astype(str).tolist())


def _show(
    store: Store, ticker: str, last: int, calendars: Callable[[str], _Calendar]
) -> StoredPrices:
    extent, instrument = store.prices.extent(ticker), store.prices.instrument(ticker)
    start = extent.day_before_last(max(last, _RECENT))
    bars, origins = store.prices.bars_since(ticker, start), store.prices.provenance(ticker, start)
    actions, calendar = store.prices.actions(ticker), calendars(instrument.exchange)
    dividends = sum(action.kind == "dividend" for action in actions)
    return StoredPrices(
        ticker=ticker,
        rows=len(extent),
        first=extent.first,
        last=extent.last,
        last_close=float(bars.closes[-1]),
        currency=instrument.currency,
        exchange=instrument.exchange,
        calendar_known=bool(len(calendar.around(extent))),
        pinned_calendar=store.prices.pinned_calendar(ticker),
        time_zone=instrument.time_zone,
        last_fetch=store.prices.last_fetch(ticker),
        sources=extent.sources,
        gaps=calendar.gaps(extent),
        dividends=dividends,
        splits=len(actions) - dividends,
        log=store.prices.log(ticker),
        recent=tuple(bars.adj_closes[-_RECENT:].tolist()),
        last_rows=_last_rows(bars, origins, last),
    )


def _last_rows(bars: Bars, origins: Provenance, count: int) -> tuple[PriceRow, ...]:
    count = min(count, len(bars))
    if not count:
        return ()
    rows = rows_of(bars.select(slice(-count, None)))
    origin = zip(rows, origins.sources[-count:], origins.fetched_at[-count:], strict=True)
    return tuple(PriceRow(*row, source, at) for row, source, at in origin)
