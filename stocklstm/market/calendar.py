"""Trading sessions of an exchange, past and future, from exchange_calendars."""

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stocklstm.core.prices.local_time import zone_or_utc
from stocklstm.core.prices.series import Dates, Flags, Floats
from stocklstm.errors import ConfigError

WEEKDAYS = "weekdays"
"""What to call the calendar that stands in where none is known."""

# No daily price is older, and Python's calendars get strange near the ends of pandas' range.
_FIRST_DAY = np.datetime64("1900-01-01", "D")
_LAST_DAY = np.datetime64("2200-01-01", "D")

# B3's closing call, for one, ends after the session's official end.
_MARGIN = np.timedelta64(30, "m")

# A calendar refuses to be built over days without any session, and no holiday is this long.
_MARGIN_DAYS = np.timedelta64(30, "D")

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, eq=False)
class Sessions:
    """Trading days of one exchange, oldest first; N sessions.

    Attributes:
        exchange: Name of the calendar; "" where none is known.
        dates: (N,) datetime64[D], exchange-local days.
        closes_utc: (N,) datetime64[s], when each session ends, UTC. Where the exchange is not
            known, the midnight that ends the day.
        known: False where weekdays stand in for a calendar.
        first: First day of which `dates` can tell whether it was a session.
        last: Last such day: the calendar library's knowledge may end before what was asked.
    """

    exchange: str
    dates: Dates
    closes_utc: Dates
    known: bool
    first: np.datetime64
    last: np.datetime64

    def closed_on(self, dates: Dates) -> Flags:
        """Mark the days that were certainly no session.

        Returns:
            (M,) true where the calendar covers the day and lacks it; never true where
            weekdays stand in for a calendar.
        """
        covered = (dates >= self.first) & (dates <= self.last)
        closed: Flags = covered & ~np.isin(dates, self.dates) & self.known
        return closed


def sessions(exchange: str, start: np.datetime64, end: np.datetime64) -> Sessions:
    """List the sessions of an exchange between two days.

    Args:
        exchange: A name exchange_calendars knows, such as BVMF; any other gives weekdays.
        end: Last day wanted. Some calendars end earlier; see `Sessions.last`.
    """
    first = np.clip(start.astype("datetime64[D]"), _FIRST_DAY, _LAST_DAY)
    last = np.clip(end.astype("datetime64[D]"), _FIRST_DAY, _LAST_DAY)
    with warnings.catch_warnings():
        # The library and pandas announce their future to each other; users can do nothing.
        warnings.simplefilter("ignore")
        calendar = _load_calendar(exchange, first - _MARGIN_DAYS, last + _MARGIN_DAYS)
        if calendar is None:
            return _weekdays(exchange, first, last)
        return _selected(exchange, calendar, first, last)


def session_opens(known: Sessions) -> Dates:
    """Return when each session begins, UTC, (N,) datetime64[s]; NaT where it is not known."""
    opens = np.full(len(known.dates), np.datetime64("NaT", "s"))
    if known.known and len(known.dates):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first, last = known.dates[0], known.dates[-1]
            calendar = _load_calendar(known.exchange, first - _MARGIN_DAYS, last + _MARGIN_DAYS)
        days = calendar.sessions.to_numpy().astype("datetime64[D]")
        nanoseconds: NDArray[np.int64] = calendar.opens_nanos
        begins = nanoseconds.astype("datetime64[ns]").astype("datetime64[s]")
        _, here, there = np.intersect1d(known.dates, days, return_indices=True)
        opens[here] = begins[there]
    return opens


def session_lengths(known: Sessions) -> Floats:
    """Return for how many minutes each session trades, (N,), breaks left out; NaN if not known."""
    lengths = np.full(len(known.dates), np.nan)
    if known.known and len(known.dates):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first, last = known.dates[0], known.dates[-1]
            calendar = _load_calendar(known.exchange, first - _MARGIN_DAYS, last + _MARGIN_DAYS)
            table = calendar.schedule
            breaks = (table["break_end"] - table["break_start"]).dt.total_seconds().fillna(0)
            seconds = (table["close"] - table["open"]).dt.total_seconds() - breaks
        days = calendar.sessions.to_numpy().astype("datetime64[D]")
        _, here, there = np.intersect1d(known.dates, days, return_indices=True)
        lengths[here] = seconds.to_numpy(np.float64)[there] / 60
    return lengths


class Calendars:
    """Sessions of several exchanges, each read once for many tickers."""

    def __init__(self) -> None:
        self._known: dict[str, Sessions] = {}
        self._asked: dict[str, tuple[np.datetime64, np.datetime64]] = {}

    def covering(self, exchange: str, start: np.datetime64, end: np.datetime64) -> Sessions:
        """List the sessions between two days, and between all days asked for before."""
        first, last = self._asked.get(exchange, (start, end))
        if exchange not in self._known or start < first or end > last:
            span = min(first, start), max(last, end)
            self._asked[exchange] = span
            self._known[exchange] = sessions(exchange, *span)
        return self._known[exchange]


