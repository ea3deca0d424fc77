"""The calibration picture: promised against observed probabilities."""

from typing import TYPE_CHECKING

import numpy as np

from stocklstm.core.scores.calibration import probability_transform
from stocklstm.core.scores.evaluation import ScoredDays, interval_faults
from stocklstm.core.scores.scores import Coverage, Evaluation
from stocklstm.core.scores.significance import binomial_band
from stocklstm.core.settings.config import LEVELS
from stocklstm.core.wording import p_words
from stocklstm.report.figure import LIGHT, Colours, heading_across, side_by_side

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 10

_BAND = 0.99
_BAND_WORDS = "99 of 100 {} of a right forecast"


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
        heading_across(figure, f"Calibration: {title}", _words(days, evaluation))
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
        zorder=2,  # on the bars, which would hide its lower edge
        label=_BAND_WORDS.format("bars"),
    )
    axes.axhline(100 / BINS, color=colours.ink, linestyle="--", linewidth=1, label="promised")
    if np.ptp(days.forecasts.quantiles, axis=1).any():
        places = 100 * (edges[:-1] + edges[1:]) / 2
        axes.bar(places, shares, width=92 / BINS, color=colours.blue, label="seen")
    else:
        words = "every forecast is a single price:\nno outcome has a place in it"
        axes.text(0.5, 0.4, words, transform=axes.transAxes, ha="center")
    axes.set_xlim(0, 100)
    # The legend stands above the bars.
    axes.set_ylim(0, 1.4 * max(100 * high, float(shares.max())))
    axes.set_xlabel("place of the outcome in its forecast distribution, %")
    axes.set_ylabel(f"share of outcomes, % (n = {len(falls)})")
    axes.legend(frameon=False, fontsize=9, loc="upper left", ncols=2)


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
        label=_BAND_WORDS.format("points"),
    )
    axes.plot([0, 100], [0, 100], color=colours.ink, linestyle="--", linewidth=1, label="promised")
    seen = 100 * np.asarray(shares)
    axes.plot(promised, seen, color=colours.blue, marker="o", markersize=4, label="seen")
    axes.set_xlim(0, 100)
    axes.set_ylim(-2, 102)
    axes.set_xlabel("probability of the quantile, %")
    axes.set_ylabel("outcomes at or below it, %")
    axes.legend(frameon=False, fontsize=9, loc="upper left")


def _words(days: ScoredDays, evaluation: Evaluation) -> str:
    held = " ".join(_held(days, coverage) for coverage in evaluation.distribution.coverage)
    return (
        f"{held} Bars high at both ends: intervals too narrow; high in the middle: too wide; "
        "higher to one side: forecasts too low (right) or too high (left)."
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
        f"The {coverage.level * 100:.0f} % interval held {coverage.share * 100:.1f} % of outcomes: "
        f"{judged or 'as it should'}."
    )
