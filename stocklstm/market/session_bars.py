"""Which bars are of which session, and what they say of it."""

from dataclasses import dataclass, replace

import numpy as np

from stocklstm.core.prices.measured_checks import fits, has_step
from stocklstm.core.prices.realised import IntradayBars, RealisedSessions, measure_sessions
from stocklstm.core.prices.series import Bars, Dates, Flags, Indices
from stocklstm.market.calendar import Sessions, session_lengths, session_opens, zone_or_utc
from stocklstm.market.tables.instants import utc_offset

_DAY_S = 86_400
_MINUTE_S = 60

# Clocks are changed at full quarters of an hour.
_QUARTER_S = 900

FINEST = 5
"""Minutes. Finer bars are put together: the next trade at the other side of the book is no move."""

COARSEST = 60
"""Minutes."""

FEWEST_BARS = 4
"""Of a session that is used. A half day in New York has as many of 60 minutes."""

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

    Bars outside of a session's hours are left out where its calendar knows these.

    Args:
        bars: In any order and state.
        calendar: Sessions of the exchange over all of them.
        time_zone: Of the exchange, an IANA name.
        daily: Stored rows of finished sessions: others have none.
        usual: How many bars of this length stored sessions have; it counts where no calendar tells
            how many are due.
    """
    bars = _credible(bars)
    days = local_days(bars.starts, time_zone)
    rows = np.isin(days, daily.dates) & _within_hours(bars.starts, days, calendar)
    bars, days = selected(bars, rows), days[rows]
    if bars.minutes < FINEST:
        bars = coarser(bars, FINEST)
        days = local_days(bars.starts, time_zone)
    found = measure_sessions(
        bars, zone_or_utc(time_zone).key, _expected(days, bars.minutes, calendar, usual)
    )
    begins = np.searchsorted(days, found.dates)
    parts = [
        selected(bars, slice(begin, begin + count))
        for begin, count in zip(begins.tolist(), found.bars.tolist(), strict=True)
    ]
    of_day = daily.select(np.searchsorted(daily.dates, found.dates))
    sound = [
        not has_step(part) and fits(of_day.select(slice(row, row + 1)), part)
        for row, part in enumerate(parts)
    ]
    usable = found.usable & (found.bars >= FEWEST_BARS) & np.array(sound, bool)
    days_of_parts = found.dates.astype(str).tolist()
    return Measured(replace(found, usable=usable), dict(zip(days_of_parts, parts, strict=True)))


def selected(bars: IntradayBars, rows: Flags | Indices | slice) -> IntradayBars:
    """Keep some bars."""
    prices = (bars.opens, bars.highs, bars.lows, bars.closes)
    return IntradayBars(bars.starts[rows], bars.minutes, *(column[rows] for column in prices))


def coarser(bars: IntradayBars, minutes: int) -> IntradayBars:
    """Put bars together to longer ones, which begin at multiples of their length.

    Args:
        bars: Of prices above zero, oldest first.
    """
    if not len(bars):
        return replace(bars, minutes=minutes)
    starts = bars.starts - bars.starts % (minutes * _MINUTE_S)
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


def _credible(bars: IntradayBars) -> IntradayBars:
    """Order bars, each start once (the last one counts), without those that have no price."""
    prices = np.stack([bars.opens, bars.highs, bars.lows, bars.closes])
    bars = selected(bars, np.flatnonzero((np.isfinite(prices) & (prices > 0)).all(axis=0)))
    _, rows = np.unique(bars.starts[::-1], return_index=True)
    return selected(bars, len(bars) - 1 - rows)


def local_days(starts: Indices, time_zone: str) -> Dates:
    """Give the exchange's day of each start."""
    zone = zone_or_utc(time_zone)
    quarters, where = np.unique(starts // _QUARTER_S, return_inverse=True)
    offsets = np.array([utc_offset(q * _QUARTER_S, zone) for q in quarters.tolist()], np.int64)
    days: Dates = ((starts + offsets[where]) // _DAY_S).astype("datetime64[D]")
    return days


def _within_hours(starts: Indices, days: Dates, calendar: Sessions) -> Flags:
    """Flag the bars that begin within the hours of their session; all where these are not known."""
    if not calendar.known or not len(calendar.dates):
        return np.full(len(starts), not calendar.known)
    opens, closes = (
        moments.astype("datetime64[s]").astype(np.int64)
        for moments in (session_opens(calendar), calendar.closes_utc)
    )
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
