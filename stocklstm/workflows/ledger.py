"""Forecasts on record beside what came of them: for whoever shows or scores them."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from stocklstm.core.forecasts.intervals import Interval, plain_intervals
from stocklstm.core.forecasts.live import ClosedForecasts
from stocklstm.core.prices.series import (
    JITTER,
    Bars,
    Dates,
    Floats,
)
from stocklstm.core.reference import CHAMPION, ModelReference
from stocklstm.core.settings.config import INTERVAL_LEVELS, LEVELS
from stocklstm.errors import ConfigError, StorageError
from stocklstm.store.ledger import LedgerEntry
from stocklstm.store.store import Store


@dataclass(frozen=True)
class LeftOut:
    """Forecasts on record that are not scored, by the reason.

    Attributes:
        open: The session has not closed yet, or its close is still to be fetched.
        too_late: Made after the session had closed.
        other_horizon: Of another number of sessions ahead.
        not_champion: Of a version that was not the champion when it made them.
        repeated: Of a session that an earlier forecast of another champion stands for.
        not_stored: The prices no longer hold the day of the forecast or that of the outcome.
        version_removed: The version is gone, and with it what it is to be compared with.
        earlier: Closed before the latest N that were asked for.
    """

    open: int = 0
    too_late: int = 0
    other_horizon: int = 0
    not_champion: int = 0
    repeated: int = 0
    not_stored: int = 0
    version_removed: int = 0
    earlier: int = 0


def pinned_version(store: Store, reference: ModelReference) -> int | None:
    """Tell whose forecasts are meant.

    Args:
        store: Open.
        reference: A ticker alone, or its champion, means what the ticker's users were given,
            whichever version was the champion at the time.

    Returns:
        The version if another one was named, else None.

    Raises:
        NoModelError: There is no such version or alias.
    """
    version = store.registry.resolve(reference)
    named = reference.version is not None or reference.alias != CHAMPION
    return version if named else None


def closed_forecasts(
    store: Store, bars: Bars, entries: Iterable[LedgerEntry], horizon: int, version: int | None
) -> tuple[ClosedForecasts, Counter[str]]:
    """Match forecasts with what happened.

    Args:
        store: Tells when sessions ended, and who was champion.
        bars: All stored sessions of the ticker.
        entries: Of that ticker and of one model, in the order of their targets.
        horizon: Sessions ahead.
        version: Whose forecasts; None for the champion's of each time.

    Returns:
        Those that can be scored, and how many cannot, by the names of `LeftOut`.
    """
    wanted = [entry for entry in entries if version is None or entry.version == version]
    if not wanted:
        return _matched(bars, ()), Counter()
    judged = _Judge(store, bars, wanted, horizon, version)
    left_out: Counter[str] = Counter()
    kept: list[LedgerEntry] = []
    # In the order in which they were made, so that of two champions the first one stands.
    for entry in sorted(wanted, key=lambda entry: (entry.made_at, entry.version)):
        reason = judged.reason(entry)
        if reason is None:
            kept.append(entry)
        else:
            left_out[reason] += 1
    return _matched(bars, sorted(kept, key=lambda entry: entry.target_session)), left_out


class _Judge:
    """Decides which forecasts can be scored."""

    def __init__(
        self,
        store: Store,
        bars: Bars,
        entries: Sequence[LedgerEntry],
        horizon: int,
        version: int | None,
    ) -> None:
        ticker, owner = entries[0].ticker, entries[0].pool or entries[0].ticker
        targets = [entry.target_session for entry in entries]
        first = np.searchsorted(bars.dates, np.datetime64(min(e.as_of for e in entries), "D"))
        self._horizon = horizon
        self._days = set(np.datetime_as_string(bars.dates[first:], unit="D").tolist())
        self._last = str(bars.dates[-1])
        self._champions = None if version else _Champions(store, owner)
        exchange = store.prices.instrument(ticker).exchange
        self._ends = store.sessions.ends(exchange, min(targets), max(targets))
        self._taken: set[str] = set()

    def reason(self, entry: LedgerEntry) -> str | None:
        """Say why a forecast is left out; None if it is not."""
        target = entry.target_session
        reason = None
        if entry.horizon != self._horizon:
            reason = "other_horizon"
        elif self._champions is not None and entry.version != self._champions.at(entry.made_at):
            reason = "not_champion"
        elif target > self._last:
            reason = "open"
        # Of a session whose end is not known, the day itself is all there is to go by.
        elif entry.made_at >= self._ends.get(target, f"{target}T99"):
            reason = "too_late"
        elif target not in self._days or entry.as_of not in self._days:
            reason = "not_stored"
        elif target in self._taken:
            reason = "repeated"
        else:
            self._taken.add(target)
        return reason


class _Champions:
    """Who was champion when."""

    def __init__(self, store: Store, ticker: str) -> None:
        self._first: int | None = None
        self._since: list[str] = []
        self._versions: list[int] = []
        for change in store.registry.aliases.log(ticker):
            if change.name != CHAMPION or change.version is None:
                continue
            if self._first is None:
                self._first = change.version
            # A clock may have been put back: then what came later counts from there on.
            while self._since and self._since[-1] >= change.at:
                self._since.pop()
                self._versions.pop()
            self._since.append(change.at)
            self._versions.append(change.version)

    def at(self, moment: str) -> int | None:
        """Tell who it was; before the log begins, the first one in it."""
        earlier = bisect_right(self._since, moment)
        return self._versions[earlier - 1] if earlier else self._first


def _matched(bars: Bars, entries: Sequence[LedgerEntry]) -> ClosedForecasts:
    dates = np.array([entry.target_session for entry in entries], "datetime64[D]")
    as_of = np.array([entry.as_of for entry in entries], "datetime64[D]")
    origins, targets = np.searchsorted(bars.dates, as_of), np.searchsorted(bars.dates, dates)
    last_closes = bars.closes[origins]
    given = np.array([entry.last_close for entry in entries], np.float64)
    factors = last_closes / given
    # A split since, or a close that was corrected: what was forecast is a change from it.
    factors[np.abs(factors - 1) <= JITTER] = 1
    quantiles = np.array([entry.quantiles for entry in entries], np.float64)
    return ClosedForecasts(
        dates=dates,
        versions=np.array([entry.version for entry in entries], np.int64),
        origins=origins,
        last_closes=last_closes,
        actuals=last_closes * (bars.adj_closes[targets] / bars.adj_closes[origins]),
        points=np.array([entry.point for entry in entries], np.float64) * factors,
        quantiles=quantiles.reshape(len(entries), len(LEVELS)) * factors[:, None],
    )


SHOWN = 60
"""Closed forecasts that a new one is shown beside."""


_LEARNED = 500
"""Closed forecasts that adaptive intervals learn from: what lies farther back is forgotten."""


_PER_SESSION = 4
"""Forecasts of one session that are read to find the champion's."""


