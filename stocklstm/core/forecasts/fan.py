"""The way from the last close to the session that is forecast."""

from dataclasses import dataclass

import numpy as np

from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.prices.series import Dates, Floats


@dataclass(frozen=True, eq=False)
class Fan:
    """Forecasts with what came before them; up to H sessions ahead, prices in currency.

    Attributes:
        dates: (N,) sessions up to the last one that was seen, N >= 1.
        closes: (N,) their closes.
        sessions: (H + 1,) the last session that was seen, and those to come.
        forecasts: H + 1 forecasts, the first being the last close itself.
        outcomes: (K,) closes of the first K <= H sessions to come, dividends added back.
        horizons: Sessions ahead of the forecasts that were asked for, nearest first, the last H.
    """

    dates: Dates
    closes: Floats
    sessions: Dates
    forecasts: ReturnForecasts
    outcomes: Floats
    horizons: tuple[int, ...]


def fan_out(target: ReturnForecasts, horizon: int, learned: int) -> ReturnForecasts:
    """Fill in the sessions between the last close and the one that is forecast.

    From the horizon that the model learned on, each session is what would be forecast of it:
    quantiles spread with the square root of time around the same point. Before that, where the
    model forecasts nothing, the point moves in a straight line.

    Args:
        target: One log return over `horizon`: points (1,), quantiles (1, Q).
        horizon: Sessions ahead H, at least `learned`.
        learned: Horizon of the model.

    Returns:
        H + 1 log returns from the last close, the first zero.
    """
    ahead = np.arange(horizon + 1)
    points = target.points[0] * np.minimum(ahead / learned, 1.0)
    spread = np.sqrt(ahead / horizon)[:, None] * (target.quantiles[0] - target.points[0])
    return ReturnForecasts(points, points[:, None] + spread)
