"""Intervals of the forecast close: plain ones, and adaptive ones that learn from their misses.

Adaptive conformal inference: Gibbs & Candès (2021), "Adaptive Conformal Inference Under
Distribution Shift", NeurIPS 34, arXiv 2106.00170. An interval that promises to miss with
probability alpha is taken at another one, a; each miss lowers a, each hit raises it a little:

    a ← a + gamma (alpha - 1) after a miss,  a ← a + gamma alpha after a hit

Whatever the outcomes do, the share of misses over T days then lies within
(max(alpha, 1 - alpha) + gamma) / (gamma T) of alpha, their proposition 4.1; as long, that is, as
the grid is wide enough for what is asked of it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from stocklstm.core.forecasts.live import ClosedForecasts
from stocklstm.core.forecasts.quantiles import available_intervals, interval
from stocklstm.core.prices.series import Floats
from stocklstm.core.records import dataclass
from stocklstm.core.settings.config import LEVELS
from stocklstm.core.wording import level_percent, price_words

STEP = 0.1
"""gamma as a share of alpha: 0.02 of the 80 % interval, and 0.005, as in the paper, of the 95 %."""

_WIDEST = LEVELS[-1] - LEVELS[0]


@dataclass(frozen=True)
class Interval:
    """A central interval of the forecast close.

    Attributes:
        level: Probability promised.
        lower: Lower bound, in currency.
        upper: Upper bound.
        adaptive: True if it was adapted to past hits and misses.
        effective_level: Probability at which it was taken out of the forecast distribution if
            adapted; None where that is the one promised.
        interpolated: True if its bounds lie between quantiles of the forecast and were
            interpolated; not said of adapted ones.
        extended: True if they lie beyond the outermost quantiles of the forecast, likewise.
    """

    level: float
    lower: float
    upper: float
    adaptive: bool = False
    effective_level: float | None = None
    interpolated: bool = False
    extended: bool = False

    def __repr__(self) -> str:
        """Show its level and its bounds."""
        bounds = f"{price_words(self.lower)} to {price_words(self.upper)}"
        adaptive = ", adaptive" if self.adaptive else ""
        return f"Interval({level_percent(self.level)}: {bounds}{adaptive})"


class AdaptedLevel(NamedTuple):
    """The level at which an interval is to be taken.

    Attributes:
        promised: The coverage that is meant to come of it.
        effective: Level at which to take it, from 0 to that of the widest interval of the grid.
        reached: False if the grid has no interval as wide as was asked for.
    """

    promised: float
    effective: float
    reached: bool


def plain_intervals(grid: Floats, levels: Sequence[float]) -> tuple[Interval, ...]:
    """Take central intervals at their nominal levels.

    Args:
        grid: (Q,) quantiles over `LEVELS`, in currency.
        levels: Probabilities.
    """
    held, intervals = available_intervals(), []
    for level in levels:
        lower, upper = interval(grid[None, :], level)
        extended = level > held[-1]
        intervals.append(
            Interval(
                level,
                float(lower[0]),
                float(upper[0]),
                interpolated=level not in held and not extended,
                extended=extended,
            )
        )
    return tuple(intervals)


def adapted_intervals(
    grid: Floats, levels: Sequence[float], closed: ClosedForecasts
) -> tuple[tuple[Interval, ...], list[str]]:
    """Choose levels that would have had nominal coverage on past forecasts.

    Args:
        grid: (Q,) quantiles over `LEVELS`, in currency.
        levels: Coverages promised.
        closed: Past forecasts to learn from.

    Returns:
        The intervals, and what to know about them, one line each.
    """
    intervals, remarks, widest = {}, [], 0.0
    for level in sorted(levels):
        adapted = adapted_level(closed.actuals, closed.quantiles, level)
        # Each learns by itself; one that promises more is never the narrower one.
        widest = max(widest, adapted.effective)
        lower, upper = bounds(grid, widest)
        intervals[level] = Interval(level, lower, upper, adaptive=True, effective_level=widest)
        if not adapted.reached:
            remarks.append(
                f"past outcomes ask for a {level_percent(level)} interval wider than the "
                f"{100 * widest:.0f} % one, the widest of the forecast: expect it to hold less"
            )
    return tuple(intervals[level] for level in levels), remarks


def followed_intervals(
    grid: Floats, levels: Sequence[float], begun: Mapping[float, float], closed: ClosedForecasts
) -> tuple[Interval, ...]:
    """Take plain intervals, but for those that held too little or too much in a model's test.

    Args:
        grid: (Q,) quantiles over `LEVELS`, in currency.
        levels: Probabilities.
        begun: Levels at which the test left those intervals, by the coverage promised.
        closed: Past forecasts of days after the test, to learn from further.
    """
    intervals, widest = {}, 0.0
    for level in sorted(levels):
        effective = level
        if level in begun:
            learned = adapted_level(closed.actuals, closed.quantiles, level, begun[level])
            effective = learned.effective
        if level in begun or effective < widest:
            # One that promises more is never the narrower one.
            widest = max(widest, effective)
            lower, upper = bounds(grid, widest)
            intervals[level] = Interval(level, lower, upper, adaptive=True, effective_level=widest)
        else:
            widest = level
            (intervals[level],) = plain_intervals(grid, [level])
    return tuple(intervals[level] for level in levels)


def followed(actuals: Floats, quantiles: Floats, level: float) -> tuple[float, float]:
    """Tell how often an interval would have held that learns from one day to the next.

    Args:
        actuals: (n,) outcomes, oldest first, n >= 1.
        quantiles: (n, Q) over `LEVELS`, as they were forecast.
        level: Coverage promised.

    Returns:
        The share that held, and the level at which to take the next one.
    """
    held, current = _learned(actuals, quantiles, level, level)
    return held / len(actuals), _within_grid(current)


def adapted_level(
    actuals: Floats, quantiles: Floats, level: float, begun: float | None = None
) -> AdaptedLevel:
    """Learn from past forecasts at which level to take the next interval.

    Args:
        actuals: (n,) outcomes, oldest first.
        quantiles: (n, Q) over `LEVELS`, as they were forecast.
        level: Coverage promised, strictly between 0 and 1.
        begun: Level to begin with; by default the one promised.
    """
    _, current = _learned(actuals, quantiles, level, level if begun is None else begun)
    return AdaptedLevel(level, _within_grid(current), reached=1 - current <= _WIDEST + 1e-9)


def _learned(actuals: Floats, quantiles: Floats, level: float, begun: float) -> tuple[int, float]:
    """Follow the rule; return how many held, and the share of misses to aim at next."""
    alpha = 1 - level
    step = STEP * alpha
    current, held = 1 - begun, 0
    for actual, grid in zip(actuals.tolist(), quantiles, strict=True):
        lower, upper = bounds(grid, 1 - current)
        inside = lower <= actual <= upper
        held += inside
        current += step * (alpha - float(not inside))
        # Where every interval is to be had it keeps to these limits by itself. The grid ends, and
        # without them misses beyond it would be owed for ever.
        current = min(max(current, -step), 1 + step)
    return held, current


def _within_grid(current: float) -> float:
    return min(max(1 - current, 0.0), _WIDEST)


def bounds(grid: Floats, level: float) -> tuple[float, float]:
    """Interpolate a central interval of any level out of one forecast's grid.

    Args:
        grid: (Q,) quantiles over `LEVELS`.
        level: Its probability; below zero the median is given, and beyond the widest interval of
            the grid that one, for nothing is known of what lies outside.
    """
    tail = (1 - min(max(level, 0.0), _WIDEST)) / 2
    lower, upper = np.interp([tail, 1 - tail], LEVELS, grid)
    return float(lower), float(upper)
