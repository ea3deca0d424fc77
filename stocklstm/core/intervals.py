"""Intervals of the forecast close, as they are given out."""

from collections.abc import Sequence
from dataclasses import dataclass

from stocklstm.core.adaptive import adapted_level, bounds
from stocklstm.core.live import ClosedForecasts
from stocklstm.core.quantiles import interval
from stocklstm.core.series import Floats


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
    """

    level: float
    lower: float
    upper: float
    adaptive: bool = False
    effective_level: float | None = None


def plain_intervals(grid: Floats, levels: Sequence[float]) -> tuple[Interval, ...]:
    """Take intervals where the forecast distribution has them.

    Args:
        grid: (Q,) quantiles over `LEVELS`, in currency.
        levels: Probabilities that the grid has intervals of.
    """
    bounded = [(level, *interval(grid[None, :], level)) for level in levels]
    return tuple(Interval(level, float(low[0]), float(high[0])) for level, low, high in bounded)


def adapted_intervals(
    grid: Floats, levels: Sequence[float], closed: ClosedForecasts
) -> tuple[tuple[Interval, ...], list[str]]:
    """Take intervals where past ones would have held what they promised.

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
                f"past outcomes ask for a {100 * level:g} % interval wider than the "
                f"{100 * widest:.0f} % one, the widest of the forecast: expect it to hold less"
            )
    return tuple(intervals[level] for level in levels), remarks
