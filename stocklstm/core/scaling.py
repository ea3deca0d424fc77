"""From prices to what the network sees, and from what it says back to returns.

Two scalings serve the two targets. Both are fitted on training rows, kept as plain numbers in
the manifest and never refitted. What both give back is the same: quantiles of the log return
over the horizon, and a point forecast of it, so that all later code is one.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stocklstm.core.config import TrainingConfig
from stocklstm.core.levels import LEVELS
from stocklstm.core.quantiles import rearrange
from stocklstm.core.series import Bars, Floats, Indices
from stocklstm.core.splits import Split
from stocklstm.core.volatility import WARM_UP, VolatilityAnchor

_MEDIAN = LEVELS.index(0.5)


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
        """Turn returns into closes.

        Args:
            last_closes: (N,) closes the returns start from, in currency.

        Returns:
            The same forecasts in currency.
        """
        return ReturnForecasts(
            last_closes * np.exp(self.points), last_closes[:, None] * np.exp(self.quantiles)
        )


@dataclass(frozen=True)
class AnchorScaling:
    """Returns measured in the volatility known at the close before them.

    Inputs are the last return over the volatility that was expected of it, and the logarithm of
    the volatility expected now, standardised. The output is the quantile grid of the next return
    over that volatility.

    Attributes:
        anchor: Estimates volatility.
        log_sigma_mean: Mean of log volatility over training rows.
        log_sigma_std: Its standard deviation, above 0.
    """

    anchor: VolatilityAnchor
    log_sigma_mean: float
    log_sigma_std: float

    @classmethod
    def fit(cls, bars: Bars, rows: int) -> "AnchorScaling":
        """Measure the training part.

        Args:
            bars: N sessions.
            rows: Leading rows that belong to the training part.
        """
        anchor = VolatilityAnchor.fit(bars, rows)
        logs = np.log(anchor.sigmas(bars)[WARM_UP:rows])
        spread = float(logs.std())
        # Equal logarithms, of a price that never moved, differ from their mean by rounding.
        return cls(anchor, float(logs.mean()), spread if spread > 1e-9 else 1.0)

    @property
    def warm_up(self) -> int:
        """Rows before a return has a volatility that was known before it."""
        return WARM_UP + 1

    def inputs(self, bars: Bars) -> NDArray[np.float32]:
        """Build (N, 2): return over expected volatility, standardised log volatility."""
        sigmas = self.anchor.sigmas(bars)
        surprises = np.full(len(bars), np.nan)
        surprises[1:] = bars.log_returns[1:] / sigmas[:-1]
        levels = (np.log(sigmas) - self.log_sigma_mean) / self.log_sigma_std
        return np.column_stack((surprises, levels)).astype(np.float32)

    def targets(self, bars: Bars) -> NDArray[np.float32]:
        """Build (N,): the next return over the volatility known at each row."""
        labels = np.full(len(bars), np.nan)
        labels[:-1] = bars.log_returns[1:] / self.anchor.sigmas(bars)[:-1]
        return labels.astype(np.float32)

    def forecasts(self, outputs: Floats, bars: Bars, origins: Indices) -> ReturnForecasts:
        """Multiply the quantiles by each origin's volatility; the median is the point."""
        sigmas = self.anchor.sigmas(bars)[origins]
        quantiles = rearrange(outputs * sigmas[:, None])
        return ReturnForecasts(quantiles[:, _MEDIAN], quantiles)


