"""The ledger: forecasts are put on record, and those whose session has closed are scored."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, partial
from itertools import chain
from operator import attrgetter

import numpy as np

from stocklstm.core.forecasts.live import ClosedForecasts
from stocklstm.core.prices.series import JITTER, Bars, iso_days, parse_days
from stocklstm.core.reference import CHAMPION, ModelReference
from stocklstm.core.settings.config import LEVELS
from stocklstm.core.wording import price_words
from stocklstm.errors import ConfigError, StockLstmError, StorageError
from stocklstm.store.ledger import LedgerEntry
from stocklstm.store.store import Store

SHOWN = 60
"""Closed forecasts that a new one is shown beside."""

_LEARNED = 500
"""Closed forecasts that adaptive intervals learn from: what lies farther back is forgotten."""

UNRECORDED = "this forecast is not in the ledger"
"""How the warning of such a forecast begins."""

LEDGER_WAIT_S = 2.0
"""Seconds that a forecast waits for another writer; then it is given without being recorded."""

_PER_SESSION = 4
"""Forecasts of one session that are read to find the champion's."""

_MADE, _TARGET = attrgetter("made_at", "version"), attrgetter("target_session")


def pinned_version(store: Store, reference: ModelReference) -> int | None:
    """Give the version whose forecasts are meant, or None.

    None is for a ticker alone, or its champion: that means what the ticker's users were given,
    whichever version was the champion at the time.
    """
    version = store.registry.resolve(reference)
    named = reference.version is not None or reference.alias != CHAMPION
    return version if named else None


class Lookups:
    """What the forecasts of many tickers ask of a store, each thing looked up once.

    Attributes:
        instrument: Traits of a ticker.
        ends: When the sessions of an exchange between two ISO days end.
        champions: Which version of an owner was champion when.
    """

    def __init__(self, store: Store) -> None:
        self.instrument = cache(store.prices.instrument)
        self.ends = cache(store.sessions.ends)
        self.champions = cache(partial(_Champions, store))


def closed_forecasts(
    lookups: Lookups, bars: Bars, entries: Iterable[LedgerEntry], horizon: int, version: int | None
) -> tuple[ClosedForecasts, Counter[str]]:
    """Match forecasts with what happened.

    Args:
        entries: Of one ticker and one model, in the order of their targets.
        version: Whose forecasts; None for the champion's of each time.

    Returns:
        Those that can be scored, and how many cannot, by reason: the fields of `LeftOut`.
    """
    wanted = [entry for entry in entries if version is None or entry.version == version]
    if not wanted:
        return _matched(bars, ()), Counter()
    rules = _ScoringRules(lookups, bars, wanted, horizon, version)
    # In the order in which they were made, so that of two champions the first one stands.
    wanted.sort(key=_MADE)
    reasons = list(map(rules.reason, wanted))
    scored = [entry for entry, reason in zip(wanted, reasons, strict=True) if reason is None]
    scored.sort(key=_TARGET)
    return _matched(bars, scored), Counter(reason for reason in reasons if reason is not None)


class _ScoringRules:
    """Which forecasts can be scored, and why the others cannot."""

    def __init__(
        self,
        lookups: Lookups,
        bars: Bars,
        entries: Sequence[LedgerEntry],
        horizon: int,
        version: int | None,
    ) -> None:
        ticker, owner = entries[0].ticker, entries[0].pool or entries[0].ticker
        targets = [entry.target_session for entry in entries]
        first = np.searchsorted(bars.dates, np.datetime64(min(e.as_of for e in entries), "D"))
        self._horizon = horizon
        self._days = iso_days(bars.dates[first:])
        self._last = str(bars.dates[-1])
        self._champions = None if version else lookups.champions(owner)
        exchange = lookups.instrument(ticker).exchange
        self._ends = lookups.ends(exchange, min(targets), max(targets))
        self._taken: set[str] = set()

    def reason(self, entry: LedgerEntry) -> str | None:
        """Say why a forecast is left out; None if it is not."""
        target, made_at, reason = entry.target_session, entry.made_at, None
        if entry.horizon != self._horizon:
            reason = "other_horizon"
        elif self._champions is not None and entry.version != self._champions.at(made_at):
            reason = "not_champion"
        elif target > self._last:
            reason = "open"
        # Of a session whose end is not known, the day itself is all there is to go by.
        elif made_at >= (self._ends.get(target) or f"{target}T99"):
            reason = "too_late"
        elif target not in self._days or entry.as_of not in self._days:
            reason = "not_stored"
        elif target in self._taken:
            reason = "repeated"
        else:
            self._taken.add(target)
        return reason


