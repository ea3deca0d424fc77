"""The ledger: forecasts are put on record, and those whose session has closed are scored."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache, partial
from itertools import chain
from typing import NamedTuple

import numpy as np

from stocklstm.core.forecasts.live import ClosedForecasts
from stocklstm.core.language import english
from stocklstm.core.prices.series import (
    JITTER,
    Bars,
    Floats,
    Indices,
    Instrument,
    iso_days,
    parse_days,
)
from stocklstm.core.reference import CHAMPION, ModelReference
from stocklstm.core.settings.config import LEVELS
from stocklstm.core.wording import price_words
from stocklstm.errors import ConfigError, StockLstmError, StorageError
from stocklstm.store.ledger import LedgerColumns, LedgerEntry
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


def pinned_version(store: Store, reference: ModelReference) -> int | None:
    """Give the version whose forecasts are meant, or None.

    None is for a ticker alone, or its champion: that means what the ticker's users were given,
    whichever version was the champion at the time.
    """
    version = store.registry.resolve(reference)
    return version if is_pinned(reference) else None


def is_pinned(reference: ModelReference) -> bool:
    """Tell whether a reference means one version, whoever is champion."""
    return reference.version is not None or reference.alias != CHAMPION


class Lookups:
    """What the forecasts of many tickers ask of a store, each thing looked up once.

    Attributes:
        instrument: Traits of a ticker.
        champions: Which version of an owner was champion when.
        matches: Which forecasts are scored; see `_match`, whose first argument is given.
    """

    def __init__(self, store: Store) -> None:
        self._prices = store.prices
        self.instrument: Callable[[str], Instrument] = cache(store.prices.instrument)
        self.champions = cache(partial(_Champions, store))
        # Most tickers were forecast on the same evenings, for the same sessions.
        self.matches = lru_cache(maxsize=8)(partial(_match, cache(store.sessions.ends)))

    def read_instruments(self, tickers: Sequence[str]) -> None:
        """Read the traits of those tickers that come next, and forget those of others."""
        self.instrument = cache(self._prices.instruments(tickers))


class _When(NamedTuple):
    """All that decides which of some forecasts are scored, a value of each in every column.

    Attributes:
        champion: Version whose forecast would count, when each was made.
    """

    target_session: Sequence[str]
    version: Sequence[int]
    horizon: Sequence[int]
    as_of: Sequence[str]
    made_at: Sequence[str]
    champion: Sequence[int | None]


class _Matches(NamedTuple):
    """Which forecasts are scored, n of them, and what they are compared with.

    Attributes:
        places: Where they stand among all, in the order of their targets.
        origins: (n,) rows of the bars at whose close they were made.
        targets: (n,) rows that were forecast.
        left_out: How many are not scored, by reason.
    """

    places: tuple[int, ...]
    origins: Indices
    targets: Indices
    left_out: Counter[str]


_NO_MATCHES = _Matches((), np.empty(0, np.int64), np.empty(0, np.int64), Counter())


def closed_forecasts(
    lookups: Lookups, bars: Bars, given: LedgerColumns, horizon: int, version: int | None
) -> tuple[ClosedForecasts, Counter[str]]:
    """Match forecasts with what happened.

    Args:
        given: In the order of their targets.
        version: Whose forecasts; None for the champion's of each time.

    Returns:
        Those that can be scored, and how many cannot, by reason: the fields of `LeftOut`.
    """
    if version is not None:
        given = given.where([each == version for each in given.version])
    if not len(given):
        return _compared(bars, given, _NO_MATCHES), Counter()
    champion: Sequence[int | None] = given.version
    if version is None:
        champion = lookups.champions(given.pool or given.ticker).at_each(given.made_at)
    when = _When(
        given.target_session, given.version, given.horizon, given.as_of, given.made_at, champion
    )
    days = bars.dates.astype("datetime64[D]").tobytes()
    matches = lookups.matches(lookups.instrument(given.ticker).exchange, days, horizon, when)
    return _compared(bars, given, matches), matches.left_out.copy()


def _match(
    ends: Callable[[str, str, str], Mapping[str, str]],
    exchange: str,
    days: bytes,
    horizon: int,
    when: _When,
) -> _Matches:
    """Choose the forecasts that are scored, and find the rows of the prices that they belong to.

    Args:
        ends: Tells when the sessions of an exchange between two ISO days end.
        days: Of the bars, (N,) datetime64[D].
        horizon: That of the forecasts that are wanted.
    """
    dates = np.frombuffer(days, "datetime64[D]")
    first = np.searchsorted(dates, np.datetime64(min(when.as_of), "D"))
    stored, last = iso_days(dates[first:]), str(dates[-1])
    end_of = ends(exchange, min(when.target_session), max(when.target_session))
    taken: dict[str, int] = {}
    left_out: Counter[str] = Counter()
    # In the order in which they were made, so that of two champions the first one stands.
    for place in sorted(range(len(when.made_at)), key=lambda n: (when.made_at[n], when.version[n])):
        target, as_of, made_at = when.target_session[place], when.as_of[place], when.made_at[place]
        if when.horizon[place] != horizon:
            left_out["other_horizon"] += 1
        elif when.version[place] != when.champion[place]:
            left_out["not_champion"] += 1
        elif target > last:
            left_out["open"] += 1
        # Of a session whose end is not known, the day itself is all there is to go by.
        elif made_at >= (end_of.get(target) or f"{target}T99"):
            left_out["too_late"] += 1
        elif target not in stored or as_of not in stored:
            left_out["not_stored"] += 1
        elif target in taken:
            left_out["repeated"] += 1
        else:
            taken[target] = place
    places = tuple(taken[target] for target in sorted(taken))
    as_ofs = parse_days([when.as_of[place] for place in places])
    return _Matches(
        places,
        np.searchsorted(dates, as_ofs),
        np.searchsorted(dates, parse_days(sorted(taken))),
        left_out,
    )


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
        self._ever = {self._first, *self._versions}

    def at(self, moment: str) -> int | None:
        """Give the champion of a moment; before the log begins, the first one in it."""
        earlier = bisect_right(self._since, moment)
        return self._versions[earlier - 1] if earlier else self._first

    def at_each(self, moments: Sequence[str]) -> Sequence[int | None]:
        """Give the champion of each of some moments."""
        if len(self._ever) == 1:
            return (self._first,) * len(moments)
        return tuple(map(self.at, moments))


def _compared(bars: Bars, given: LedgerColumns, matches: _Matches) -> ClosedForecasts:
    """Put the forecasts that are scored beside what came, in the scale of the prices of now."""
    places, origins, targets = matches.places, matches.origins, matches.targets
    last_closes = bars.closes[origins]
    factors = last_closes / np.array([given.last_close[place] for place in places], np.float64)
    # A split since, or a close that was corrected: what was forecast is a change from it.
    factors[np.abs(factors - 1) <= JITTER] = 1
    return ClosedForecasts(
        dates=bars.dates[targets],
        versions=np.array([given.version[place] for place in places], np.int64),
        origins=origins,
        last_closes=last_closes,
        actuals=last_closes * (bars.adj_closes[targets] / bars.adj_closes[origins]),
        points=np.array([given.point[place] for place in places], np.float64) * factors,
        quantiles=grids([given.quantiles[place] for place in places]) * factors[:, None],
    )


def grids(quantiles: Sequence[tuple[float, ...]]) -> Floats:
    """Make an array of the quantiles of n forecasts, (n, Q).

    Raises:
        ValueError: One has another number of them: they would be taken for those of another.
    """
    if set(map(len, quantiles)) - {len(LEVELS)}:
        raise ValueError("a forecast on record has another number of quantiles")
    flat = np.fromiter(chain.from_iterable(quantiles), np.float64)
    return flat.reshape(len(quantiles), len(LEVELS))


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
    return [_told(entry, found) for entry, found in zip(entries, earlier, strict=True)]


def unrecorded(error: StockLstmError) -> tuple[bool, list[str]]:
    """Tell, as `record_forecasts` does, why a forecast is not on record."""
    return False, [f"{UNRECORDED}: {error.message}"]


def _told(entry: LedgerEntry, earlier: LedgerEntry | None) -> tuple[bool, list[str]]:
    if earlier is None:
        return False, []
    if (earlier.point, earlier.quantiles) == (entry.point, entry.quantiles):
        return True, []
    warning = english(
        "prices were revised since {moment}: the forecast on record for {session} stays {price}",
        moment=earlier.made_at,
        session=entry.target_session,
        price=price_words(earlier.point),
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
        bars: Perhaps only the latest; more are read where that is not enough.
        version: Whose forecasts; None for the champion's of each time.
        entry: The new one.
        adaptive: Read as many as adaptive intervals learn from, not only as many as are shown.
    """
    enough = _LEARNED if adaptive else SHOWN
    # Nearly always each session has one forecast, and the fewer rows will do.
    for count in (enough + 1, enough + enough // 4, _PER_SESSION * (enough + 1)):
        entries = store.ledger.latest(entry.ticker, entry.horizon, entry.as_of, count, entry.pool)
        every = len(entries) < count
        closed, _ = closed_forecasts(lookups, bars, entries, entry.horizon, version)
        # The first one may yet be left out.
        too_few = len(closed) - (not every) < enough
        if too_few and len(entries) and min(entries.as_of) < str(bars.dates[0]):
            # Only the latest prices were read, and the forecasts go farther back.
            bars = store.prices.bars_since(entry.ticker, min(entries.as_of))
            closed, _ = closed_forecasts(lookups, bars, entries, entry.horizon, version)
        if not every and len(closed) and str(closed.dates[0]) == entries.target_session[0]:
            # The champion's may be among those of the first session that were not read.
            closed = closed.select(slice(1, None))
        if every or len(closed) >= enough:
            break
    return closed.select(slice(-enough, None))
