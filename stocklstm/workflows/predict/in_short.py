"""Forecasts as a person sees them in a Python prompt or a notebook."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stocklstm.core.csv_rows import Table
from stocklstm.core.display import Shown, failed_words, said_of
from stocklstm.core.wording import (
    level_percent,
    money,
    percent_change,
    price_digits,
    price_words,
)

if TYPE_CHECKING:
    from stocklstm.core.batch import Failure
    from stocklstm.core.forecasts.intervals import Interval
    from stocklstm.workflows.predict.history import PastForecast
    from stocklstm.workflows.predict.predict import Forecast


def shown_forecasts(
    items: "Sequence[Forecast | PastForecast]", failures: "Sequence[Failure]", table: Table
) -> Shown:
    """Choose what a person sees of forecasts: each beside what came, where that is known."""
    several = any(item.horizon > 1 for item in items)
    known = any(item.outcome is not None for item in items)
    levels = [level_percent(each.level) for each in items[0].intervals] if items else []
    columns = (
        *("ticker", "session", *["ahead"][: int(several)]),
        *("forecast", "change", *levels, *["outcome"][: int(known)]),
    )
    rows = [
        [
            *(item.ticker, item.target_session, *[f"{item.horizon}"][: int(several)]),
            *(price_in_words(item), percent_change(item.change_pct)),
            *(interval_words(each) for each in item.intervals),
            *["" if item.outcome is None else price_words(item.outcome)][: int(known)],
        ]
        for item in items
    ]
    numbers = frozenset(range(2, len(columns)))
    words = (*said_of(items), *failed_words(failures))
    return Shown(columns, rows, numbers, words, max(0, len(table.columns) - len(columns)))


def price_in_words(item: "Forecast | PastForecast") -> str:
    """Write the forecast close with its currency."""
    return money(item.point, item.currency, price_digits(item.last_close))


def interval_words(interval: "Interval") -> str:
    """Write an interval, such as 34.62 to 38.40."""
    return f"{price_words(interval.lower)} to {price_words(interval.upper)}"


def forecast_in_a_line(item: "Forecast | PastForecast") -> str:
    """Show a forecast in a line."""
    ahead = f", {item.horizon} ahead" if item.horizon > 1 else ""
    intervals = "".join(
        f", {level_percent(each.level)}: {interval_words(each)}" for each in item.intervals
    )
    came = "" if item.outcome is None else f", came: {price_words(item.outcome)}"
    return (
        f"{type(item).__name__}({item.model}, {item.target_session}{ahead}, "
        f"{price_in_words(item)}{intervals}{came})"
    )
