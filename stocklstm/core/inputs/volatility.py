"""Daily volatility from open, high, low and close: the anchor on which returns are measured."""

import math
from dataclasses import replace

import numpy as np

from stocklstm.core.prices.series import Bars, Flags, Floats
from stocklstm.core.records import dataclass

WARM_UP = 20
"""Rows whose variances start the moving average; they are given no volatility of their own."""

# A run of unchanged prices must not make the anchor vanish: the next move would be infinite.
_FLOOR_OF_MEDIAN = 0.1

# Mean absolute value of a standard normal variable, and how many of them one day may count for.
_MEAN_MOVE = math.sqrt(2 / math.pi)
_LARGEST_MOVE = 5.0


@dataclass(frozen=True)
class AnchorState:
    """Where the averages of an anchor stood after some close.

    Attributes:
        date: ISO day of the close.
        average: Of the variances.
        level: Of what came over what had been expected; 1 where no level is followed.
    """

    date: str
    average: float
    level: float


@dataclass(frozen=True)
class VolatilityAnchor:
    """How a day's volatility is estimated from that day and those before it.

    Attributes:
        estimator: "range" (overnight² + Rogers–Satchell) or "returns" (squared log returns).
        decay: Weight of yesterday's average in today's, 0 < decay < 1.
        floor: Least volatility ever given, as a log return per day.
        level_decay: Weight of yesterday's level in today's. Ranges misjudge the returns that follow
            by a factor that changes over the years (how opens are quoted, how much is traded at
            night), so the estimate is multiplied by a slow average of what came over what it had
            said. None where no level is followed.
        resume: Where to go on from, for bars that begin on that day, so that those before it need
            not be read; None to begin with the bars.
    """

    estimator: str
    decay: float
    floor: float
    level_decay: float | None = None
    resume: AnchorState | None = None

    @classmethod
    def fit(cls, bars: Bars, rows: int) -> "VolatilityAnchor":
        """Choose the estimator and its floor by the training part, the leading `rows`.

        The range needs opens, highs and lows that agree with the closes on at least nine
        training days in ten; otherwise squared returns serve.
        """
        valid = valid_ranges(bars)[1:rows]
        ranged = valid.size > 0 and float(valid.mean()) >= 0.9
        if not ranged:
            return cls.fit_returns(bars, rows)
        return cls("range", 0.92, 0.0, level_decay=0.995).with_floor(bars, rows)

    @classmethod
    def fit_returns(cls, bars: Bars, rows: int) -> "VolatilityAnchor":
        """Take the classic moving average of squared returns (RiskMetrics 1996)."""
        return cls("returns", 0.94, 0.0).with_floor(bars, rows)

    def with_floor(self, bars: Bars, rows: int) -> "VolatilityAnchor":
        """Set the floor to a tenth of the median volatility of the training part."""
        sigmas = self.sigmas(bars)[WARM_UP:rows]
        return replace(self, floor=_FLOOR_OF_MEDIAN * float(np.median(sigmas)))

    def sigmas(self, bars: Bars) -> Floats:
        """Estimate volatility after each close, using nothing later than that close.

        Returns:
            (N,) standard deviations of the next log return; NaN in the first `WARM_UP` rows. The
            array is kept with the bars, and so may not be written.
        """
        # Inputs, their check and the forecast all ask for the same ones.
        found = bars.volatilities.get(self)
        if found is None:
            found = bars.volatilities[self] = self._estimated(bars)
            found.flags.writeable = False
        return found

    def state(self, bars: Bars, row: int) -> AnchorState:
        """Return the averages after the close of a row, from `WARM_UP` on, to resume from later."""
        averages, levels = self._averages(bars)
        return AnchorState(str(bars.dates[row]), float(averages[row]), float(levels[row]))

    def resumable(self, bars: Bars, first_origin: int) -> AnchorState | None:
        """Tell where it stood just before all that the next forecast looks at.

        Args:
            bars: N sessions.
            first_origin: First row of any series at which a forecast can be made.

        Returns:
            None where the anchor itself was not known by then.
        """
        row = len(bars) - 1 - first_origin
        return self.state(bars, row) if row >= WARM_UP else None

    def _estimated(self, bars: Bars) -> Floats:
        averages, levels = self._averages(bars)
        estimates = np.sqrt(averages) * levels
        # A floor of zero (never moving prices) must not become a division by zero later.
        floor = max(self.floor, float(np.finfo(np.float32).tiny))
        return np.where(np.isnan(estimates), np.nan, np.maximum(estimates, floor))

    def _averages(self, bars: Bars) -> tuple[Floats, Floats]:
        """Compute the averages of the variances and their levels, each (N,)."""
        squared = bars.log_returns**2
        if self.estimator == "range":
            squared = np.where(valid_ranges(bars), range_variances(bars), squared)
        begun, average, level = WARM_UP, None, 1.0
        if self.resume is not None and len(bars) and str(bars.dates[0]) == self.resume.date:
            begun, average, level = 0, self.resume.average, self.resume.level
        averages = _moving_average(squared, self.decay, begun, average)
        if self.level_decay is None:
            return averages, np.ones(len(bars))
        estimates = np.sqrt(averages)
        return averages, _levels(bars.log_returns, estimates, self.level_decay, begun, level)


