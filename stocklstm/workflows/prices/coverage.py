"""prices show --intraday: which sessions were measured by their bars."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.prices.realised import RealisedSessions
from stocklstm.core.prices.series import Dates
from stocklstm.core.reference import StoredTicker, parse_ticker
from stocklstm.errors import NoPricesError
from stocklstm.store.store import Store
from stocklstm.workflows.prices.verify import stored_tickers


@dataclass(frozen=True)
class LengthCoverage:
    """Sessions with bars of one length.

    Attributes:
        minutes: Length of the bars.
        sessions: How many sessions are stored with such bars.
        not_usable: How many of them have too few bars, or bars that do not fit the day.
        first: First ISO day.
        last: Last ISO day.
        share_pct: Usable ones, in per cent of the stored daily rows from the first to the last day.
        bars_kept: Sessions whose bars are kept as well.
    """

    minutes: int
    sessions: int
    not_usable: int
    first: str
    last: str
    share_pct: float
    bars_kept: int


@dataclass(frozen=True, repr=False)
class IntradayCoverage(Result):
    """What is stored of a ticker's sessions by their bars.

    Attributes:
        ticker: Whose.
        lengths: By length of the bars, the shortest first; none where there are no bars.
        sessions: Sessions that can be used, by bars of whatever length.
        not_usable: ISO days that have bars, and none that can be used.
        rows: Stored daily rows.
        share_pct: Sessions that can be used, in per cent of these.
    """

    ROWS = "lengths"
    SHOWN = ("ticker", "minutes", "sessions", "share_pct", "first", "last")
    SAID = ()

    ticker: str
    lengths: tuple[LengthCoverage, ...]
    sessions: int
    not_usable: tuple[str, ...]
    rows: int
    share_pct: float


CoverageResult = Batch[IntradayCoverage]


def show_intraday(store: Store, tickers: Sequence[str]) -> CoverageResult:
    """Count the sessions that were measured by their bars; see `Client.show_intraday`."""
    names = list(tickers) or _tickers_with_sessions(store)
    return CoverageResult(*for_each(names, parse_ticker, lambda ticker: _coverage(store, ticker)))


def _tickers_with_sessions(store: Store) -> list[str]:
    names, measured = stored_tickers(store), store.prices.tickers_with_realised()
    found = [name for name in names if name in measured]
    if not found:
        raise NoPricesError(
            "there are no bars within sessions in the store",
            hint=f"stocklstm fetch --ticker {names[0]} --intraday",
        )
    return [StoredTicker(name) for name in found]


def _coverage(store: Store, ticker: str) -> IntradayCoverage:
    if not store.prices.has(ticker):
        raise store.prices.no_prices(ticker)
    found, days = store.prices.realised(ticker), store.prices.dates(ticker)
    kept = [bars.minutes for _, bars in store.prices.intraday_bars(ticker)]
    usable = np.unique(found.dates[found.usable])
    return IntradayCoverage(
        ticker=ticker,
        lengths=tuple(
            _of_length(found.select(found.minutes == minutes), days, kept.count(minutes))
            for minutes in np.unique(found.minutes).tolist()
        ),
        sessions=len(usable),
        not_usable=tuple(np.setdiff1d(found.dates, usable).astype(str).tolist()),
        rows=len(days),
        share_pct=100 * len(usable) / len(days),
    )


def _of_length(found: RealisedSessions, days: Dates, kept: int) -> LengthCoverage:
    first, last = found.dates[0], found.dates[-1]
    due = int(((days >= first) & (days <= last)).sum())
    usable = int(found.usable.sum())
    return LengthCoverage(
        minutes=int(found.minutes[0]),
        sessions=len(found),
        not_usable=len(found) - usable,
        first=str(first),
        last=str(last),
        share_pct=100 * usable / due if due else 0.0,
        bars_kept=kept,
    )
