"""Forecasts as a page shows them to readers: figures, days and words of the language spoken."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from stocklstm.api.problems import Problem
from stocklstm.core.exits import ExitCode
from stocklstm.core.forecasts.live import FEWEST, LiveRecord
from stocklstm.core.language import day, english, money, retold, say, say_counted
from stocklstm.core.prices.local_time import zone_or_utc
from stocklstm.core.wording import (
    judged_words,
    level_percent,
    percent,
    percent_change,
    price_digits,
    range_words,
)
from stocklstm.workflows.ledger import UNRECORDED
from stocklstm.workflows.predict.history import PastForecast
from stocklstm.workflows.predict.predict import HORIZON_CHECK, Forecast

# Exchanges whose city has another name in one of the languages, or letters that its zone lacks.
_CITIES = {
    "America/Sao_Paulo": english("São Paulo"),
    "America/New_York": english("New York"),
    "Europe/London": english("London"),
    "Asia/Tokyo": english("Tokyo"),
    "Asia/Hong_Kong": english("Hong Kong"),
}

# A command, and what leads to it, at the end of a warning: for whoever runs the server.
_COMMAND = re.compile(r"(?:[:;,] (?:look for [^:]*: )?| \()stocklstm [a-z].*", re.DOTALL)

# Two words in capitals or more; one by itself may be a name, such as EWMA.
_LOUD = re.compile(r"[A-ZÀ-Ý]{2,}(?:[ '][A-ZÀ-Ý0-9]+)+")


@dataclass(frozen=True)
class Bounds:
    """An interval as text.

    Attributes:
        level: Such as "80 %".
        words: Such as "34.56 to 38.26".
    """

    level: str
    words: str


@dataclass(frozen=True)
class ForecastRow:
    """One ticker as text.

    Attributes:
        ticker: Ticker that is forecast.
        version: Such as "v3".
        as_of: ISO day of the last close.
        last_close: Such as "R$ 36.38".
        session: ISO day that is forecast.
        horizon: Sessions ahead.
        point: The forecast.
        change: In per cent, with its sign.
        intervals: Of 80 and 95 %.
        verdict: "better", "no_better" or "worse": a class of the style sheet.
        verdict_short: The same in two words.
        verdict_head: The verdict in a few words.
        verdict_rest: Its figures.
        live: How past forecasts did.
        live_short: The same in figures alone: the share of each interval, and of how many.
        stale: How far the prices are behind; empty if they are not.
        warnings: What to know before relying on it.
    """

    ticker: str
    version: str
    as_of: str
    last_close: str
    session: str
    horizon: int
    point: str
    change: str
    intervals: tuple[Bounds, ...]
    verdict: str
    verdict_short: str
    verdict_head: str
    verdict_rest: str
    live: str
    live_short: tuple[str, str]
    stale: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class PastRow:
    """One forecast on record as text.

    Attributes:
        session: ISO day that was forecast.
        horizon: Sessions ahead.
        version: Such as "v3".
        made_at: By the exchange's clock, to the minute.
        late: True if the session had closed by then.
        point: The forecast.
        intervals: Of 80 and 95 %.
        outcome: Close that came; empty until it is stored.
        held: "inside", "outside" or "waiting": a class of the style sheet.
        result: The same in words.
    """

    session: str
    horizon: int
    version: str
    made_at: str
    late: bool
    point: str
    intervals: tuple[Bounds, ...]
    outcome: str
    held: str
    result: str


def forecast_row(made: Forecast) -> ForecastRow:
    """Write a forecast."""
    digits = price_digits(made.last_close)
    head, _, rest = quiet(retold(made.verdict_text)).partition(": ")
    return ForecastRow(
        ticker=made.ticker,
        version=f"v{made.version}",
        as_of=made.as_of,
        last_close=money(made.last_close, made.currency, digits),
        session=made.target_session,
        horizon=made.horizon,
        point=money(made.point, made.currency, digits),
        change=retold(percent_change(made.change_pct)),
        intervals=_bounds(made, digits),
        verdict=made.verdict,
        verdict_short=retold(judged_words(made.verdict)),
        verdict_head=f"{head[:1].upper()}{head[1:]}",
        verdict_rest=rest,
        live=live_words(made.live),
        live_short=_live_short(made.live),
        stale=(
            say_counted(made.stale_sessions, "{count} session behind", "{count} sessions behind")
            if made.stale_sessions
            else ""
        ),
        warnings=tuple(_warnings(made)),
    )


def _warnings(made: Forecast) -> Iterator[str]:
    """Tell what to know, without commands: they are for whoever runs the server."""
    if made.stale_sessions:
        yield say_counted(
            made.stale_sessions,
            "{count} session has ended since the last close that is stored here.",
            "{count} sessions have ended since the last close that is stored here.",
        )
    known = {check.detail: check.name for check in made.checks}
    for text in made.warnings:
        name = known.get(text)
        if name == HORIZON_CHECK:
            yield say("Forecasts farther ahead than the model learned were not tested.")
        elif text.startswith(UNRECORDED):
            yield say("This forecast is not on record.")
        elif name != "prices" or not made.stale_sessions:
            words = retold(without_commands(text))
            yield f"{words[:1].upper()}{words[1:]}"


def without_commands(text: str) -> str:
    """Leave out the command that a message or a warning ends with."""
    return _COMMAND.sub("", text)


def _bounds(made: Forecast | PastForecast, digits: int) -> tuple[Bounds, ...]:
    return tuple(
        Bounds(
            retold(level_percent(i.level)),
            retold(range_words(i.lower, i.upper, digits)),
        )
        for i in made.intervals
    )


def live_words(live: LiveRecord | None) -> str:
    """Say how many of the latest forecasts held."""
    if live is None:
        return say("none has closed yet")
    held = ", ".join(
        say("{share} inside {level}", share=percent(share), level=level_percent(float(level)))
        for level, share in live.coverage.items()
    )
    if live.n < FEWEST:
        return say_counted(
            live.n,
            "{held} (of one, too few to tell)",
            "{held} (of {count}, too few to tell)",
            held=held,
        )
    return say("{held} (of {n})", held=held, n=live.n)


def _live_short(live: LiveRecord | None) -> tuple[str, str]:
    if live is None:
        return "–", ""
    return " · ".join(retold(percent(each)) for each in live.coverage.values()), say(
        "of {n}", n=live.n
    )


def quiet(text: str) -> str:
    """Lower words in capitals: terminals have no other way to stress them, and pages have."""
    return _LOUD.sub(lambda found: found[0].lower(), text)


def past_row(past: PastForecast, time_zone: str) -> PastRow:
    """Write a forecast on record."""
    digits = price_digits(past.last_close)
    kind, words = _result(past)
    return PastRow(
        session=past.target_session,
        horizon=past.horizon,
        version=f"v{past.version}",
        made_at=clock(past.made_at, time_zone),
        late=past.late,
        point=money(past.point, past.currency, digits),
        intervals=_bounds(past, digits),
        outcome="" if past.outcome is None else money(past.outcome, past.currency, digits),
        held=kind,
        result=words,
    )


def _result(past: PastForecast) -> tuple[str, str]:
    if past.held is None:
        return "waiting", say("waiting")
    # An interval lies within those that promise more.
    for each in past.intervals:
        if past.held[f"{each.level:g}"]:
            return "inside", say("inside {level}", level=level_percent(each.level))
    return "outside", say("outside {level}", level=level_percent(past.intervals[-1].level))


# Days and times of day.


def clock(timestamp: str, time_zone: str) -> str:
    """Write a UTC timestamp by the clock of a time zone, to the minute: a day and a time."""
    moment = datetime.fromisoformat(timestamp).astimezone(zone_or_utc(time_zone))
    return f"{day(moment.date())} {moment:%H:%M}"


def time_of_day(timestamp: str, time_zone: str) -> str:
    """Write the time of day of a UTC timestamp with the name of its clock: 17:00 São Paulo."""
    moment = datetime.fromisoformat(timestamp).astimezone(zone_or_utc(time_zone))
    return f"{moment:%H:%M} {city(time_zone)}"


def city(time_zone: str) -> str:
    """Name a time zone by its city, such as São Paulo."""
    known = _CITIES.get(time_zone)
    if known is not None:
        return retold(known)
    return zone_or_utc(time_zone).key.rpartition("/")[2].replace("_", " ")


# Why there is no page.


def problem_words(problem: Problem) -> tuple[str, Sequence[str]]:
    """Tell a reader why there is nothing to read: a heading, and sentences.

    What whoever runs the server has to do about it is in the log.
    """
    if problem.code is None:
        return _http_words(problem)
    kinds = {
        ExitCode.NOT_FOUND: (
            say("No forecast yet"),
            say("There is no forecast of it here yet."),
        ),
        ExitCode.INTEGRITY: (
            say("No forecast for now"),
            say("What is stored for it is damaged and has to be repaired first."),
        ),
        ExitCode.NOT_ENOUGH_DATA: (
            say("No forecast for now"),
            say("Its prices do not suffice, or cannot be used as they are."),
        ),
        ExitCode.TRY_AGAIN: (
            say("Try again in a moment"),
            say("Something else is being stored just now."),
        ),
        ExitCode.USAGE: (
            say("This cannot be shown"),
            retold(without_commands(problem.detail)).replace("--horizon", "horizon"),
        ),
    }
    heading, words = kinds.get(
        ExitCode(problem.code),
        (say("Something went wrong here"), say("It is on record for whoever runs this server.")),
    )
    return heading, (words,)


def _http_words(problem: Problem) -> tuple[str, Sequence[str]]:
    kinds = {
        401: (
            say("A password is needed"),
            say("Any name will do, with the token of this server as the password."),
        ),
        404: (say("There is no such page"), say("Perhaps its address was mistyped.")),
        429: (
            say("Try again in a moment"),
            say("More was asked for than is answered at once."),
        ),
        500: (
            say("Something went wrong here"),
            say("It is on record for whoever runs this server."),
        ),
        503: (say("Try again in a moment"), say("Too many others are asking just now.")),
    }
    heading, words = kinds.get(problem.status, (say("This cannot be shown"), ""))
    return heading, (words,) if words else (retold(problem.detail),)