def _moving_average(values: Floats, decay: float, begun: int, average: float | None) -> Floats:
    """Average with weights that fall with age.

    Args:
        values: (N,).
        decay: Weight of yesterday's average.
        begun: Row of the first average.
        average: That one; None for the plain mean of the values up to it, without the first.
    """
    averages = np.full(len(values), np.nan)
    if len(values) <= begun:
        return averages
    if average is None:
        average = float(values[1 : begun + 1].mean())
    found, fresh = [average], 1 - decay
    # A plain loop: exact recursion at a millisecond for fourteen years, and no rounding that
    # depends on how many rows are asked for.
    for value in values[begun + 1 :].tolist():
        average = decay * average + fresh * value
        found.append(average)
    averages[begun:] = found
    return averages


def _levels(returns: Floats, estimates: Floats, decay: float, begun: int, level: float) -> Floats:
    """Average by how much returns exceed what was estimated the day before.

    Args:
        returns: (N,) log returns.
        estimates: (N,) standard deviations expected of the next return; NaN before `begun`.
        decay: Weight of yesterday's level.
        begun: Row of the first level.
        level: That one.

    Returns:
        (N,) factors, 1 before `begun`.
    """
    levels = np.ones(len(returns))
    if len(returns) <= begun:
        return levels
    found, fresh = [level], 1 - decay
    for came, expected in zip(
        np.abs(returns[begun + 1 :]).tolist(), estimates[begun:-1].tolist(), strict=True
    ):
        # After many still days hardly anything is expected, and any move would count for all.
        move = came / expected if expected > 0 else 0.0
        level = decay * level + fresh * min(move, _LARGEST_MOVE) / _MEAN_MOVE
        found.append(level)
    levels[begun:] = found
    return levels


def valid_ranges(bars: Bars) -> Flags:
    """Flag the days with a believable range.

    Returns:
        (N,) true where 0 < low <= open, close <= high and the price moved within the day; never
        in the first row, which has no close before it.
    """
    with np.errstate(invalid="ignore"):
        valid = (
            (bars.lows > 0)
            & (bars.lows <= np.minimum(bars.opens, bars.closes))
            & (bars.highs >= np.maximum(bars.opens, bars.closes))
            & (bars.highs > bars.lows)
        )
    valid[:1] = False
    return valid


def range_variances(bars: Bars) -> Floats:
    """Estimate each day's variance from its open, high, low and close.

    Overnight² (previous close to open, dividends added back) plus the intraday estimator of
    Rogers & Satchell (1991), which any drift leaves unbiased.

    Returns:
        (N,) squared log returns; the first is NaN, and rows without a valid range mean nothing.
    """
    variances = np.full(len(bars), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        opens, highs, lows, closes = (
            np.log(prices) for prices in (bars.opens, bars.highs, bars.lows, bars.closes)
        )
        intraday = (highs - closes) * (highs - opens) + (lows - closes) * (lows - opens)
        overnight = bars.log_returns - (closes - opens)
        variances[1:] = (overnight**2 + intraday)[1:]
    return variances
