"""An evening in a table: what came, what is forecast, and what to know of it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stocklstm.core.forecasts.intervals import Interval
from stocklstm.core.forecasts.live import LiveRecord
from stocklstm.core.reference import version_id
from stocklstm.core.wording import counted, level_percent, money, percent_change, price_digits
from stocklstm.workflows.evening.evening import EveningTicker
from stocklstm.workflows.evening.renewal import NewModel
from stocklstm.workflows.predict.history import PastForecast

OLD_SESSIONS = 60
"""Sessions that a model has not seen from which on its age is said."""

TEXT_COLUMNS = ("Within", "Note")
"""Columns of words rather than figures."""

COLUMNS = (
    *("Ticker", "Closed", "Close", "Was forecast", "Within", "Live"),
    *("Next", "Forecast", "Change", "95 %", "Model", "Note"),
)


class Summary(NamedTuple):
    """The table.

    Attributes:
        rows: A cell for each of `COLUMNS`.
        lines: What to say below it.
    """

    rows: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...]


def summarize(items: Sequence[EveningTicker]) -> Summary:
    """Put an evening into a table."""
    return Summary(tuple(_row(item) for item in items), tuple(_lines(items)))


def _row(item: EveningTicker) -> tuple[str, ...]:
    made, past = item.forecast, item.closed
    digits = price_digits(made.last_close)
    widest = made.intervals[-1]
    return (
        item.ticker,
        made.as_of,
        money(made.last_close, made.currency, digits),
        "" if past is None else f"{past.point * past.scale:,.{digits}f}",
        "" if past is None else _within(past),
        "" if made.live is None else _live(made.live),
        made.target_session,
        money(made.point, made.currency, digits),
        percent_change(made.change_pct),
        _bounds(widest, digits),
        made.model.removeprefix(f"{item.ticker}@"),
        "; ".join(_notes(item)),
    )


def _bounds(interval: Interval, digits: int) -> str:
    return f"{interval.lower:,.{digits}f} to {interval.upper:,.{digits}f}"


def _within(past: PastForecast) -> str:
    """Name the narrowest interval that held what came."""
    held = [level for level, is_held in (past.held or {}).items() if is_held]
    return level_percent(min(map(float, held))) if held else "neither"


def _live(live: LiveRecord) -> str:
    """Say how often the intervals held, such as 79/95 % of 60."""
    shares = "/".join(f"{100 * share:.0f}" for share in live.coverage.values())
    return f"{shares} % of {live.n}"


def _notes(item: EveningTicker) -> Iterator[str]:
    if item.stale_sessions:
        yield f"{counted(item.stale_sessions, 'session')} behind"
    if item.fetched is not None and item.fetched.revision:
        yield item.fetched.revision
    if item.trained is not None:
        yield f"trained v{item.trained.version}, {_outcome(item.trained)}"
    if item.model_sessions > OLD_SESSIONS:
        yield f"model has not seen {item.model_sessions} sessions"
    if item.unchanged:
        yield "unchanged"


def _outcome(new: NewModel) -> str:
    return "the champion now" if new.promoted else "not the champion"


def _lines(items: Sequence[EveningTicker]) -> Iterator[str]:
    for item in items:
        if item.trained is not None:
            name = version_id(item.ticker, item.trained.version)
            yield f"{name}: {item.trained.reason}; {item.trained.promotion}"
    if any(item.model_sessions > OLD_SESSIONS and item.trained is None for item in items):
        yield f"Old models: stocklstm train --all --if-older-than {OLD_SESSIONS}"
    yield "A forecast is not investment advice."
