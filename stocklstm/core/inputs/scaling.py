"""How prices become inputs and targets of the network, and its outputs become forecasts.

Two scalings serve the two targets. Both are fitted on training rows, kept as plain numbers in
the manifest and never refitted. Both turn outputs into quantiles of the log return over the
horizon and a point forecast of it, so that all later code is the same for both.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stocklstm.core.forecasts.quantiles import ReturnForecasts, rearrange
from stocklstm.core.inputs.features import (
    FeatureScale,
    feature_inputs,
    features_warm_up,
    fit_features,
    fit_shared_features,
    needs_anchor,
)
from stocklstm.core.inputs.volatility import WARM_UP, VolatilityAnchor
from stocklstm.core.prices.series import Bars, Floats, Indices
from stocklstm.core.prices.splits import Split
from stocklstm.core.records import dataclass
from stocklstm.core.settings.config import LEVELS, TrainingConfig

_MEDIAN = LEVELS.index(0.5)


@dataclass(frozen=True)
class AnchorScaling:
    """Returns measured in the volatility known at the close before them.

    The output is the quantile grid of the return over the horizon h, over that volatility times
    √h, which is how the spread of independent returns grows.

    Attributes:
        anchor: Estimates volatility.
        features: How the inputs are scaled.
        horizon: Sessions h from the close of a window to the day that is forecast.
    """

    anchor: VolatilityAnchor
    features: tuple[FeatureScale, ...]
    horizon: int = 1

    @classmethod
    def fit(cls, bars: Bars, rows: int, config: TrainingConfig) -> "AnchorScaling":
        """Fit volatility and features on the training part, the leading `rows`.

        Raises:
            RejectedDataError: The training part lacks what a feature is made of.
        """
        anchor = VolatilityAnchor.fit(bars, rows, config.range_decay)
        return cls(anchor, fit_features(bars, rows, config, anchor), config.horizon)

    @property
    def warm_up(self) -> int:
        """Rows before all features and the volatility are known."""
        return max(WARM_UP, features_warm_up([feature.name for feature in self.features]))

    def inputs(self, bars: Bars) -> NDArray[np.float32]:
        """Build (N, F): the scaled features."""
        return feature_inputs(self.features, bars, self.anchor)

    def targets(self, bars: Bars) -> NDArray[np.float32]:
        """Build (N,): the return to come over the volatility known at each row, times √h."""
        labels = np.full(len(bars), np.nan)
        known = self._scales(bars)[: -self.horizon]
        labels[: -self.horizon] = bars.returns_over(self.horizon) / known
        return labels.astype(np.float32)

    def _scales(self, bars: Bars) -> Floats:
        scales: Floats = self.anchor.sigmas(bars) * math.sqrt(self.horizon)
        return scales

    def forecasts(self, outputs: Floats, bars: Bars, origins: Indices) -> ReturnForecasts:
        """Multiply the quantiles by each origin's volatility; the median is the point."""
        quantiles = rearrange(outputs * self._scales(bars)[origins][:, None])
        return ReturnForecasts(quantiles[:, _MEDIAN], quantiles)


@dataclass(frozen=True)
class PooledScaling:
    """What all tickers of a pooled model share: everything but how volatile each of them is.

    Attributes:
        features: How the inputs are scaled.
        horizon: Sessions h from the close of a window to the day that is forecast.
    """

    features: tuple[FeatureScale, ...]
    horizon: int = 1

    @classmethod
    def fit(
        cls, parts: Sequence[tuple[Bars, int, VolatilityAnchor]], config: TrainingConfig
    ) -> "PooledScaling":
        """Fit the features on the training parts of all tickers as one.

        Args:
            parts: Bars of each ticker, the leading rows that are its training part, and its anchor.

        Raises:
            RejectedDataError: The training parts lack what a feature is made of.
        """
        return cls(fit_shared_features(parts, config), config.horizon)

    def of(self, anchor: VolatilityAnchor) -> AnchorScaling:
        """Complete it to the scaling of one ticker."""
        return AnchorScaling(anchor, self.features, self.horizon)


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
        features: How the inputs are scaled.
        anchor: Estimates volatility, if a feature is measured in it.
        horizon: Sessions from the close of a window to the day that is forecast.
    """

    data_min: float
    data_max: float
    low: float
    high: float
    features: tuple[FeatureScale, ...]
    anchor: VolatilityAnchor | None = None
    residuals: tuple[float, ...] = ()
    horizon: int = 1

    @classmethod
    def fit(cls, bars: Bars, rows: int, config: TrainingConfig) -> "PriceScaling":
        """Fit the price range and the features on the training part, the leading `rows`.

        Raises:
            RejectedDataError: The training part lacks what a feature is made of.
        """
        closes = bars.closes[:rows]
        anchor = None
        if needs_anchor(config.features):
            anchor = VolatilityAnchor.fit(bars, rows, config.range_decay)
        return cls(
            float(closes.min()),
            float(closes.max()),
            config.scale_low,
            config.scale_high,
            fit_features(bars, rows, config, anchor),
            anchor,
            horizon=config.horizon,
        )

    @property
    def warm_up(self) -> int:
        """Rows before all features are known."""
        return features_warm_up([feature.name for feature in self.features])

    @property
    def _spread(self) -> float:
        return ((self.data_max - self.data_min) or 1.0) / (self.high - self.low)

    def scale(self, closes: Floats) -> Floats:
        """Map closes in currency to the scale, linearly also beyond the training range."""
        return self.low + (closes - self.data_min) / self._spread

    def unscale(self, scaled: Floats) -> Floats:
        """Map back to currency."""
        return self.data_min + (scaled - self.low) * self._spread

    def inputs(self, bars: Bars) -> NDArray[np.float32]:
        """Build (N, F): the scaled features."""
        return feature_inputs(self.features, bars, self.anchor)

    def targets(self, bars: Bars) -> NDArray[np.float32]:
        """Build (N,): the scaled close of the day that is forecast."""
        labels = np.full(len(bars), np.nan)
        labels[: -self.horizon] = self.scale(bars.closes)[self.horizon :]
        return labels.astype(np.float32)

    def points(self, outputs: Floats, bars: Bars, origins: Indices) -> Floats:
        """Turn outputs, (N, 1), into log returns, (N,).

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
            origins: (M,) rows of the calibration part.
        """
        actuals = bars.returns_over(self.horizon)[origins]
        residuals = np.sort(actuals - self.points(outputs, bars, origins))
        return replace(self, residuals=tuple(conformal_quantiles(residuals).tolist()))

    def forecasts(self, outputs: Floats, bars: Bars, origins: Indices) -> ReturnForecasts:
        """Put the quantiles of the calibration residuals around each point.

        Raises:
            ValueError: The residuals have not been measured.
        """
        if len(self.residuals) != len(LEVELS):
            raise ValueError("the residuals have not been measured")
        points = self.points(outputs, bars, origins)
        return ReturnForecasts(points, points[:, None] + np.asarray(self.residuals)[None, :])


def conformal_quantiles(ordered: Floats) -> Floats:
    """Take the grid's quantiles with the finite-sample correction of split conformal prediction.

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
    """Fit the scaling of the target on the training part.

    Raises:
        RejectedDataError: The training part lacks what a feature is made of.
    """
    if config.target == "return":
        return AnchorScaling.fit(bars, split.train_rows, config)
    return PriceScaling.fit(bars, split.train_rows, config)


def warm_up_rows(config: TrainingConfig) -> int:
    """Count the leading rows without inputs, or without a volatility to measure a return in."""
    least = WARM_UP if config.target == "return" else 0
    return max(least, features_warm_up(config.features))
