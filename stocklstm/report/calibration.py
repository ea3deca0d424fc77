"""The calibration picture: promised against observed probabilities."""

from typing import TYPE_CHECKING

import numpy as np

from stocklstm.core.scores.calibration import probability_transform
from stocklstm.core.scores.evaluation import ScoredDays, interval_faults
from stocklstm.core.scores.scores import Coverage, Evaluation
from stocklstm.core.scores.significance import binomial_band
from stocklstm.core.settings.config import LEVELS
from stocklstm.core.wording import p_words
from stocklstm.report.figure import LIGHT, Colours, heading, legend_below, side_by_side

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 10

_BAND = 0.99
_RIGHT, _SEEN = "a right forecast", "this forecast"
_BAND_WORDS = "where chance alone puts a right forecast, 99 times of 100"


def calibration_figure(
    days: ScoredDays, evaluation: Evaluation, title: str, colours: Colours = LIGHT
) -> "Figure":
    """Draw where outcomes fell in their forecast distributions, and how often below each quantile.

    The histogram of the probability integral transform is flat for right forecasts (Gneiting,
    Balabdaoui & Raftery 2007, JRSS B 69), their reliability is the diagonal. Both bands are of
    chance alone: exact binomial, of one day in h where spans of h sessions overlap.
    """
    independent = max(1, len(days.dates) // days.horizon)
    with side_by_side(colours, 1, 1, same_unit=False) as (figure, (falls, shares)):
        _draw_falls(falls, colours, days, independent)
        _draw_shares(shares, colours, evaluation.distribution.reliability, independent)
        legend_below(figure, falls, columns=3)
        heading(figure, f"Calibration: {title}", _words(days, evaluation))
        return figure


def _draw_falls(axes: "Axes", colours: Colours, days: ScoredDays, independent: int) -> None:
    falls = probability_transform(days.actuals, days.forecasts.quantiles)
    counts, edges = np.histogram(falls, bins=BINS, range=(0, 1))
    shares = 100 * counts / len(falls)
    low, high = binomial_band(independent, 1 / BINS, _BAND)
    axes.axhspan(
        100 * low,
        100 * high,
        color=colours.grey,
        alpha=0.25,
        linewidth=0,
        zorder=0.5,
        label=_BAND_WORDS,
    )
    for edge in (low, high):
        # The bars hide the lower one.
        axes.axhline(100 * edge, color=colours.ink, linestyle=":", linewidth=0.8)
    axes.axhline(100 / BINS, color=colours.ink, linestyle="--", linewidth=1, label=_RIGHT)
    if np.ptp(days.forecasts.quantiles, axis=1).any():
        places = 100 * (edges[:-1] + edges[1:]) / 2
        axes.bar(places, shares, width=92 / BINS, color=colours.blue, label=_SEEN)
    else:
        words = "every forecast is a single price:\nno outcome has a place in it"
        axes.text(0.5, 0.4, words, transform=axes.transAxes, ha="center")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 1.08 * max(100 * high, float(shares.max())))
    axes.set_xticks([5, 50, 95], ["lowest", "middle", "highest"])
    axes.set_xlabel("tenth of the forecast in which the close fell")
    axes.set_ylabel(f"closes, % of {len(falls)}")
    axes.set_title(
        "Does each tenth of the forecast get 10 % of the closes?", loc="left", fontsize=10
    )


def _draw_shares(
    axes: "Axes", colours: Colours, shares: tuple[float, ...], independent: int
) -> None:
    promised = 100 * np.asarray(LEVELS)
    bounds = np.array([binomial_band(independent, level, _BAND) for level in LEVELS])
    axes.fill_between(
        promised,
        100 * bounds[:, 0],
        100 * bounds[:, 1],
        color=colours.grey,
        alpha=0.25,
        linewidth=0,
        label=_BAND_WORDS,
    )
    axes.plot([0, 100], [0, 100], color=colours.ink, linestyle="--", linewidth=1, label=_RIGHT)
    seen = 100 * np.asarray(shares)
    axes.plot(promised, seen, color=colours.blue, marker="o", markersize=4, label=_SEEN)
    axes.set_xlim(0, 100)
    axes.set_ylim(-2, 102)
    axes.set_xlabel("forecast: chance that the close is at or below a price, %")
    axes.set_ylabel("how often it was, %")
    axes.set_title("Does what is called 80 % come true 80 times of 100?", loc="left", fontsize=10)


def _words(days: ScoredDays, evaluation: Evaluation) -> str:
    held = " ".join(_held(days, coverage) for coverage in evaluation.distribution.coverage)
    return (
        f"{held} How to read the bars: high at both ends, the forecast is too sure (intervals too "
        "narrow); high in the middle, not sure enough (too wide); higher on the right, its prices "
        "are too low; on the left, too high."
    )


_FAULTS = {
    "too narrow": "too seldom",
    "too wide": "too often",
    "misses in runs": "misses come in runs",
    "misses too regular": "misses come too regularly",
}


def _held(days: ScoredDays, coverage: Coverage) -> str:
    faults = interval_faults(days, coverage)
    judged = ", ".join(f"{_FAULTS[each.kind]} ({p_words(each.p)})" for each in faults)
    return (
        f"The {coverage.level * 100:.0f} % interval held {coverage.share * 100:.1f} % of closes: "
        f"{judged or 'as it should'}."
    )
