"""When an evening can run: once the prices of every exchange are final, on this machine's clock."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import numpy as np

from stocklstm.core.clock import now
from stocklstm.core.prices.local_time import zone_or_utc
from stocklstm.core.prices.series import Instrument
from stocklstm.core.reference import parse_ticker
from stocklstm.core.scheduling import DAYS, Times, clock_time
from stocklstm.errors import ConfigError
from stocklstm.market.calendar import Sessions, final_moments, sessions
from stocklstm.market.instrument import guess_instrument
from stocklstm.store.store import Store
from stocklstm.workflows.evening.evening import evening_names

RUNS = 3
"""Runs of an evening: one, and two that do what it could not do."""

APART_MINUTES = 60
"""Minutes between two of them: a source that limits the rate wants an hour."""

_DAY_MINUTES = 24 * 60

_YEAR = np.timedelta64(365, "D")

_FEW = 10
"""Sessions a year on a day of the week below which they are special ones."""


@dataclass(frozen=True)
class Timetable:
    """When an evening runs.

    Attributes:
        exchanges: Calendars of the tickers; those of which none is known are left out.
        time_zone: IANA name of the zone of the exchange whose prices are final last.
        earliest: First time of day there at which all prices are final, such as 18:30.
        at: Time of day there of the first run.
        times: Of all runs, by the clock there.
        local: The same by the clock of this machine: where the two clocks' distance changes within
            a year, the later ones.
        local_times: Every time of day of the first run by the clock of this machine, over a year.
    """

    exchanges: tuple[str, ...]
    time_zone: str
    earliest: str
    at: str
    times: Times
    local: Times
    local_times: tuple[str, ...]


def plan_evenings(
    store: Store,
    tickers: Sequence[str],
    *,
    pool: str | None,
    at: str | None,
    machine: tzinfo | None = None,
) -> Timetable:
    """Find out when evenings can run; see `Client.plan_evenings`.

    Args:
        store: Where the tickers may be; an empty one where there is none.
        machine: Zone of this machine's clock; None for what the system says.
    """
    instruments = [_instrument(store, name) for name in evening_names(store, tickers, pool)]
    today = np.datetime64(now().date(), "D")
    exchanges = {each.exchange: each for each in instruments}
    known = {
        name: days
        for name in sorted(exchanges)
        if (days := sessions(name, today, today + _YEAR)).known and len(days.dates)
    }
    zone_name, least = _last_to_be_final(known, exchanges, instruments)
    zone = zone_or_utc(zone_name)
    first = _first_run(at, least, zone_name, list(known))
    traded = _days(known, today)
    local = _local_minutes(traded, first, zone, machine)
    weekdays = _usual_weekdays(traded)
    return Timetable(
        exchanges=tuple(known),
        time_zone=zone_name,
        earliest=clock_time(least),
        at=clock_time(first),
        times=_runs(first, weekdays),
        local=_runs(max(local), weekdays),
        local_times=tuple(clock_time(minutes) for minutes in sorted(set(local))),
    )


def _instrument(store: Store, name: str) -> Instrument:
    ticker = parse_ticker(name)
    if store.prices.has(ticker):
        return store.prices.instrument(ticker)
    return guess_instrument(ticker)


def _last_to_be_final(
    known: dict[str, Sessions], exchanges: dict[str, Instrument], every: Sequence[Instrument]
) -> tuple[str, int]:
    """Give the zone of the exchange whose prices are final last, and when all are, in minutes.

    Without a calendar a day's prices are final as it ends, in the zone of the first ticker.
    """
    if not known:
        return every[0].time_zone or "UTC", _DAY_MINUTES
    latest = max(known, key=lambda name: max(_minutes(known[name], ZoneInfo("UTC"))))
    zone = zone_or_utc(exchanges[latest].time_zone)
    return zone.key, max(max(_minutes(days, zone)) for days in known.values())


def _minutes(days: Sessions, zone: ZoneInfo) -> list[int]:
    """Count, for each session, the minutes from its midnight until its prices are final."""
    finals = final_moments(days).astype(object)
    return [
        _since_midnight(final.replace(tzinfo=UTC), day, zone)
        for final, day in zip(finals, days.dates.astype(object), strict=True)
    ]


def _since_midnight(moment: datetime, day: date, zone: tzinfo | None) -> int:
    """Count minutes on the clock of a zone, up to the first full one."""
    local = moment.astimezone(zone)
    minutes = (local.date() - day).days * _DAY_MINUTES + local.hour * 60 + local.minute
    return int(minutes) + (local.second > 0)


def _first_run(at: str | None, least: int, zone: str, exchanges: Sequence[str]) -> int:
    """Read the time of day that was asked for; by default the first one that will do."""
    if at is None:
        return least
    if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", at):
        raise ConfigError(
            f"--at is a time of day such as {clock_time(least)}, not {at[:20]!a}",
            hint=f"stocklstm schedule --at {clock_time(least)}",
        )
    hours, minutes = map(int, at.split(":"))
    first = least // _DAY_MINUTES * _DAY_MINUTES + hours * 60 + minutes
    if first < least:
        raise ConfigError(
            f"at {clock_time(first)} in {zone} the day's prices of {' and '.join(exchanges)} are "
            f"not final: they are from {clock_time(least)} on",
            hint=f"stocklstm schedule --at {clock_time(least)}, or without --at",
        )
    return first


def _days(known: dict[str, Sessions], today: np.datetime64) -> list[date]:
    """List the days of a year on which any of them trades; every day where none is known."""
    if not known:
        every: list[date] = np.arange(today, today + _YEAR).astype(object).tolist()
        return every
    dates = np.unique(np.concatenate([days.dates for days in known.values()]))
    traded: list[date] = dates.astype(object).tolist()
    return traded


def _local_minutes(
    days: Sequence[date], first: int, zone: ZoneInfo, machine: tzinfo | None
) -> list[int]:
    """Count, for each day, the minutes to the first run on this machine's clock."""
    found = []
    for day in days:
        shift, rest = divmod(first, _DAY_MINUTES)
        local = datetime.combine(day + timedelta(days=shift), time(rest // 60, rest % 60), zone)
        found.append(_since_midnight(local.astimezone(UTC), day, machine))
    return found


def _usual_weekdays(days: Sequence[date]) -> tuple[int, ...]:
    counted = Counter(day.weekday() for day in days)
    return tuple(sorted(day for day, count in counted.items() if count >= _FEW))


def _runs(first: int, weekdays: tuple[int, ...]) -> Times:
    return Times(tuple(first + APART_MINUTES * run for run in range(RUNS)), weekdays)


def weekday_words(times: Times) -> str:
    """Write days of the week, such as Mon to Fri."""
    days = [DAYS[day] for day in times.weekdays]
    together = times.weekdays[-1] - times.weekdays[0] == len(days) - 1
    return f"{days[0]} to {days[-1]}" if together and len(days) > 2 else ", ".join(days)
