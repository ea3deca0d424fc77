"""The picture of errors over time."""

from typing import TYPE_CHECKING, Any

import numpy as np

from stocklstm.core.forecasts.quantiles import crps
from stocklstm.core.prices.series import Floats
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.scores.rolling import ROLLING_DAYS, chance_band, cumulative_gain, rolling_ratio
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.wording import naive_words
from stocklstm.report.figure import (
    LIGHT,
    Colours,
    Days,
    calendar_days,
    date_axis,
    heading,
    stacked,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DASHES: tuple[Any, Any] = ("-", (0, (5, 1)))
"""Told apart without colour too."""


def errors_figure(
    days: ScoredDays, evaluation: Evaluation, title: str, colours: Colours = LIGHT
) -> "Figure":
    """Draw when a model was better or worse than yesterday's close and than EWMA.

    Above, the losses saved so far (Goyal & Welch 2008, Review of Financial Studies 21): a model
    that is better for a reason rises steadily, one that was lucky rises once. Below, the ratios
    over the latest 60 days.

    Args:
        days: n >= 1 scored days, all of which are shown.
    """
    naive = naive_words(days.horizon)
    squared = (days.actuals - days.forecasts.points) ** 2, (days.actuals - days.last_closes) ** 2
    scores = crps(days.actuals, days.forecasts.quantiles), crps(days.actuals, days.ewma)
    point = f"squared error of the point, against {naive}"
    spread = "CRPS of the distribution, against EWMA"
    with stacked(colours, 1, 1, inches=7) as (figure, (gains, ratios)):
        _draw_gains(gains, colours, days, {point: squared, spread: scores})
        rolled = {
            f"RMSE of the point over that of {naive}": np.sqrt(rolling_ratio(*squared)),
            "CRPS of the distribution over that of EWMA": rolling_ratio(*scores),
        }
        _draw_ratios(ratios, colours, days, rolled)
        date_axis(ratios, calendar_days(days.dates))
        ratios.set_xlabel(f"session ({evaluation.n} in the test part)")
        heading(
            figure,
            f"Errors over time: {title}",
            f"{evaluation.verdict_text} A gain that is more than luck rises steadily; a single "
            "step is one good day.",
        )
        return figure


def _draw_gains(
    axes: "Axes", colours: Colours, days: ScoredDays, losses: dict[str, tuple[Floats, Floats]]
) -> None:
    dates = calendar_days(days.dates)
    chance = 100 * chance_band(*next(iter(losses.values())), days.horizon)
    if len(dates) >= ROLLING_DAYS and np.isfinite(chance).all():
        label = "squared error: where 95 of 100 equally good forecasts are by then"
        axes.fill_between(
            dates, -chance, chance, color=colours.blue, alpha=0.12, linewidth=0, label=label
        )
    gains = {name: 100 * cumulative_gain(*pair) for name, pair in losses.items()}
    _draw_curves(axes, colours, dates, gains)
    axes.axhline(0, color=colours.ink, linewidth=0.8)
    axes.set_ylabel("saved so far, in % of\nall losses of the reference")
    _name_sides(axes, colours, "better", "worse")


def _draw_ratios(
    axes: "Axes", colours: Colours, days: ScoredDays, ratios: dict[str, Floats]
) -> None:
    dates = calendar_days(days.dates)
    axes.axhline(1, color=colours.ink, linewidth=0.8)
    axes.set_ylabel(f"ratio over the latest\n{ROLLING_DAYS} sessions")
    if len(dates) < ROLLING_DAYS:
        _explain(
            axes, colours, f"needs {ROLLING_DAYS} sessions in the test part, which has {len(dates)}"
        )
        axes.set_ylim(0.9, 1.1)
        return
    _draw_curves(axes, colours, dates[ROLLING_DAYS - 1 :], ratios)
    _name_sides(axes, colours, "worse", "better")


def _draw_curves(axes: "Axes", colours: Colours, dates: Days, curves: dict[str, Floats]) -> None:
    # Of a single day there is no line to draw.
    marker = "o" if len(dates) == 1 else None
    styles = zip((colours.blue, colours.orange), _DASHES, strict=True)
    for (name, values), (colour, line) in zip(curves.items(), styles, strict=True):
        axes.plot(dates, values, label=name, color=colour, linestyle=line, marker=marker)
    if not any(np.isfinite(values).any() for values in curves.values()):
        _explain(axes, colours, "the references were never wrong: the price never changed")
    axes.legend(frameon=False, fontsize=9, loc="upper left")


def _explain(axes: "Axes", colours: Colours, words: str) -> None:
    axes.text(0.5, 0.6, words, transform=axes.transAxes, ha="center", color=colours.grey)


def _name_sides(axes: "Axes", colours: Colours, above: str, below: str) -> None:
    """Leave room for the legend, and label the better side at the right edge."""
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.2 * (high - low), high + 0.35 * (high - low))
    for place, words, side in ((0.97, f"↑ {above}", "top"), (0.03, f"↓ {below}", "bottom")):
        axes.text(
            0.99, place, words, transform=axes.transAxes, ha="right", va=side, color=colours.grey
        )
