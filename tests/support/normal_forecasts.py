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
