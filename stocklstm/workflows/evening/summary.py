"""An evening in a table: what came, what is forecast, and what to know of it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stocklstm.core.forecasts.intervals import Interval
from stocklstm.core.forecasts.live import LiveRecord
from stocklstm.core.language import english_money, retold, say, say_counted
from stocklstm.core.reference import version_id
from stocklstm.core.wording import (
    first_few,
    level_percent,
    percent_change,
    price_digits,
    range_words,
)
from stocklstm.workflows.evening.evening import EveningTicker
from stocklstm.workflows.evening.renewal import NewModel
from stocklstm.workflows.predict.history import PastForecast

OLD_SESSIONS = 60
"""Sessions that a model has not seen from which on its age is said."""


class Summary(NamedTuple):
    """The table.

    Attributes:
        columns: Headings.
        text_columns: Those of columns of words rather than figures.
        rows: A cell for each column.
        lines: What to say below it.
    """

    columns: tuple[str, ...]
    text_columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...]


def summarize(items: Sequence[EveningTicker]) -> Summary:
    """Put an evening into a table, in the language that is spoken."""
    within, note = say("Within"), say("Note")
    columns = (
        *(say("Ticker"), say("Closed"), say("Close"), say("Was forecast"), within, say("Live")),
        *(say("Next"), say("Forecast"), say("Change"), "95 %", say("Model"), note),
    )
    rows = tuple(tuple(map(retold, _row(item))) for item in items)
    return Summary(columns, (within, note), rows, tuple(_lines(items)))


def _row(item: EveningTicker) -> tuple[str, ...]:
    made, past = item.forecast, item.closed
    digits = price_digits(made.last_close)
    widest = made.intervals[-1]
    return (
        item.ticker,
        made.as_of,
        english_money(made.last_close, made.currency, digits),
        "" if past is None else f"{past.point * past.scale:,.{digits}f}",
        "" if past is None else _within(past),
        "" if made.live is None else _live(made.live),
        made.target_session,
        english_money(made.point, made.currency, digits),
        percent_change(made.change_pct),
        _bounds(widest, digits),
        made.model.removeprefix(f"{item.ticker}@"),
        "; ".join(_notes(item)),
    )


def identity(item: EveningTicker) -> tuple[str, ...]:
    """Give those cells of a row that tell which forecast it is: ticker, days and forecast."""
    row = tuple(map(retold, _row(item)))
    return row[0], row[1], row[6], row[7]


def _bounds(interval: Interval, digits: int) -> str:
    return range_words(interval.lower, interval.upper, digits)


def _within(past: PastForecast) -> str:
    """Name the narrowest interval that held what came."""
    held = [level for level, is_held in (past.held or {}).items() if is_held]
    return level_percent(min(map(float, held))) if held else say("neither")


def _live(live: LiveRecord) -> str:
    """Say how often the intervals held, such as 79/95 % of 60."""
    shares = "/".join(f"{100 * share:.0f}" for share in live.coverage.values())
    return say("{shares} % of {n}", shares=shares, n=live.n)


def _notes(item: EveningTicker) -> Iterator[str]:
    if item.stale_sessions:
        yield say_counted(item.stale_sessions, "1 session behind", "{count} sessions behind")
    if item.missed_sessions:
        days = first_few([retold(day) for day in item.missed_sessions])
        yield say("no forecast was made for {days}", days=retold(days))
    if item.fetched is not None and item.fetched.revision:
        yield retold(item.fetched.revision)
    if item.trained is not None:
        yield _outcome(item.trained)
    if item.model_sessions > OLD_SESSIONS:
        yield say(
            "model has not seen {model_sessions} sessions", model_sessions=item.model_sessions
        )
    if item.unchanged:
        yield say("unchanged")


def _outcome(new: NewModel) -> str:
    if new.promoted:
        return say("trained v{version}, the champion now", version=new.version)
    return say("trained v{version}, not the champion", version=new.version)


def _lines(items: Sequence[EveningTicker]) -> Iterator[str]:
    for item in items:
        if item.trained is not None:
            name = version_id(item.ticker, item.trained.version)
            yield f"{name}: {retold(item.trained.reason)}; {retold(item.trained.promotion)}"
    if any(item.model_sessions > OLD_SESSIONS and item.trained is None for item in items):
        command = f"stocklstm train --all --if-older-than {OLD_SESSIONS}"
        yield say("Old models: {command}", command=command)
    yield say("A forecast is not investment advice.")
