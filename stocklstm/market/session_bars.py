"""Which bars are of which session, and what they say of it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from stocklstm.core.prices.local_time import local_time, zone_or_utc
from stocklstm.core.prices.measured_checks import has_step, implausible, misfit
from stocklstm.core.prices.realised import (
    LONGEST_BARS,
    IntradayBars,
    RealisedSessions,
    credible,
    measure_sessions,
)
from stocklstm.core.prices.series import Bars, Dates, Flags, Indices
from stocklstm.market.calendar import Sessions, session_lengths, session_opens

_MINUTE_S = 60

FINEST = 5
"""Minutes. Finer bars are put together: the next trade at the other side of the book is no move."""

COARSEST = 60
"""Minutes."""

_LONGER = (15, 60)
"""Minutes of the bars that are made of others where these are too few."""

FEWEST_BARS = 4
"""Of a session that is used. A half day in New York has as many of 60 minutes."""

# Sessions that tell whether bars are named by their ends: Yahoo adds the close of the last one.
_FEWEST_TO_TELL = 3
_HALF = 0.5

# Stored sessions that tell how many bars are usual.
_RECENT = 60


@dataclass(frozen=True, eq=False)
class Measured:
    """Sessions that were measured, and their bars.

    Attributes:
        sessions: What is to be stored of them.
        bars: Of each, by ISO day.
    """

    sessions: RealisedSessions
    bars: dict[str, IntradayBars]


def measured(
    bars: IntradayBars,
    calendar: Sessions,
    time_zone: str,
    daily: Bars,
    usual: Indices,
) -> Measured:
    """Measure the sessions that have a daily row, by their bars.

    Bars outside of a session's hours are left out where its calendar knows these. Of a session with
    too few bars, as of a share that is traded now and then, longer ones are made of them, and that
    is measured as well if they are enough.

    Args:
        bars: In any order and state.
        calendar: Sessions of the exchange over all of them.
        time_zone: Of the exchange, an IANA name.
        daily: Stored rows of finished sessions: others have none.
        usual: How many bars of this length stored sessions have; it counts where no calendar tells
            how many are due.
    """
    bars = credible(bars)
    days = local_days(bars.starts, time_zone)
    bars = _by_starts(bars, days, calendar)
    rows = np.isin(days, daily.dates) & _within_hours(bars.starts, days, calendar)
    bars = bars.select(rows)
    if bars.minutes < FINEST:
        bars = coarser(bars, FINEST)
    found, parts = _judged(bars, calendar, time_zone, daily, usual)
    every = [found]
    for minutes in _LONGER if calendar.known else ():
        done = np.concatenate([each.dates[each.usable] for each in every])
        thin = np.setdiff1d(found.dates, done)
        if len(thin) and minutes > bars.minutes:
            longer = _together(
                [
                    coarser(parts[str(day)], minutes, begin)
                    for day, begin in zip(thin, _openings(calendar, thin), strict=True)
                ]
            )
            again, _ = _judged(longer, calendar, time_zone, daily, usual)
            every.append(again.select(again.usable))
    return Measured(_joined(every), parts)


def _judged(
    bars: IntradayBars, calendar: Sessions, time_zone: str, daily: Bars, usual: Indices
) -> tuple[RealisedSessions, dict[str, IntradayBars]]:
    """Measure sessions, mark what is not to be used, and give the bars of each by ISO day."""
    days = local_days(bars.starts, time_zone)
    expected = _expected(days, bars.minutes, calendar, usual)
    found = measure_sessions(bars, zone_or_utc(time_zone).key, expected)
    begins = np.searchsorted(days, found.dates)
    parts = [
        bars.select(slice(begin, begin + count))
        for begin, count in zip(begins.tolist(), found.bars.tolist(), strict=True)
    ]
    of_day = daily.select(np.searchsorted(daily.dates, found.dates))
    sound = [
        not has_step(part)
        and not misfit(day := of_day.select(slice(row, row + 1)), part)
        and not implausible(day, variance, len(part))
        for row, (part, variance) in enumerate(zip(parts, found.realised.tolist(), strict=True))
    ]
    telling = (found.bars >= FEWEST_BARS) & (found.minutes <= LONGEST_BARS)
    usable = found.usable & telling & np.array(sound, bool)
    names = found.dates.astype(str).tolist()
    return replace(found, usable=usable), dict(zip(names, parts, strict=True))


def _openings(calendar: Sessions, days: Dates) -> list[int]:
    """Give the second at which the session of each day begins."""
    opens, _ = _hours(calendar)
    return [int(second) for second in opens[np.searchsorted(calendar.dates, days)]]


def _hours(calendar: Sessions) -> tuple[Indices, Indices]:
    """Give the seconds at which each session begins and ends."""
    opens, closes = (
        moments.astype("datetime64[s]").astype(np.int64)
        for moments in (session_opens(calendar), calendar.closes_utc)
    )
    return opens, closes


def _joined(every: Sequence[RealisedSessions]) -> RealisedSessions:
    columns = (
        np.concatenate([getattr(each, each_field.name) for each in every])
        for each_field in fields(RealisedSessions)
    )
    return RealisedSessions(*columns)


def _together(parts: Sequence[IntradayBars]) -> IntradayBars:
    columns = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("opens", "highs", "lows", "closes")
    )
    return IntradayBars(np.concatenate([p.starts for p in parts]), parts[0].minutes, *columns)


def coarser(bars: IntradayBars, minutes: int, begin: int = 0) -> IntradayBars:
    """Put bars together to longer ones.

    Args:
        bars: Of prices above zero, oldest first.
        begin: Second at which one of the longer bars begins.
    """
    if not len(bars):
        return replace(bars, minutes=minutes)
    starts = bars.starts - (bars.starts - begin) % (minutes * _MINUTE_S)
    firsts = np.flatnonzero(np.concatenate(([True], starts[1:] != starts[:-1])))
    lasts = np.append(firsts[1:], len(starts)) - 1
    return IntradayBars(
        starts[firsts],
        minutes,
        bars.opens[firsts],
        np.maximum.reduceat(bars.highs, firsts),
        np.minimum.reduceat(bars.lows, firsts),
        bars.closes[lasts],
    )


def local_days(starts: Indices, time_zone: str) -> Dates:
    """Give the exchange's day of each start."""
    days, _ = local_time(starts, zone_or_utc(time_zone))
    return days


