"""The picture of forecasts and outcomes."""

from typing import TYPE_CHECKING

import numpy as np

from stocklstm.core.forecasts.quantiles import interval
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.wording import naive_words
from stocklstm.report.figure import (
    LIGHT,
    Colours,
    band,
    calendar_days,
    date_axis,
    heading,
    legend_below,
    price_axis,
    stacked,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_DAYS = 120


def predictions_figure(
    days: ScoredDays, evaluation: Evaluation, title: str, currency: str, colours: Colours = LIGHT
) -> "Figure":
    """Draw the last days of the test part: outcome, forecast and both intervals.

    A forecast that repeats yesterday's close seems to follow the price, and any that starts from
    it does so nearly as well. The lower panel shows what is left without yesterday's close: the
    change that was forecast beside the one that came.

    Args:
        days: n >= 1 scored days, of which the last 120 are shown.
    """
    shown = last_days(days)
    with stacked(colours, 3, 1.3, inches=7) as (figure, (closes, changes)):
        _draw_closes(closes, colours, shown)
        price_axis(closes, "close", currency)
        _draw_changes(changes, colours, shown)
        start = naive_words(days.horizon)
        over = f"from\n{start}" if days.horizon == 1 else f"over\n{days.horizon} sessions"
        changes.set_ylabel(f"change {over}, %")
        changes.set_xlabel(f"session (last {len(shown.dates)} of {evaluation.n} in the test part)")
        date_axis(changes, calendar_days(shown.dates))
        legend_below(figure, closes, changes, columns=3)
        heading(
            figure,
            f"Forecast and outcome: {title}",
            f"{evaluation.verdict_text} Whatever stays near {start} seems to follow the price; "
            "how much of the change was foreseen is in the lower panel.",
        )
        return figure


def last_days(days: ScoredDays) -> ScoredDays:
    """Take the days that are shown."""
    return days.select(np.arange(len(days.dates)) >= len(days.dates) - SHOWN_DAYS)


def _draw_closes(axes: "Axes", colours: Colours, days: ScoredDays) -> None:
    dates = calendar_days(days.dates)
    made = "made the day before" if days.horizon == 1 else f"made {days.horizon} sessions before"
    for level, depth in ((0.95, 0.15), (0.8, 0.35)):
        lower, upper = interval(days.forecasts.quantiles, level)
        label = f"{level * 100:.0f} % interval, {made}"
        band(axes, colours, dates, lower, upper, depth=depth, label=label)
    axes.plot(
        dates,
        days.forecasts.points,
        color=colours.blue,
        linewidth=1,
        marker="s" if len(dates) == 1 else None,
        label=f"point forecast, {made}",
    )
    axes.plot(
        dates,
        days.actuals,
        color=colours.ink,
        marker="o",
        markersize=2.5,
        linewidth=0.8,
        label="outcome (close, dividends added back)",
    )
    lower, upper = interval(days.forecasts.quantiles, 0.95)
    outside = (days.actuals < lower) | (days.actuals > upper)
    axes.plot(
        dates[outside],
        days.actuals[outside],
        color=colours.orange,
        marker="X",
        markersize=7,
        linestyle="none",
        label=f"outside the 95 % interval ({outside.sum()} of {len(dates)})",
    )


def _draw_changes(axes: "Axes", colours: Colours, days: ScoredDays) -> None:
    dates = calendar_days(days.dates)
    came, foreseen = (
        100 * (closes / days.last_closes - 1) for closes in (days.actuals, days.forecasts.points)
    )
    axes.vlines(dates, 0, came, color=colours.grey, linewidth=1.2)
    axes.plot(
        dates,
        came,
        color=colours.ink,
        marker="o",
        markersize=2.5,
        linestyle="none",
        label="change that came",
    )
    axes.plot(
        dates,
        foreseen,
        color=colours.blue,
        linewidth=1.5,
        marker="s" if len(dates) == 1 else None,
        label="change that was forecast",
    )
    axes.axhline(0, color=colours.ink, linewidth=0.6)
