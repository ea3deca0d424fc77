"""Intervals that learn from their own misses.

Adaptive conformal inference: Gibbs & Candès (2021), "Adaptive Conformal Inference Under
Distribution Shift", NeurIPS 34, arXiv 2106.00170. An interval that promises to miss with
probability alpha is taken at another one, a; each miss lowers a, each hit raises it a little:

    a ← a + gamma (alpha - 1) after a miss,  a ← a + gamma alpha after a hit

Whatever the outcomes do, the share of misses over T days then lies within
(max(alpha, 1 - alpha) + gamma) / (gamma T) of alpha, their proposition 4.1; as long, that is, as
the grid is wide enough for what is asked of it.
"""

from dataclasses import dataclass

import numpy as np

from stocklstm.core.levels import LEVELS
from stocklstm.core.series import Floats

STEP = 0.1
"""gamma as a share of alpha: 0.02 of the 80 % interval, and 0.005, as in the paper, of the 95 %."""

_WIDEST = LEVELS[-1] - LEVELS[0]


@dataclass(frozen=True)
class AdaptedLevel:
    """At which level an interval is to be taken.

    Attributes:
        promised: The coverage that is meant to come of it.
        effective: Level at which to take it, from 0 to that of the widest interval of the grid.
        reached: False if the grid has no interval as wide as was asked for.
    """

    promised: float
    effective: float
    reached: bool


def adapted_level(actuals: Floats, quantiles: Floats, level: float) -> AdaptedLevel:
    """Learn from past forecasts at which level to take the next interval.

    Args:
        actuals: (n,) outcomes, oldest first.
        quantiles: (n, Q) over `LEVELS`, as they were forecast.
        level: Coverage promised, strictly between 0 and 1.
    """
    alpha = 1 - level
    step = STEP * alpha
    current = alpha
    for actual, grid in zip(actuals.tolist(), quantiles, strict=True):
        lower, upper = bounds(grid, 1 - current)
        current += step * (alpha - float(not lower <= actual <= upper))
        # Where every interval is to be had it keeps to these limits by itself. The grid ends, and
        # without them misses beyond it would be owed for ever.
        current = min(max(current, -step), 1 + step)
    return AdaptedLevel(
        level, min(max(1 - current, 0.0), _WIDEST), reached=1 - current <= _WIDEST + 1e-9
    )


def bounds(grid: Floats, level: float) -> tuple[float, float]:
    """Take a central interval of any level out of one forecast's grid.

    Args:
        grid: (Q,) quantiles over `LEVELS`.
        level: Its probability; beyond the widest interval of the grid that one is given, for
            nothing is known of what lies outside, and below zero the median.

    Returns:
        Lower and upper bound, interpolated between the quantiles.
    """
    tail = (1 - min(max(level, 0.0), _WIDEST)) / 2
    lower, upper = np.interp([tail, 1 - tail], LEVELS, grid)
    return float(lower), float(upper)