def require_calendar(name: str) -> str:
    """Check the name of a calendar that the user chose.

    Returns:
        The name exchange_calendars has for it; "" for plain weekdays.

    Raises:
        ConfigError: There is no such calendar.
    """
    if name.casefold() == WEEKDAYS:
        return ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from exchange_calendars import get_calendar_names

        names = {known.casefold(): known for known in get_calendar_names(include_aliases=True)}
    if name.casefold() not in names:
        raise ConfigError(
            f"there is no calendar {name!a}",
            hint="take one such as BVMF, XNYS, XLON or XTKS, weekdays, or auto for the exchange's",
        )
    return str(names[name.casefold()])


# By exchange, the days that were asked for and a calendar of all that is known of them. To build
# one takes a tenth of a second, and the library itself keeps that of the very days asked for last.
_built: dict[str, tuple[np.datetime64, np.datetime64, Any]] = {}


# Typed as Any from here on: exchange_calendars ships no types.
def _load_calendar(exchange: str, start: np.datetime64, end: np.datetime64) -> Any:  # noqa: ANN401
    first, last, calendar = _built.get(exchange, (start, end, None))
    if calendar is None or start < first or end > last:
        first, last = min(start, first), max(end, last)
        calendar = _build_calendar(exchange, first, last)
        if calendar is not None:
            _built[exchange] = (first, last, calendar)
    return calendar


def _build_calendar(exchange: str, start: np.datetime64, end: np.datetime64) -> Any:  # noqa: ANN401
    import exchange_calendars
    from exchange_calendars.errors import InvalidCalendarName

    try:
        return exchange_calendars.get_calendar(exchange, start=str(start), end=str(end))
    except InvalidCalendarName:
        return None
    except ValueError:
        # The wish reaches beyond the years this exchange's holidays are recorded for.
        known = exchange_calendars.get_calendar(exchange)
    earliest, latest = _recorded(known)
    start, end = max(start, earliest), min(end, latest)
    if start >= end:
        return known
    return exchange_calendars.get_calendar(exchange, start=str(start), end=str(end))


def _recorded(calendar: Any) -> tuple[np.datetime64, np.datetime64]:  # noqa: ANN401
    earliest, latest = calendar.bound_min(), calendar.bound_max()
    return (
        _FIRST_DAY if earliest is None else np.datetime64(earliest.date(), "D"),
        _LAST_DAY if latest is None else np.datetime64(latest.date(), "D"),
    )


def _selected(
    exchange: str,
    calendar: Any,  # noqa: ANN401
    first: np.datetime64,
    last: np.datetime64,
) -> Sessions:
    earliest, latest = _recorded(calendar)
    first, last = max(first, earliest), min(last, latest)
    dates = calendar.sessions.to_numpy().astype("datetime64[D]")
    # Through integers, because a column that carries a time zone does not become datetime64.
    nanoseconds: NDArray[np.int64] = calendar.closes_nanos
    closes = nanoseconds.astype("datetime64[ns]").astype("datetime64[s]")
    wanted = (dates >= first) & (dates <= last)
    return Sessions(exchange, dates[wanted], closes[wanted], known=True, first=first, last=last)


def _weekdays(exchange: str, first: np.datetime64, last: np.datetime64) -> Sessions:
    days = np.arange(first, last + _DAY)
    dates = days[np.is_busday(days)]
    closes = (dates + _DAY).astype("datetime64[s]")
    return Sessions(exchange, dates, closes, known=False, first=first, last=last)


def final_moments(calendar: Sessions) -> Dates:
    """Return the first second at which the prices of each session are final, UTC, (N,)."""
    moments: Dates = calendar.closes_utc + _MARGIN
    return moments


def last_final_day(calendar: Sessions, time_zone: str, now: datetime) -> np.datetime64:
    """Find the last day whose prices can no longer change.

    A session's prices are final once it has ended and a margin for closing auctions and late
    corrections has passed.

    Args:
        calendar: Sessions of the exchange up to today at least.
        time_zone: IANA name; decides which day it is where no calendar is known.
    """
    today = local_day(time_zone, now)
    if not calendar.known:
        return today - _DAY
    moment = np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "s")
    unfinished = calendar.dates[final_moments(calendar) > moment]
    final = min(today, unfinished[0] - _DAY) if len(unfinished) else today
    # An exchange may trade on a day that its calendar lacks; until when is not known.
    return final if today in calendar.dates else min(final, today - _DAY)


def local_day(time_zone: str, now: datetime) -> np.datetime64:
    """Return the date at an exchange; UTC decides if this machine does not know the time zone."""
    return np.datetime64(now.astimezone(zone_or_utc(time_zone)).date(), "D")


@cache
def time_zone_of(exchange: str) -> str:
    """Return the IANA name of the time zone of a calendar; "" if there is no such calendar."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import exchange_calendars
        from exchange_calendars.errors import InvalidCalendarName

        try:
            return str(exchange_calendars.get_calendar(exchange).tz.key)
        except InvalidCalendarName:
            return ""
