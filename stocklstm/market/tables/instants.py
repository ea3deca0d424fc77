"""Which day of an exchange a moment in a file belongs to."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from stocklstm.core.prices.local_time import utc_offset
from stocklstm.core.prices.series import Dates, Flags, Indices
from stocklstm.market.calendar import Sessions, sessions

UNSAID = -(1 << 31)
"""Stands for an offset that a cell does not name."""

_DAY_S = 86_400
_EVENING_S = 17 * 3600


@dataclass(frozen=True, eq=False)
class Moments:
    """Days and times of N rows.

    Attributes:
        days: (N,) days since 1970.
        seconds: (N,) of that day; -1 where a cell names no time.
        offsets: (N,) seconds east of UTC; `UNSAID` where a cell does not say.
    """

    days: Indices
    seconds: Indices
    offsets: Indices

    @property
    def dates(self) -> Dates:
        """The days as dates."""
        return self.days.astype("datetime64[D]")


def local_moments(written: Moments, exchange: str, zone: ZoneInfo) -> Moments:
    """Turn instants with an offset into the exchange's local days and times.

    Vendors write the session of a day as that day's midnight in UTC, too. Such midnights stay
    the days that they name, unless the exchange's own days fall on its sessions better. Markets
    that are open at night begin a session on the evening before, and midnights of a zone to the
    east are of the day before: such rows belong to the next day if that falls on sessions better.

    Args:
        written: As the file has them; without an offset they are local already.
        exchange: Name of the calendar; "" takes weekdays for sessions.
        zone: Of the exchange.
    """
    instants = (written.offsets != UNSAID) & (written.seconds >= 0)
    if not instants.any():
        return written
    local = _converted(written, instants, zone)
    evening = instants & (local.seconds >= _EVENING_S)
    readings = [local, _a_day_on(local, evening), _a_day_on(local, instants)]
    midnights = instants & (written.seconds == 0)
    if 2 * midnights.sum() > instants.sum():
        # A last row may be of the session that goes on, with a time of its own.
        readings.insert(0, _chosen(midnights, written, local))
    days = np.concatenate([reading.dates[instants] for reading in readings])
    # A calendar takes longer to build than all else here: one for every reading.
    calendar = sessions(exchange, days.min(), days.max())
    # The first of equals.
    return min(readings, key=lambda reading: _misses(reading.dates[instants], calendar))


def on_weekends(moments: Moments) -> float:
    """Return the share of the days that are Saturdays or Sundays."""
    days = np.unique(moments.dates)
    return float((~np.is_busday(days)).mean()) if len(days) else 0.0


def _chosen(rows: Flags, ours: Moments, theirs: Moments) -> Moments:
    return Moments(
        np.where(rows, ours.days, theirs.days),
        np.where(rows, ours.seconds, theirs.seconds),
        theirs.offsets,
    )


def _a_day_on(local: Moments, rows: Flags) -> Moments:
    return Moments(local.days + rows, local.seconds, local.offsets)


def _converted(written: Moments, instants: Flags, zone: ZoneInfo) -> Moments:
    days, seconds = written.days.copy(), written.seconds.copy()
    utc = written.days * _DAY_S + written.seconds - written.offsets
    unique, places = np.unique(utc[instants], return_inverse=True)
    shifts = np.array([utc_offset(int(instant), zone) for instant in unique], np.int64)
    days[instants], seconds[instants] = np.divmod((unique + shifts)[places], _DAY_S)
    return Moments(days, seconds, written.offsets)


def _misses(days: Dates, calendar: Sessions) -> int:
    """Count the days that are no session."""
    return int((~np.isin(np.unique(days), calendar.dates)).sum())
