"""Forecast distributions as a grid of quantiles."""

import math
from functools import cache

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


NARROWEST, WIDEST = 0.2, 0.99
"""Limits of the probabilities of central intervals that can be asked for."""


def interval(quantiles: Floats, level: float) -> tuple[Floats, Floats]:
    """Take the central interval of a given probability out of the grid.

    A bound that lies between two quantiles of the grid is interpolated between them. Beyond the
    outermost one the logarithm of the price goes on in a straight line over the quantiles of the
    normal distribution, through the two outermost ones: nothing else is known of what lies there.

    Args:
        quantiles: (N, Q) over `LEVELS`, in currency.
        level: From `NARROWEST` to `WIDEST`.

    Returns:
        Lower and upper bounds, each (N,).
    """
    tail = round((1 - level) / 2, 6)
    return _quantile(quantiles, tail), _quantile(quantiles, round(1 - tail, 6))


def _quantile(quantiles: Floats, probability: float) -> Floats:
    if probability in LEVELS:
        return quantiles[:, LEVELS.index(probability)]
    place = int(np.searchsorted(LEVELS, probability))
    if 0 < place < len(LEVELS):
        below, above = LEVELS[place - 1], LEVELS[place]
        share = (probability - below) / (above - below)
        between: Floats = (1 - share) * quantiles[:, place - 1] + share * quantiles[:, place]
        return between
    # Few forecasts go as far: the others need not wait for it.
    from statistics import NormalDist

    last, before = (0, 1) if place == 0 else (len(LEVELS) - 1, len(LEVELS) - 2)
    normal = NormalDist().inv_cdf
    step = normal(LEVELS[last]) - normal(LEVELS[before])
    beyond = (normal(probability) - normal(LEVELS[last])) / step
    logs = np.log(quantiles[:, [before, last]])
    extended: Floats = np.exp(logs[:, 1] + beyond * (logs[:, 1] - logs[:, 0]))
    return extended


@cache
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

    def are_prices(self) -> bool:
        """Tell whether these are closes: all of them numbers above zero, the quantiles in order."""
        numbers = np.concatenate([self.points[:, None], self.quantiles], axis=1)
        # Written so that what is no number fails.
        sound = ((numbers > 0) & (numbers < np.inf)).all()
        return bool(sound and (self.quantiles[:, 1:] >= self.quantiles[:, :-1]).all())

    def at_horizon(self, horizon: int, learned: int) -> "ReturnForecasts":
        """Forecast farther: the same points, with quantiles spread by the square root of time.

        Args:
            horizon: Sessions ahead, at least `learned`.
            learned: Sessions ahead of this forecast.
        """
        if horizon == learned:
            return self
        factor, around = math.sqrt(horizon / learned), self.points[:, None]
        return ReturnForecasts(self.points, around + factor * (self.quantiles - around))
