"""Forecasts of normal outcomes, for tests of what is made of them."""

import numpy as np
from scipy import stats

from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.settings.config import LEVELS

GRID = stats.norm.ppf(LEVELS)


def normal_days(
    outcomes: np.ndarray, spread: float | np.ndarray = 1.0, horizon: int = 1
) -> ScoredDays:
    """Put normal forecasts of a given spread, and EWMA's of spread 1, beside outcomes around 0."""
    count = len(outcomes)
    spreads = np.broadcast_to(np.asarray(spread, float), (count,))
    return ScoredDays(
        dates=np.datetime64("2020-01-01") + np.arange(count),
        last_closes=np.full(count, 100.0),
        actuals=100 + outcomes,
        forecasts=ReturnForecasts(np.full(count, 100.0), 100 + spreads[:, None] * GRID),
        ewma=100 + np.tile(GRID, (count, 1)),
        horizon=horizon,
    )


def days_of(last, actuals, points, *, spread=1.0, ewma_spread=1.0) -> ScoredDays:
    """Make days whose intervals are normal around the points, and EWMA's around the last close."""
    last, actuals, points = (np.asarray(values, np.float64) for values in (last, actuals, points))
    return ScoredDays(
        dates=np.datetime64("2024-01-01") + np.arange(len(last)),
        last_closes=last,
        actuals=actuals,
        forecasts=ReturnForecasts(points, points[:, None] + spread * GRID),
        ewma=last[:, None] + ewma_spread * GRID,
    )


def random_days(count: int, seed: int, *, error: float = 1.0, spread: float = 1.0) -> ScoredDays:
    """Make days of which naive errors have a standard deviation of 1, the model's `error`."""
    rng = np.random.default_rng(seed)
    last = 100 + np.cumsum(rng.standard_normal(count))
    actuals = last + rng.standard_normal(count)
    return days_of(last, actuals, actuals - error * rng.standard_normal(count), spread=spread)
