"""The forecasts on record and what came of them: what `forecasts` lists and the server shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from stocklstm.core.arguments import read_day
from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.clock import is_day
from stocklstm.core.forecasts.intervals import Interval, plain_intervals
from stocklstm.core.prices.series import (
    JITTER,
    Bars,
    Dates,
    Floats,
    Instrument,
)
from stocklstm.core.reference import StoredTicker, parse_ticker
from stocklstm.core.settings.config import INTERVAL_LEVELS, LEVELS
from stocklstm.errors import ConfigError, NotFoundError
from stocklstm.store.ledger import LedgerEntry
from stocklstm.store.store import Store

if TYPE_CHECKING:
    from pandas import DataFrame

    from stocklstm.core.csv_rows import Table
    from stocklstm.core.display import Shown


@dataclass(frozen=True, repr=False)
class PastForecast(Result):
    """A forecast on record; every price in the scale in which it was given.

    Attributes:
        ticker: Ticker that was forecast.
        version: Model version that made it.
        model: Identity of what made it, such as PETR4.SA@v3, or +b3@v1 of a pooled model.
        target_session: ISO day that was forecast.
        horizon: Sessions ahead.
        as_of: ISO day of the last close it saw.
        last_close: That close, in currency.
        currency: ISO 4217 code.
        point: Forecast close, in currency.
        change_pct: Change from the last close, in per cent.
        intervals: Of 80 and 95 %, as the model made them.
        quantiles: The whole grid, by probability.
        made_at: UTC timestamp.
        late: True if its session had closed by then; such a one is never scored.
        outcome: Close that came, dividends added back, in currency; None until it is stored.
        error: Forecast less what came, in currency: above 0 it was too high; None with it.
        held: Whether each interval held it, by its level; None with it.
        scale: What a price of then is multiplied by to be one of today: 1 unless a split or a
            correction came between; 1 also if the day is no longer stored.
    """

    ticker: str
    version: int
    model: str
    target_session: str
    horizon: int
    as_of: str
    last_close: float
    currency: str
    point: float
    change_pct: float
    intervals: tuple[Interval, ...]
    quantiles: dict[str, float]
    made_at: str
    late: bool
    outcome: float | None
    error: float | None
    held: dict[str, bool] | None
    scale: float

    def __repr__(self) -> str:
        """Show it in a line."""
        from stocklstm.workflows.predict.in_short import forecast_in_a_line

        return forecast_in_a_line(self)

    def to_frame(self) -> "DataFrame":
        """Give it as a data frame of pandas with one row; see `RecordResult`."""
        return RecordResult((self,)).to_frame()


@dataclass(frozen=True, eq=False)
class TickerHistory:
    """What is known of a ticker's past.

    Attributes:
        ticker: Ticker that was forecast.
        currency: ISO 4217 code.
        dates: (N,) latest sessions, oldest first.
        closes: (N,) their closes, in currency.
        forecasts: Those asked for, of the latest sessions first.
    """

    ticker: str
    currency: str
    dates: Dates
    closes: Floats
    forecasts: tuple[PastForecast, ...]


class RecordResult(Batch[PastForecast]):
    """Forecasts on record; the columns of their table are those of `forecasts --csv`."""

    def table(self) -> "Table":
        """Put the forecasts into rows."""
        from stocklstm.workflows.predict.rows import record_table

        return record_table(self.results)

    def shown(self) -> "Shown":
        """Choose what a person sees of them."""
        from stocklstm.workflows.predict.in_short import shown_forecasts

        return shown_forecasts(self.results, self.failures, self.table())


def check_since(since: object) -> str | None:
    """Read a day, and refuse what is none.

    Raises:
        ConfigError: It is none.
    """
    day = read_day(since, "since")
    if day is not None and not is_day(day):
        raise ConfigError(
            f"--since is a day such as 2024-03-13, not {day[:30]!a}",
            hint="stocklstm forecasts --since 2024-03-13",
        )
    return day


def list_forecasts(store: Store, tickers: Sequence[str], since: str | None) -> RecordResult:
    """List the forecasts on record, by ticker and session; see `Client.list_forecasts`."""
    names = tickers or store.ledger.tickers()
    if not names:
        raise NotFoundError("no forecast is on record", hint="stocklstm predict")
    each, failures = for_each(
        names, partial(_named, store), lambda ticker: _on_record(store, ticker, since or "")
    )
    return RecordResult(tuple(past for forecasts in each for past in forecasts), failures)


def _named(store: Store, text: str) -> str:
    """Read a ticker; one on record is shown, whatever it would be called today."""
    name, version, _ = text.strip().upper().partition("@")
    if version:
        raise ConfigError(
            f"forecasts are listed by ticker, whichever version made them, not by {text[:60]!a}",
            hint=f"stocklstm forecasts {name[:30]}",
        )
    return parse_ticker(StoredTicker(name) if store.ledger.has(name) else text)


def _on_record(store: Store, ticker: str, since: str) -> list[PastForecast]:
    # A ticker that was renamed is said to be, and one without prices has no forecasts either.
    instrument = store.prices.instrument(ticker)
    entries = store.ledger.since(ticker, since)
    if not entries:
        if not store.ledger.has(ticker):
            raise NotFoundError(
                f"no forecast of {ticker} is on record", hint=f"stocklstm predict --ticker {ticker}"
            )
        return []
    # Nothing before the first close that one of them saw is needed.
    bars = store.prices.bars_since(ticker, min(entry.as_of for entry in entries))
    return _past_all(store, entries, bars, instrument)


def ticker_history(
    store: Store,
    ticker: str,
    *,
    count: int,
    offset: int = 0,
    sessions: int = 60,
    horizon: int | None = None,
) -> TickerHistory:
    """Read the forecasts on record, and the latest closes.

    Args:
        count: Forecasts at most.
        offset: Later forecasts to pass over.
        sessions: Closes at most.
        horizon: Only forecasts so many sessions ahead; None for all.
    """
    instrument = store.prices.instrument(ticker)
    entries = store.ledger.page(ticker, count, offset, horizon)
    bars = _latest_bars(store, ticker, entries, sessions)
    return TickerHistory(
        ticker=ticker,
        currency=instrument.currency,
        dates=bars.dates[-sessions:],
        closes=bars.closes[-sessions:],
        forecasts=tuple(_past_all(store, entries, bars, instrument)),
    )


def _latest_bars(store: Store, ticker: str, entries: Sequence[LedgerEntry], sessions: int) -> Bars:
    """Read the closes that forecasts saw and those since, and so many of the latest."""
    if entries:
        seen = [entry.as_of for entry in entries]
        # In so many days are as many sessions, and holidays.
        since = np.datetime64(max(seen), "D") - np.timedelta64(sessions * 7 // 5 + 11, "D")
        bars = store.prices.bars_since(ticker, min(*seen, str(since)))
        if len(bars) >= sessions:
            return bars
    return store.prices.bars(ticker)


def _past_all(
    store: Store, entries: Sequence[LedgerEntry], bars: Bars, instrument: Instrument
) -> list[PastForecast]:
    targets = [entry.target_session for entry in entries] or [""]
    ends = store.sessions.ends(instrument.exchange, min(targets), max(targets))
    return [_past(entry, bars, instrument.currency, ends) for entry in entries]


def _past(entry: LedgerEntry, bars: Bars, currency: str, ends: dict[str, str]) -> PastForecast:
    grid = np.array(entry.quantiles)
    intervals = plain_intervals(grid, INTERVAL_LEVELS)
    origin, target = (_row(bars, day) for day in (entry.as_of, entry.target_session))
    outcome, scale = None, 1.0
    if origin is not None:
        change = float(bars.closes[origin]) / entry.last_close
        scale = change if abs(change - 1) > JITTER else 1.0
        if target is not None:
            carried = bars.adj_closes[target] / bars.adj_closes[origin]
            outcome = entry.last_close * float(carried)
    held = None
    if outcome is not None:
        held = {f"{i.level:g}": i.lower <= outcome <= i.upper for i in intervals}
    return PastForecast(
        ticker=entry.ticker,
        version=entry.version,
        model=f"{entry.pool or entry.ticker}@v{entry.version}",
        target_session=entry.target_session,
        horizon=entry.horizon,
        as_of=entry.as_of,
        last_close=entry.last_close,
        currency=currency,
        point=entry.point,
        change_pct=100 * (entry.point / entry.last_close - 1),
        intervals=intervals,
        quantiles={f"{p:g}": q for p, q in zip(LEVELS, entry.quantiles, strict=True)},
        made_at=entry.made_at,
        # Of a session whose end is not known, the day itself is all there is to go by.
        late=entry.made_at >= ends.get(entry.target_session, f"{entry.target_session}T99"),
        outcome=outcome,
        error=None if outcome is None else entry.point - outcome,
        held=held,
        scale=scale,
    )


def _row(bars: Bars, day: str) -> int | None:
    date = np.datetime64(day, "D")
    row = int(np.searchsorted(bars.dates, date))
    return row if row < len(bars) and bars.dates[row] == date else None