@dataclass(frozen=True)
class PriceScaling:
    """The close itself, mapped so that the training part spans a fixed range (MinMax).

    Attributes:
        data_min: Lowest training close, in currency.
        data_max: Highest training close.
        low: What the lowest becomes.
        high: What the highest becomes.
        residuals: Quantiles over `LEVELS` of log(actual / forecast) on the calibration part
            (split conformal); empty until measured.
    """

    data_min: float
    data_max: float
    low: float
    high: float
    residuals: tuple[float, ...] = ()

    @classmethod
    def fit(cls, bars: Bars, rows: int, config: TrainingConfig) -> "PriceScaling":
        """Find the range of the training part.

        Args:
            bars: N sessions.
            rows: Leading rows that belong to the training part.
            config: Gives the ends of the scale.
        """
        closes = bars.closes[:rows]
        return cls(float(closes.min()), float(closes.max()), config.scale_low, config.scale_high)

    @property
    def warm_up(self) -> int:
        """No row is lost."""
        return 0

    @property
    def _slope(self) -> float:
        return (self.high - self.low) / ((self.data_max - self.data_min) or 1.0)

    def scale(self, closes: Floats) -> Floats:
        """Map closes in currency to the scale; outside the training range it goes on straight."""
        return self.low + (closes - self.data_min) * self._slope

    def unscale(self, scaled: Floats) -> Floats:
        """Map back to currency."""
        return self.data_min + (scaled - self.low) / self._slope

    def inputs(self, bars: Bars) -> NDArray[np.float32]:
        """Build (N, 1): the scaled close."""
        return self.scale(bars.closes)[:, None].astype(np.float32)

    def targets(self, bars: Bars) -> NDArray[np.float32]:
        """Build (N,): the next scaled close."""
        labels = np.full(len(bars), np.nan)
        labels[:-1] = self.scale(bars.closes)[1:]
        return labels.astype(np.float32)

    def points(self, outputs: Floats, bars: Bars, origins: Indices) -> Floats:
        """Translate outputs, (N, 1), to log returns, (N,).

        A network that forecasts a price at or below zero is taken at a thousandth of the last
        close: a price cannot be negative, and such a forecast is wrong in any case.
        """
        last = bars.closes[origins]
        return np.log(np.maximum(self.unscale(outputs[:, 0]) / last, 1e-3))

    def calibrate(self, outputs: Floats, bars: Bars, origins: Indices) -> "PriceScaling":
        """Measure residuals on rows that no weight was fitted on.

        Quantile k of n residuals is the ⌈(n + 1) τ⌉-th smallest above the median and its mirror
        image below, as split conformal prediction asks (Lei et al. 2018, JASA 113).

        Args:
            outputs: (M, 1) network outputs.
            bars: N sessions.
            origins: (M,) rows of the calibration part.
        """
        actuals = bars.log_returns[origins + 1]
        residuals = np.sort(actuals - self.points(outputs, bars, origins))
        return replace(self, residuals=tuple(conformal_quantiles(residuals).tolist()))

    def forecasts(self, outputs: Floats, bars: Bars, origins: Indices) -> ReturnForecasts:
        """Put the calibration residuals around each point.

        Raises:
            ValueError: The residuals have not been measured.
        """
        if len(self.residuals) != len(LEVELS):
            raise ValueError("the residuals have not been measured")
        points = self.points(outputs, bars, origins)
        return ReturnForecasts(points, points[:, None] + np.asarray(self.residuals)[None, :])


def conformal_quantiles(ordered: Floats) -> Floats:
    """Take the grid's quantiles with the finite-sample correction of split conformal.

    Args:
        ordered: (n,) residuals, ascending, n >= 1.

    Returns:
        (Q,) quantiles, nondecreasing, widened towards the extremes.
    """
    count = len(ordered)
    levels = np.asarray(LEVELS)
    outward = np.where(levels >= 0.5, np.ceil((count + 1) * levels), np.floor((count + 1) * levels))
    ranks: Indices = np.clip(outward.astype(np.int64), 1, count)
    quantiles: Floats = ordered[ranks - 1]
    return quantiles


Scaling = AnchorScaling | PriceScaling


def fit_scaling(bars: Bars, split: Split, config: TrainingConfig) -> Scaling:
    """Fit the scaling that the target calls for on the training part.

    Args:
        bars: N sessions.
        split: Tells where the training part ends.
        config: Tells the target.
    """
    if config.target == "return":
        return AnchorScaling.fit(bars, split.train_rows)
    return PriceScaling.fit(bars, split.train_rows, config)


def warm_up_rows(config: TrainingConfig) -> int:
    """Tell how many leading rows the target's scaling gives no inputs for."""
    return WARM_UP + 1 if config.target == "return" else 0