def _by_starts(bars: IntradayBars, days: Dates, calendar: Sessions) -> IntradayBars:
    """Move bars that are named by their ends, as some vendors do, to their starts.

    They are where most sessions have a bar of the close and few one of the opening.
    """
    dates = np.intersect1d(days, calendar.dates)
    if not calendar.known or len(dates) < _FEWEST_TO_TELL:
        return bars
    places = np.searchsorted(calendar.dates, dates)
    at_open, at_close = (np.isin(each[places], bars.starts).mean() for each in _hours(calendar))
    if at_open < _HALF < at_close:
        return replace(bars, starts=bars.starts - bars.minutes * _MINUTE_S)
    return bars


def _within_hours(starts: Indices, days: Dates, calendar: Sessions) -> Flags:
    """Flag the bars that begin within the hours of their session; all where these are not known."""
    if not calendar.known or not len(calendar.dates):
        return np.full(len(starts), not calendar.known)
    opens, closes = _hours(calendar)
    places = np.minimum(np.searchsorted(calendar.dates, days), len(calendar.dates) - 1)
    within: Flags = (
        (calendar.dates[places] == days) & (starts >= opens[places]) & (starts < closes[places])
    )
    return within


def _expected(days: Dates, minutes: int, calendar: Sessions, usual: Indices) -> dict[str, int]:
    """Say how many bars a session should have, by ISO day; what is usual where that is unknown."""
    wanted = np.unique(days)
    if not calendar.known:
        latest = usual[-_RECENT:]
        return {str(day): int(np.median(latest)) for day in wanted} if len(latest) else {}
    lengths = session_lengths(calendar)
    _, _, places = np.intersect1d(wanted, calendar.dates, return_indices=True)
    return {
        str(calendar.dates[place]): int(np.ceil(lengths[place] / minutes))
        for place in places
        if np.isfinite(lengths[place])
    }
