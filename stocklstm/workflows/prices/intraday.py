"""Bars within sessions: which to ask for, and what is kept of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stocklstm.core.clock import now, utc_now
from stocklstm.core.prices.realised import IntradayBars, RealisedSessions
from stocklstm.core.prices.series import Dates, Indices
from stocklstm.core.reference import CHAMPION
from stocklstm.errors import IntegrityError, RejectedDataError
from stocklstm.market.calendar import Sessions, last_final_day, local_day
from stocklstm.market.session_bars import COARSEST, local_days, measured
from stocklstm.market.source import IntradayRequest, IntradaySource
from stocklstm.store.realised import Kept
from stocklstm.store.store import Store
from stocklstm.workflows.prices.retry import Asker

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class FetchedSessions:
    """What a fetch did to the intraday sessions of a ticker.

    Attributes:
        sessions_added: Sessions that were not stored, each length of bars for itself.
        sessions_revised: Those that took the place of others.
        sessions_dropped: Damaged ones that could not be had again.
        minutes: Lengths of the bars that were measured.
        first: First ISO day of them; "" if none came.
        last: Last ISO day of them; "" if none came.
        not_usable: ISO days of which there were too few bars of any length, or bars that do not fit
            the day.
        bars_kept: True if the bars themselves are kept, too.
    """

    sessions_added: int
    sessions_revised: int
    sessions_dropped: int
    minutes: tuple[int, ...]
    first: str
    last: str
    not_usable: tuple[str, ...]
    bars_kept: bool


class ListedTicker(NamedTuple):
    """A ticker, and what is known of its exchange.

    Attributes:
        name: The ticker.
        source: Name of the source.
        time_zone: Of the exchange, an IANA name.
        calendar: Its sessions, from the first stored row on.
    """

    name: str
    source: str
    time_zone: str
    calendar: Sessions


class Wish(NamedTuple):
    """How to get them.

    Attributes:
        keep_bars: Keep the bars as well.
        full: Ask for all there are.
    """

    keep_bars: bool
    full: bool


def is_wanted(store: Store, ticker: str, source: str, *, chosen: bool | None) -> bool:
    """Tell whether to ask for bars: as the user says, or as before, or as a model wants it."""
    if chosen is not None:
        return chosen
    return store.prices.has_realised(ticker, source) or _champion_wants(store, ticker)


def _champion_wants(store: Store, ticker: str) -> bool:
    """Tell whether the champion of a ticker was trained on bars, from whatever source."""
    if store.prices.last_realised(ticker, most_minutes=COARSEST) is None:
        return False
    try:
        version = store.registry.aliases.of(ticker).get(CHAMPION)
        return version is not None and bool(store.registry.manifest(ticker, version).data.measured)
    except IntegrityError:
        # Whoever forecasts with it says so.
        return False


def is_behind(store: Store, ticker: str, source: str) -> bool:
    """Tell whether a ticker that is to have intraday sessions has none of its last stored day."""
    if not is_wanted(store, ticker, source, chosen=None):
        return False
    span = store.prices.span(ticker)
    last = store.prices.last_realised(ticker, most_minutes=COARSEST)
    return span is not None and str(last) < str(span[1])


def fetch_sessions(
    store: Store, asker: Asker, source: IntradaySource, ticker: ListedTicker, wish: Wish
) -> FetchedSessions | None:
    """Ask for what is not stored yet, and store it; None if nothing is missing.

    Raises:
        RejectedDataError: The source has no bars of any length.
        TryAgainError: The network, or the source, says so.
    """
    question = _Question(store, asker, source, ticker)
    answers = list(question.everything() if wish.full else question.what_is_missing())
    return keep_sessions(store, ticker, answers, wish) if answers else None


@dataclass(frozen=True)
class _Question:
    """Which bars of a ticker to ask for."""

    store: Store
    asker: Asker
    source: IntradaySource
    ticker: ListedTicker

    def everything(self) -> Iterator[IntradayBars]:
        """Ask for the coarsest bars, which reach farthest back, and for the finest."""
        yield self._ask(self._coarsest, self._reach(self._coarsest))
        yield from self._finest_since(self._reach(self._lengths[0]))

    def what_is_missing(self) -> Iterator[IntradayBars]:
        """Ask for the finest bars of the days that lack some, and for coarser ones before these."""
        prices, name = self.store.prices, self.ticker.name
        if not prices.has_realised(name, self.ticker.source):
            yield self._ask(self._coarsest, self._reach(self._coarsest))
            return
        missing = self._days_after(prices.last_realised(name, most_minutes=COARSEST))
        if not len(missing):
            return
        reach = self._reach(self._lengths[0])
        fine = prices.last_realised(name, most_minutes=self._coarsest - 1)
        start = reach if fine is None else max(reach, np.datetime64(fine, "D") + _DAY)
        begins = None
        for bars in self._finest_since(start):
            begins = min(local_days(bars.starts, self.ticker.time_zone), default=reach)
            yield bars
        older = missing if begins is None else missing[missing < begins]
        if len(older):
            yield self._ask(self._coarsest, max(self._reach(self._coarsest), older[0]))

    @property
    def _lengths(self) -> list[int]:
        return sorted(self.source.reaches)

    @property
    def _coarsest(self) -> int:
        return self._lengths[-1]

    def _reach(self, minutes: int) -> np.datetime64:
        """Give the first day of which there are bars of a length."""
        today = local_day(self.ticker.time_zone, now())
        first: np.datetime64 = today - np.timedelta64(self.source.reaches[minutes], "D")
        return first

    def _days_after(self, last: str | None) -> Dates:
        days = final_days(self.store, self.ticker)
        return days if last is None else days[days > np.datetime64(last, "D")]

    def _finest_since(self, start: np.datetime64) -> Iterator[IntradayBars]:
        """Ask for bars of one length after the other until some are not refused."""
        for minutes in self._lengths[:-1]:
            try:
                bars = self._ask(minutes, start)
            except RejectedDataError:
                continue
            yield bars
            return

    def _ask(self, minutes: int, start: np.datetime64) -> IntradayBars:
        request = IntradayRequest(self.ticker.name, minutes, str(start))
        bars = self.asker.call(lambda: self.source.fetch_intraday(request))
        # Of a day before that only a part may have been given.
        return bars.select(local_days(bars.starts, self.ticker.time_zone) >= start)


def final_days(store: Store, ticker: ListedTicker) -> Dates:
    """List the stored days whose sessions are over for good."""
    days = store.prices.dates(ticker.name)
    final: Dates = days[days <= last_final_day(ticker.calendar, ticker.time_zone, now())]
    return final


def keep_sessions(
    store: Store, ticker: ListedTicker, answers: Sequence[IntradayBars], wish: Wish
) -> FetchedSessions:
    """Measure sessions and store them, all of one ticker in one transaction."""
    bars = store.prices.bars(ticker.name)
    daily = bars.select(np.isin(bars.dates, final_days(store, ticker)))
    done: list[tuple[RealisedSessions, Kept]] = []
    with store.transaction():
        keep_bars = wish.keep_bars or store.prices.has_intraday_bars(ticker.name)
        for number, answer in enumerate(answers):
            usual = _usual_counts(store, ticker, answer.minutes)
            found = measured(answer, ticker.calendar, ticker.time_zone, daily, usual)
            kept = store.prices.keep_realised(
                ticker.name,
                found.sessions,
                source=ticker.source,
                at=utc_now(),
                bars=found.bars if keep_bars else None,
                anew=wish.full,
                mend=wish.full and not number,
            )
            done.append((found.sessions, kept))
    days = np.concatenate([sessions.dates for sessions, _ in done])
    used = np.concatenate([sessions.dates[sessions.usable] for sessions, _ in done])
    return FetchedSessions(
        sessions_added=sum(kept.added for _, kept in done),
        sessions_revised=sum(kept.revised for _, kept in done),
        sessions_dropped=sum(kept.dropped for _, kept in done),
        minutes=tuple(sorted({int(length) for found, _ in done for length in found.minutes})),
        first=str(days.min()) if len(days) else "",
        last=str(days.max()) if len(days) else "",
        not_usable=tuple(np.setdiff1d(days, used).astype(str).tolist()),
        bars_kept=keep_bars,
    )


def _usual_counts(store: Store, ticker: ListedTicker, minutes: int) -> Indices:
    """Read how many bars the stored sessions have, where no calendar says how many are due."""
    none = np.empty(0, np.int64)
    if ticker.calendar.known:
        return none
    try:
        stored = store.prices.realised(ticker.name)
    except IntegrityError:
        return none
    counts: Indices = stored.bars[stored.minutes == minutes]
    return counts