class _Champions:
    """Which version was champion when."""

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
        """Give the champion of a moment; before the log begins, the first one in it."""
        earlier = bisect_right(self._since, moment)
        return self._versions[earlier - 1] if earlier else self._first


def _matched(bars: Bars, entries: Sequence[LedgerEntry]) -> ClosedForecasts:
    dates = parse_days([entry.target_session for entry in entries])
    as_of = parse_days([entry.as_of for entry in entries])
    origins, targets = np.searchsorted(bars.dates, as_of), np.searchsorted(bars.dates, dates)
    last_closes = bars.closes[origins]
    given = np.array([entry.last_close for entry in entries], np.float64)
    factors = last_closes / given
    # A split since, or a close that was corrected: what was forecast is a change from it.
    factors[np.abs(factors - 1) <= JITTER] = 1
    grids = [entry.quantiles for entry in entries]
    # Otherwise the quantiles of one would be taken for those of another.
    if any(len(grid) != len(LEVELS) for grid in grids):
        raise ValueError("a forecast on record has another number of quantiles")
    quantiles = np.fromiter(chain.from_iterable(grids), np.float64)
    return ClosedForecasts(
        dates=dates,
        versions=np.array([entry.version for entry in entries], np.int64),
        origins=origins,
        last_closes=last_closes,
        actuals=last_closes * (bars.adj_closes[targets] / bars.adj_closes[origins]),
        points=np.array([entry.point for entry in entries], np.float64) * factors,
        quantiles=quantiles.reshape(len(entries), len(LEVELS)) * factors[:, None],
    )


def record_forecasts(store: Store, entries: Sequence[LedgerEntry]) -> list[tuple[bool, list[str]]]:
    """Put forecasts on record, all or none; a store that cannot be written costs a warning.

    Returns:
        Of each, true if the very same forecast was on record already, and what to know about it.

    Raises:
        StoreLockedError: Another process is writing for too long.
    """
    try:
        store.require_writable()
        earlier = store.ledger.record_all(entries)
    except (ConfigError, StorageError) as error:
        return [unrecorded(error) for _ in entries]
    return [_compared(entry, found) for entry, found in zip(entries, earlier, strict=True)]


def unrecorded(error: StockLstmError) -> tuple[bool, list[str]]:
    """Tell, as `record_forecasts` does, why a forecast is not on record."""
    return False, [f"{UNRECORDED}: {error.message}"]


def _compared(entry: LedgerEntry, earlier: LedgerEntry | None) -> tuple[bool, list[str]]:
    if earlier is None:
        return False, []
    if (earlier.point, earlier.quantiles) == (entry.point, entry.quantiles):
        return True, []
    warning = (
        f"prices were revised since {earlier.made_at}: the forecast on record for "
        f"{entry.target_session} stays {price_words(earlier.point)}"
    )
    return False, [warning]


def closed_before(
    store: Store,
    lookups: Lookups,
    bars: Bars,
    version: int | None,
    entry: LedgerEntry,
    *,
    adaptive: bool,
) -> ClosedForecasts:
    """Read the latest forecasts of the same kind that have been put to the test.

    Args:
        bars: Perhaps only the latest; all are read where that is not enough.
        version: Whose forecasts; None for the champion's of each time.
        entry: The new one.
        adaptive: Read as many as adaptive intervals learn from, not only as many as are shown.
    """
    enough = _LEARNED if adaptive else SHOWN
    # Nearly always each session has one forecast, and the fewer rows will do.
    for count in (enough + 1, enough + enough // 4, _PER_SESSION * (enough + 1)):
        entries = store.ledger.latest(entry.ticker, entry.horizon, entry.as_of, count, entry.pool)
        every = len(entries) < count
        if not every:
            # The champion's may be among those of the first session that were not read.
            entries = [each for each in entries if each.target_session > entries[0].target_session]
        first = str(bars.dates[0])
        within = [each for each in entries if each.as_of >= first]
        closed, _ = closed_forecasts(lookups, bars, within, entry.horizon, version)
        if len(within) < len(entries) and len(closed) < enough:
            # Only the latest prices were read, and the forecasts go farther back.
            bars = store.prices.bars(entry.ticker)
            closed, _ = closed_forecasts(lookups, bars, entries, entry.horizon, version)
        if every or len(closed) >= enough:
            break
    return closed.select(slice(-enough, None))