def keep(store: Store, entries: Sequence[LedgerEntry]) -> list[tuple[bool, list[str]]]:
    """Keep forecasts, where that is possible: they are worth more than their record.

    Args:
        store: Open, perhaps not for writing.
        entries: Kept all or none.

    Returns:
        Of each, true if the very same forecast was on record already, and what to know about it.
    """
    try:
        store.require_writable()
        earlier = store.ledger.record_all(entries)
    except (ConfigError, StorageError) as error:
        warning = f"this forecast is not in the ledger: {error.message}"
        return [(False, [warning]) for _ in entries]
    return [_compared(entry, found) for entry, found in zip(entries, earlier, strict=True)]


def _compared(entry: LedgerEntry, earlier: LedgerEntry | None) -> tuple[bool, list[str]]:
    if earlier is None:
        return False, []
    if (earlier.point, earlier.quantiles) == (entry.point, entry.quantiles):
        return True, []
    warning = (
        f"prices were revised since {earlier.made_at}: the forecast on record for "
        f"{entry.target_session} stays {earlier.point:.2f}"
    )
    return False, [warning]


def closed_before(
    store: Store, bars: Bars, version: int | None, entry: LedgerEntry, *, adaptive: bool
) -> ClosedForecasts:
    """Read the latest forecasts of the same kind that have been put to the test.

    Args:
        store: Open.
        bars: Stored sessions, perhaps only the latest; all are read where that is not enough.
        version: Whose; None for the champion's of each time.
        entry: The new one.
        adaptive: Read as many as adaptive intervals learn from, not only as many as are shown.
    """
    enough = _LEARNED if adaptive else SHOWN
    # Nearly always each session has one forecast, and the fewer rows will do.
    for count in (enough + enough // 4, _PER_SESSION * (enough + 1)):
        entries = store.ledger.latest(entry.ticker, entry.horizon, entry.as_of, count, entry.pool)
        every = len(entries) < count
        if not every:
            # The champion's may be among those of the first session that were not read.
            entries = [each for each in entries if each.target_session > entries[0].target_session]
        first = str(bars.dates[0])
        within = [each for each in entries if each.as_of >= first]
        closed, _ = closed_forecasts(store, bars, within, entry.horizon, version)
        if len(within) < len(entries) and len(closed) < enough:
            # Only the latest prices were read, and the forecasts go farther back.
            bars = store.prices.bars(entry.ticker)
            closed, _ = closed_forecasts(store, bars, entries, entry.horizon, version)
        if every or len(closed) >= enough:
            break
    return closed.select(slice(-enough, None))


@dataclass(frozen=True)
class PastForecast:
    """A forecast on record; every price in the scale in which it was given.

    Attributes:
        ticker: Whose.
        version: Model version that made it.
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
        held: Whether each interval held it, by its level; None with it.
        scale: What a price of then is multiplied by to be one of today: 1 unless a split or a
            correction came between; 1 also if the day is no longer stored.
    """

    ticker: str
    version: int
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
    held: dict[str, bool] | None
    scale: float


@dataclass(frozen=True, eq=False)
class TickerHistory:
    """What is known of a ticker's past.

    Attributes:
        ticker: Whose.
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


def ticker_history(
    store: Store, ticker: str, *, count: int, offset: int = 0, sessions: int = 60
) -> TickerHistory:
    """Read the forecasts on record, and the latest closes.

    Args:
        store: Open.
        ticker: Checked.
        count: Forecasts at most.
        offset: Later forecasts to pass over.
        sessions: Closes at most.

    Raises:
        NoPricesError: The ticker has no prices.
    """
    instrument = store.prices.instrument(ticker)
    bars = store.prices.bars(ticker)
    entries = store.ledger.page(ticker, count, offset)
    targets = [entry.target_session for entry in entries] or [""]
    ends = store.sessions.ends(instrument.exchange, min(targets), max(targets))
    return TickerHistory(
        ticker=ticker,
        currency=instrument.currency,
        dates=bars.dates[-sessions:],
        closes=bars.closes[-sessions:],
        forecasts=tuple(_past(entry, bars, instrument.currency, ends) for entry in entries),
    )


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
        held=held,
        scale=scale,
    )


def _row(bars: Bars, day: str) -> int | None:
    """Find the row of a day; None if it is not stored."""
    date = np.datetime64(day, "D")
    row = int(np.searchsorted(bars.dates, date))
    return row if row < len(bars) and bars.dates[row] == date else None
