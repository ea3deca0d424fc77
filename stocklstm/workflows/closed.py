"""Forecasts on record beside what came of them: for whoever shows or scores them."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from stocklstm.core.levels import LEVELS
from stocklstm.core.live import ClosedForecasts
from stocklstm.core.reference import CHAMPION, ModelReference
from stocklstm.core.series import JITTER, Bars
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
        for change in store.registry.alias_log(ticker):
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
