"""The picture of a forecast: a fan that opens from the last close."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stocklstm.core.forecasts.fan import Fan
from stocklstm.core.forecasts.quantiles import interval
from stocklstm.core.language import english_money
from stocklstm.core.wording import counted, level_percent, price_digits
from stocklstm.report.figure import (
    LIGHT,
    Colours,
    band,
    calendar_days,
    date_axis,
    heading,
    legend_below,
    price_axis,
    side_by_side,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_CLOSES = 60

_INNER_LEVEL = 0.6

_LATEST_CLOSES = 6
"""Closes that are drawn again beside the forecast."""


def fan_figure(
    fan: Fan,
    levels: Sequence[float],
    title: str,
    words: str,
    currency: str,
    colours: Colours = LIGHT,
) -> "Figure":
    """Draw the latest closes and, larger, the last of them and the forecast.

    A single session beside sixty would be a sliver, so the sessions to come have a panel of their
    own, with prices of its own.

    Args:
        fan: The forecast, of which the last 60 closes before it are shown.
        levels: Probabilities of the intervals; one of 60 % is drawn inside them.
        words: The verdict, and what else must not be missed.
    """
    with side_by_side(colours, 1, 1, same_unit=False) as (figure, (past, ahead)):
        _draw_past(past, colours, fan, currency)
        _draw_ahead(ahead, colours, fan, sorted({_INNER_LEVEL, *levels}), currency)
        legend_below(figure, ahead, columns=3)
        heading(figure, title, words)
        return figure


def _draw_past(axes: "Axes", colours: Colours, fan: Fan, currency: str) -> None:
    dates = calendar_days(fan.dates[-SHOWN_CLOSES:])
    axes.plot(
        dates,
        fan.closes[-SHOWN_CLOSES:],
        color=colours.ink,
        marker="o",
        markersize=2.5,
        linewidth=0.8,
    )
    axes.axhline(fan.closes[-1], color=colours.grey, linestyle=":", linewidth=1)
    date_axis(axes, dates, narrow=True)
    axes.set_xlabel(f"session (last {len(dates)})")
    price_axis(axes, "close", currency)


def _draw_ahead(
    axes: "Axes", colours: Colours, fan: Fan, levels: Sequence[float], currency: str
) -> None:
    ahead = np.arange(len(fan.sessions))
    before = min(len(fan.closes), max(_LATEST_CLOSES, len(ahead) // 3))
    axes.plot(
        np.arange(1 - before, 1),
        fan.closes[-before:],
        color=colours.ink,
        marker="o",
        markersize=4 if before <= _LATEST_CLOSES else 0,
        linewidth=1,
    )
    last, point = float(fan.closes[-1]), float(fan.forecasts.points[-1])
    digits = price_digits(last)
    # Of several sessions the legend has room for the farthest.
    when = f", {fan.horizons[-1]} ahead" if len(fan.horizons) > 1 else ""
    for rank, level in enumerate(reversed(levels)):
        lower, upper = interval(fan.forecasts.quantiles, level)
        label = f"{level_percent(level)}{when}: {lower[-1]:,.{digits}f} to {upper[-1]:,.{digits}f}"
        depth = 0.15 + 0.4 * rank / (len(levels) - 1 or 1)
        band(axes, colours, ahead, lower, upper, depth=depth, label=label)
    axes.plot(
        ahead,
        fan.forecasts.points,
        color=colours.blue,
        marker="s",
        markevery=list(fan.horizons),
        label=f"forecast: {english_money(point, currency, digits)}",
    )
    axes.axhline(
        last,
        color=colours.grey,
        linestyle=":",
        linewidth=1,
        label=f"last close, {fan.sessions[0]}: {english_money(last, currency, digits)}",
    )
    if len(fan.outcomes):
        came = np.concatenate(([last], fan.outcomes))
        axes.plot(
            ahead[: len(came)],
            came,
            color=colours.orange,
            marker="X",
            markevery=[-1],
            linewidth=1,
            label=f"what came: {english_money(float(came[-1]), currency, digits)}",
        )
    _mark_sessions(axes, fan, before)
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.spines["right"].set_visible(True)
    axes.spines["left"].set_visible(False)
    price_axis(axes, "close", currency)


def _mark_sessions(axes: "Axes", fan: Fan, before: int) -> None:
    """Name the days at the horizontal axis, counted back from the one that is forecast."""
    horizon = len(fan.sessions) - 1
    days = np.concatenate([fan.dates[-before:-1], fan.sessions])
    first, step = 1 - before, max(1, -(-(len(days) - 1) // 3))
    marked = sorted(range(horizon, first - 1, -step))
    axes.set_xticks(marked, [str(days[place - first]) for place in marked], fontsize=9)
    reach = horizon - first
    axes.set_xlim(first - 0.12 * reach, horizon + 0.15 * reach)
    axes.set_xlabel(f"last {counted(before, 'close')}, and {counted(horizon, 'session')} ahead")
