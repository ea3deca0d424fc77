"""Rows of parts of a day put together to days, where the day is there as a whole."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from stocklstm.core.prices.answers import Rejection
from stocklstm.core.prices.local_time import offsets_of_each, utc_offset
from stocklstm.core.prices.realised import IntradayBars
from stocklstm.core.prices.series import Bars, Dates, Flags, Floats, Indices
from stocklstm.market.calendar import Sessions, session_opens, sessions
from stocklstm.market.tables.instants import Moments

_DAY_S = 86_400
_HOUR_S = 3600
_MINUTE_S = 60

# The last trade of an illiquid share is some minutes earlier on some days.
_SLACK_S = 30 * 60

# Opening hours are those of so many days before and after: they change with the season.
_NEIGHBOURS = 5


@dataclass(frozen=True, eq=False)
class _Days:
    """The rows of D days, as slices of rows in the order of time.

    Attributes:
        dates: (D,) increasing.
        starts: (D,) first row of each.
        ends: (D,) one past the last row.
        first_s: (D,) second of the day of the first row.
        last_s: (D,) of the last row.
        step_s: Seconds from one row to the next, usually.
    """

    dates: Dates
    starts: Indices
    ends: Indices
    first_s: Indices
    last_s: Indices
    step_s: int


def is_intraday(moments: Moments) -> bool:
    """Tell whether most days have several rows, each with a time of its own."""
    return 2 * len(_days_in_parts(moments)) >= max(1, len(np.unique(moments.days)))


def one_row_a_day(bars: Bars, moments: Moments) -> tuple[Bars, tuple[Rejection, ...]]:
    """Take the days out that stand in parts among whole ones: neither reading is safe."""
    days = _days_in_parts(moments)
    parts = np.isin(moments.days, days)
    rejections = tuple(
        Rejection(str(day), "several rows of that day, each with a time of its own")
        for day in days.astype("datetime64[D]")
    )
    return bars.select(~parts), rejections


def _days_in_parts(moments: Moments) -> Indices:
    """Find the days that have rows of several times, (D,)."""
    timed = moments.seconds >= 0
    instants = np.unique(np.stack([moments.days[timed], moments.seconds[timed]]), axis=1)
    days, rows = np.unique(instants[0], return_counts=True)
    return days[rows > 1]


def whole_days(
    bars: Bars, moments: Moments, exchange: str, zone: ZoneInfo
) -> tuple[Bars, tuple[Rejection, ...], bool]:
    """Put rows together: first open, highest high, lowest low, last close, sum of the volumes.

    Where some begin more than an hour before or after the session, as before and after the market
    in New York, only those of the session itself count.

    Args:
        bars: N rows in any order; their dates are not looked at.
        moments: (N,) local days and times.
        exchange: Name of the calendar; "" if none is known.
        zone: Of the exchange.

    Returns:
        The days whose last rows are there, oldest first; the others; and whether rows outside of
        the sessions were left out. The first day of a file may have begun before it: then its
        close alone is known.
    """
    timed = np.flatnonzero(moments.seconds >= 0)
    key = moments.days[timed] * _DAY_S + moments.seconds[timed]
    # Of two rows of the same time the later one counts, as with days.
    _, latest = np.unique(key[::-1], return_index=True)
    rows = timed[::-1][latest]
    bars, days, seconds = bars.select(rows), moments.days[rows], moments.seconds[rows]
    calendar = sessions(exchange, *days[[0, -1]].astype("datetime64[D]"))
    within = _within_sessions(days, seconds, calendar, zone)
    outside = tuple(
        Rejection(str(day), "no row of that day is of its session")
        for day in np.setdiff1d(days, days[within]).astype("datetime64[D]")
    )
    bars, days, seconds = bars.select(within), days[within], seconds[within]
    if not len(days):
        return bars, outside, True
    found = _days(days, seconds)
    whole = _whole(found, calendar, zone)
    parts = [slice(*each) for each in zip(found.starts, found.ends, strict=True)]
    table = np.array([_merged(bars.select(part)) for part in parts], np.float64).T
    if len(found.dates) > 1 and found.first_s[0] > _usual(found.first_s, 0):
        table[[0, 1, 2, 5], 0] = np.nan
    rejections = tuple(
        Rejection(
            str(found.dates[day]),
            f"the day is not complete: its last row is of {_clock(int(found.last_s[day]))}",
        )
        for day in np.flatnonzero(~whole)
    )
    return (
        Bars(found.dates[whole], *(column[whole] for column in table)),
        (*outside, *rejections),
        not within.all(),
    )


def bars_within(bars: Bars, moments: Moments, whole: Dates, zone: ZoneInfo) -> IntradayBars | None:
    """Give the parts of whole days as bars with starts in UTC; None where a bar has no length.

    Args:
        bars: N rows in any order; their dates are not looked at.
        moments: (N,) local days and times.
        whole: Days whose last rows are there.
        zone: Of the exchange.
    """
    rows = np.flatnonzero((moments.seconds >= 0) & np.isin(moments.dates, whole))
    days, seconds = moments.days[rows], moments.seconds[rows]
    order = np.lexsort((rows, seconds, days))
    rows, days, seconds = rows[order], days[order], seconds[order]
    if not len(rows):
        return None
    step_s = _days(days, seconds).step_s
    if step_s < 1 or (step_s > _MINUTE_S and step_s % _MINUTE_S):
        return None
    local = days * _DAY_S + seconds
    return IntradayBars(
        local - offsets_of_each(local, lambda second: _offset_at(second, zone)),
        max(1, step_s // _MINUTE_S),
        *(column[rows] for column in (bars.opens, bars.highs, bars.lows, bars.closes)),
    )


def _offset_at(local: int, zone: ZoneInfo) -> int:
    """Return how many seconds east of UTC a zone is at a second of its own clock."""
    guess = local - utc_offset(local, zone)
    return utc_offset(guess, zone)


def _within_sessions(days: Indices, seconds: Indices, calendar: Sessions, zone: ZoneInfo) -> Flags:
    """Flag the rows of the sessions, (N,); all of them unless most days have rows far outside."""
    dates, of_day = np.unique(days.astype("datetime64[D]"), return_inverse=True)
    begins = _local(session_opens(calendar), dates, calendar, zone, -np.inf)[of_day]
    ends = _local(calendar.closes_utc, dates, calendar, zone, np.inf)[of_day]
    far = (seconds < begins - _HOUR_S) | (seconds >= ends + _HOUR_S)
    # On a day that ended early by the calendar alone the calendar may be wrong.
    if 2 * len(np.unique(days[far])) <= len(dates):
        return np.ones(len(days), bool)
    within: Flags = (seconds >= begins) & (seconds < ends)
    return within


def _days(days: Indices, seconds: Indices) -> _Days:
    dates, starts = np.unique(days, return_index=True)
    ends = np.append(starts[1:], len(days))
    steps = np.diff(days * _DAY_S + seconds)[np.diff(days) == 0]
    return _Days(
        dates=dates.astype("datetime64[D]"),
        starts=starts,
        ends=ends,
        first_s=seconds[starts],
        last_s=seconds[ends - 1],
        step_s=int(np.median(steps)) if len(steps) else 0,
    )


def _whole(days: _Days, calendar: Sessions, zone: ZoneInfo) -> Flags:
    """Tell which days have their last rows: as late as the others, or as the session's end."""
    whole = np.zeros(len(days.dates), bool)
    ends = _local(calendar.closes_utc, days.dates, calendar, zone, np.inf)
    newest = len(days.dates) - 1
    for day, last in enumerate(days.last_s.tolist()):
        until = last + days.step_s
        if calendar.known and until >= ends[day]:
            whole[day] = True
        elif newest:
            # More may come of the newest day; of the others nothing will.
            usual = _usual(days.last_s, day)
            slack = 0 if day == newest else max(days.step_s, _SLACK_S)
            whole[day] = last + slack >= usual
    return whole


