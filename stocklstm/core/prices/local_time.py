"""Moments by the clock of an exchange."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from stocklstm.core.prices.series import Dates, Indices

_DAY_S = 86_400
_MINUTE_S = 60

# Clocks are changed at full quarters of an hour.
_QUARTER_S = 900


def zone_or_utc(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name; UTC if this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return ZoneInfo("UTC")


def utc_offset(instant: int, zone: ZoneInfo) -> int:
    """Return how many seconds east of UTC a zone is at a Unix time."""
    try:
        offset = datetime.fromtimestamp(instant, UTC).astimezone(zone).utcoffset()
    except (ValueError, OverflowError, OSError):
        return 0  # no exchange was open in the year 9999
    return 0 if offset is None else int(offset.total_seconds())


def offsets_of_each(seconds: Indices, offset_at: Callable[[int], int]) -> Indices:
    """Look up an offset for each of many seconds, once for all of the same quarter of an hour.

    Args:
        seconds: (n,).
        offset_at: Gives the offset at a second.
    """
    quarters, where = np.unique(seconds // _QUARTER_S, return_inverse=True)
    offsets = np.array([offset_at(quarter * _QUARTER_S) for quarter in quarters.tolist()], np.int64)
    found: Indices = offsets[where]
    return found


def local_time(instants: Indices, zone: ZoneInfo) -> tuple[Dates, Indices]:
    """Give the local day of each Unix time, (n,), and the minutes since its midnight, (n,)."""
    local = instants + offsets_of_each(instants, lambda instant: utc_offset(instant, zone))
    return (local // _DAY_S).astype("datetime64[D]"), local % _DAY_S // _MINUTE_S
