"""prices show: what is stored, and where it came from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from stocklstm.core.batch import Batch, for_each
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.soundness import gaps
from stocklstm.core.reference import parse_ticker
from stocklstm.store.prices import LogEntry, Provenance
from stocklstm.store.store import Store
from stocklstm.workflows.prices.export import rows_of
from stocklstm.workflows.prices.verify import sessions_of, stored_tickers

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
    """Read what is stored of some tickers; see `Client.show_prices`."""
    names = list(tickers) or stored_tickers(store)
    return PricesResult(*for_each(names, parse_ticker, lambda name: _show(store, name, last)))


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