def _usual(seconds: Indices, day: int) -> float:
    """Take the median of the days around one."""
    around = np.arange(max(0, day - _NEIGHBOURS), min(len(seconds), day + _NEIGHBOURS + 1))
    return float(np.median(seconds[around[around != day]]))


def _local(
    moments: Dates, dates: Dates, calendar: Sessions, zone: ZoneInfo, otherwise: float
) -> Floats:
    """Convert a moment of each session to local seconds of its day.

    Args:
        moments: (N,) UTC, of the calendar's sessions; NaT where it is not known.
        dates: (D,) days, increasing.
        otherwise: The answer for a day whose moment is not known.

    Returns:
        (D,) seconds.
    """
    seconds = np.full(len(dates), otherwise)
    _, here, there = np.intersect1d(dates, calendar.dates, return_indices=True)
    for place, moment in zip(here.tolist(), moments[there], strict=True):
        if not np.isnat(moment):
            utc = int(moment.astype("datetime64[s]").astype(np.int64))
            midnight = int(dates[place].astype("datetime64[s]").astype(np.int64))
            seconds[place] = utc + utc_offset(utc, zone) - midnight
    return seconds


def _merged(bars: Bars) -> tuple[float, ...]:
    """Make one row of those of a day; what is no price is unknown."""
    opens, highs, lows, closes, adjusted = (
        values[values > 0]
        for values in (bars.opens, bars.highs, bars.lows, bars.closes, bars.adj_closes)
    )
    volumes = bars.volumes[bars.volumes >= 0]
    return (
        opens[0] if len(opens) else np.nan,
        highs.max() if len(highs) else np.nan,
        lows.min() if len(lows) else np.nan,
        closes[-1] if len(closes) else np.nan,
        adjusted[-1] if len(adjusted) else np.nan,
        volumes.sum() if len(volumes) else np.nan,
    )


def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}"
