"""Forecasts as a person sees them in a Python prompt or a notebook."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stocklstm.core.csv_rows import Table
from stocklstm.core.display import Shown, failed_words, said_of
from stocklstm.core.language import english_money
from stocklstm.core.wording import level_percent, percent_change, price_digits, range_words

if TYPE_CHECKING:
    from stocklstm.core.batch import Failure
    from stocklstm.workflows.predict.history import PastForecast
    from stocklstm.workflows.predict.predict import Forecast


def shown_forecasts(
    items: "Sequence[Forecast | PastForecast]", failures: "Sequence[Failure]", table: Table
) -> Shown:
    """Choose what a person sees of forecasts: each beside what came, where that is known."""
    farther = any(item.horizon > 1 for item in items)
    known = any(item.outcome is not None for item in items)
    levels = [level_percent(each.level) for each in items[0].intervals] if items else []
    columns = (
        *("ticker", "session", *(["ahead"] if farther else [])),
        *("forecast", "change", *levels, *(["outcome"] if known else [])),
    )
    rows = [
        [
            *(item.ticker, item.target_session, *([f"{item.horizon}"] if farther else [])),
            *(price_in_words(item), percent_change(item.change_pct)),
            *intervals_in_words(item),
            *([outcome_in_words(item)] if known else []),
        ]
        for item in items
    ]
    numbers = frozenset(range(2, len(columns)))
    words = (*said_of(items), *failed_words(failures))
    return Shown(columns, rows, numbers, words, max(0, len(table.columns) - len(columns)))


def price_in_words(item: "Forecast | PastForecast") -> str:
    """Write the forecast close with its currency."""
    return english_money(item.point, item.currency, price_digits(item.last_close))


def intervals_in_words(item: "Forecast | PastForecast") -> list[str]:
    """Write the intervals, such as 34.62 to 38.40, with as many decimals as the forecast has."""
    digits = price_digits(item.last_close)
    return [range_words(each.lower, each.upper, digits) for each in item.intervals]


def outcome_in_words(item: "Forecast | PastForecast") -> str:
    """Write the close that came likewise; nothing until it is known."""
    return "" if item.outcome is None else f"{item.outcome:,.{price_digits(item.last_close)}f}"


def forecast_in_a_line(item: "Forecast | PastForecast") -> str:
    """Show a forecast in a line."""
    ahead = f", {item.horizon} ahead" if item.horizon > 1 else ""
    intervals = "".join(
        f", {level_percent(each.level)}: {words}"
        for each, words in zip(item.intervals, intervals_in_words(item), strict=True)
    )
    came = "" if item.outcome is None else f", came: {outcome_in_words(item)}"
    return (
        f"{type(item).__name__}({item.model}, {item.target_session}{ahead}, "
        f"{price_in_words(item)}{intervals}{came})"
    )
