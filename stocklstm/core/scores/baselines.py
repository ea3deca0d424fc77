"""Forecasts without a network: what any model has to beat."""

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from stocklstm.core.inputs.volatility import WARM_UP, VolatilityAnchor
from stocklstm.core.prices.series import (
    Bars,
    Floats,
    Indices,
    outcomes,
)
from stocklstm.core.records import dataclass
from stocklstm.core.settings.config import LEVELS


class DistributionBaseline(Protocol):
    """A forecast of the distribution of a return without a network."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def returns(self, bars: Bars, origins: Indices, horizon: int = 1) -> Floats:
        """Forecast (M, Q) quantiles over `LEVELS` of the log return from each origin."""


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
        """Measure the training part, the leading `rows`."""
        anchor = VolatilityAnchor.fit_returns(bars, rows)
        sigmas = anchor.sigmas(bars)
        ratios = bars.log_returns[WARM_UP + 1 : rows] / sigmas[WARM_UP : rows - 1]
        return cls(tuple(np.quantile(ratios, LEVELS).tolist()), anchor)

    def returns(self, bars: Bars, origins: Indices, horizon: int = 1) -> Floats:
        """Forecast quantiles of the log return to come.

        Args:
            origins: (M,) rows at whose close the forecasts are made.
            horizon: Sessions h ahead; the spread grows with √h.

        Returns:
            (M, Q) over `LEVELS`.
        """
        sigmas = self.anchor.sigmas(bars)[origins] * math.sqrt(horizon)
        return sigmas[:, None] * np.asarray(self.quantiles, np.float64)


@dataclass(frozen=True)
class Baselines:
    """All of them, fitted on one training part.

    Beside yesterday's close, which needs no fitting.

    Attributes:
        ewma: Forecasts the distribution.
        drift: Mean log return of a session.
        intercept: Of the autoregression of a return on the one before it.
        slope: Of the same.
    """

    ewma: EwmaBaseline
    drift: float
    intercept: float
    slope: float

    @classmethod
    def fit(cls, bars: Bars, rows: int) -> "Baselines":
        """Measure the training part, the leading `rows`; the autoregression by least squares."""
        returns = bars.log_returns[1:rows]
        before, after = returns[:-1] - returns[:-1].mean(), returns[1:] - returns[1:].mean()
        spread = float(before @ before)
        slope = float(before @ after) / spread if spread > 0 else 0.0
        return cls(
            EwmaBaseline.fit(bars, rows),
            float(returns.mean()),
            float(returns[1:].mean() - slope * returns[:-1].mean()),
            slope,
        )

    def points(self, bars: Bars, origins: Indices, horizon: int = 1) -> Mapping[str, Floats]:
        """Forecast the log return to come, in several simple ways.

        Args:
            origins: (M,) rows at whose close the forecasts are made, none the first.
            horizon: Sessions h ahead.

        Returns:
            (M,) returns by name: "drift", "AR(1)".
        """
        step, total = bars.log_returns[origins], np.zeros(len(origins))
        for _ in range(horizon):
            step = self.intercept + self.slope * step
            total = total + step
        return {"drift": np.full(len(origins), horizon * self.drift), "AR(1)": total}


def naive_error(bars: Bars, rows: int, horizon: int = 1) -> float:
    """Measure the mean absolute error of the last close over the leading `rows`, the training part.

    In currency: the scale of MASE.
    """
    origins = np.arange(rows - horizon)
    return float(np.abs(outcomes(bars, origins, horizon) - bars.closes[origins]).mean())
