"""Forecasts that cost nothing: what any model has to beat."""

import math
from dataclasses import dataclass

import numpy as np

from stocklstm.core.levels import LEVELS
from stocklstm.core.series import Bars, Floats, Indices
from stocklstm.core.volatility import WARM_UP, VolatilityAnchor


@dataclass(frozen=True)
class EwmaBaseline:
    """Filtered historical simulation on the classic moving average of squared returns.

    The next return's distribution is that of all training returns over their expected
    volatility, times the volatility expected now (Barone-Adesi, Giannopoulos & Vosper 1999).

    Attributes:
        quantiles: Over `LEVELS`, of training returns over expected volatility.
        anchor: Estimates volatility from squared returns.
    """

    quantiles: tuple[float, ...]
    anchor: VolatilityAnchor

    @classmethod
    def fit(cls, bars: Bars, rows: int) -> "EwmaBaseline":
        """Measure the training part.

        Args:
            bars: N sessions.
            rows: Leading rows that belong to the training part.
        """
        anchor = VolatilityAnchor.fit_returns(bars, rows)
        sigmas = anchor.sigmas(bars)
        ratios = bars.log_returns[WARM_UP + 1 : rows] / sigmas[WARM_UP : rows - 1]
        return cls(tuple(np.quantile(ratios, LEVELS).tolist()), anchor)

    def returns(self, bars: Bars, origins: Indices, horizon: int = 1) -> Floats:
        """Forecast quantiles of the log return to come.

        Args:
            bars: N sessions.
            origins: (M,) rows at whose close the forecasts are made.
            horizon: Sessions h ahead; the spread grows with √h.

        Returns:
            (M, Q) over `LEVELS`.
        """
        sigmas = self.anchor.sigmas(bars)[origins] * math.sqrt(horizon)
        return sigmas[:, None] * np.asarray(self.quantiles, np.float64)
