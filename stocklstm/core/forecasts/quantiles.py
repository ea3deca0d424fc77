"""Forecast distributions as a grid of quantiles."""

import numpy as np

from stocklstm.core.prices.series import Floats
from stocklstm.core.records import dataclass
from stocklstm.core.settings.config import LEVELS


def rearrange(quantiles: Floats) -> Floats:
    """Sort each forecast's quantiles, so that none crosses another.

    Sorting never makes the forecast worse: Chernozhukov, Fernández-Val & Galichon (2010),
    "Quantile and probability curves without crossing", Econometrica 78(3).

    Args:
        quantiles: (N, Q) in the order of their levels.

    Returns:
        (N, Q), nondecreasing along the last axis.
    """
    return np.sort(quantiles, axis=-1)


def pinball(actuals: Floats, quantiles: Floats, levels: tuple[float, ...] = LEVELS) -> Floats:
    """Score each quantile by the loss it minimises (Koenker & Bassett 1978).

    Args:
        actuals: (N,) outcomes.
        quantiles: (N, Q) in the unit of the outcomes.
        levels: Q probabilities.

    Returns:
        (N, Q) losses in the unit of the outcomes, never negative.
    """
    errors = actuals[:, None] - quantiles
    probabilities = np.asarray(levels)
    return np.maximum(probabilities * errors, (probabilities - 1) * errors)


def crps(actuals: Floats, quantiles: Floats, levels: tuple[float, ...] = LEVELS) -> Floats:
    """Approximate the continuous ranked probability score from the grid.

    CRPS = 2 ∫ pinball(τ) dτ over 0 < τ < 1 (Gneiting & Raftery 2007). Each level stands for the
    probabilities nearer to it than to its neighbours, the outer two for their tails.

    Args:
        actuals: (N,) outcomes.
        quantiles: (N, Q) in the unit of the outcomes.
        levels: Q probabilities, increasing.

    Returns:
        (N,) scores in the unit of the outcomes; the absolute error if there is one level, 0.5.
    """
    probabilities = np.asarray(levels)
    edges = np.concatenate(([0.0], (probabilities[1:] + probabilities[:-1]) / 2, [1.0]))
    return 2 * pinball(actuals, quantiles, levels) @ np.diff(edges)


def interval(quantiles: Floats, level: float) -> tuple[Floats, Floats]:
    """Take the central interval of a given probability out of the grid.

    Args:
        quantiles: (N, Q) over `LEVELS`.
        level: 0.8, 0.9, 0.95 or 0.98: those whose bounds are on the grid.

    Returns:
        Lower and upper bounds, each (N,).

    Raises:
        ValueError: The grid does not hold both bounds.
    """
    lower, upper = interval_positions(level)
    return quantiles[:, lower], quantiles[:, upper]


def available_intervals() -> tuple[float, ...]:
    """List the probabilities of all central intervals that the grid holds, narrowest first."""
    tails = [level for level in LEVELS if level < 0.5]
    return tuple(round(1 - 2 * tail, 6) for tail in reversed(tails))


def interval_positions(level: float) -> tuple[int, int]:
    """Find the two grid positions that bound a central interval.

    Raises:
        ValueError: The grid does not hold both bounds.
    """
    rounded = [round(probability, 6) for probability in LEVELS]
    tail = round((1 - level) / 2, 6)
    return rounded.index(tail), rounded.index(round(1 - tail, 6))


@dataclass(frozen=True, eq=False)
class ReturnForecasts:
    """Forecasts of the log return from the last close to the day that is forecast.

    Attributes:
        points: (N,) point forecasts.
        quantiles: (N, Q) over `LEVELS`, nondecreasing.
    """

    points: Floats
    quantiles: Floats

    def closes(self, last_closes: Floats) -> "ReturnForecasts":
        """Turn returns into closes in currency, given the (N,) closes that they start from."""
        return ReturnForecasts(
            last_closes * np.exp(self.points), last_closes[:, None] * np.exp(self.quantiles)
        )

    def widened(self, factor: float) -> "ReturnForecasts":
        """Multiply each quantile's distance from the point: by √h for h times the horizon."""
        around = self.points[:, None]
        return ReturnForecasts(self.points, around + factor * (self.quantiles - around))
