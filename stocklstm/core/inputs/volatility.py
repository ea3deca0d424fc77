"""Daily volatility: the anchor on which returns are measured.

It comes from open, high, low and close, and from the bars within sessions where these are known.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from stocklstm.core.prices.series import Bars, Flags, Floats, Indices
from stocklstm.core.records import dataclass

WARM_UP = 20
"""Rows whose variances start the moving average; they are given no volatility of their own."""

# A run of unchanged prices must not make the anchor vanish: the next move would be infinite.
_FLOOR_OF_MEDIAN = 0.1

# Mean absolute value of a standard normal variable, and how many of them one day may count for.
_MEAN_MOVE = math.sqrt(2 / math.pi)
_LARGEST_MOVE = 5.0


MEASURED_DECAY = 0.7
"""Weight of yesterday's average on a day that was measured by its own bars.

What is measured so well may count for much; chosen on training parts, see
docs/explanation/quality.md.
"""

# The ratio of ranges to what bars within sessions say: how fast it follows, how many days of both
# kinds it takes to begin with their ratio, and how many times the usual variance one day may count.
_RATIO_GAIN = 0.01
_FEWEST_OF_BOTH = 60
_LARGEST_DAY = 5.0


@dataclass(frozen=True)
class AnchorState:
    """Where the averages of an anchor stood after some close.

    Attributes:
        date: ISO day of the close.
        average: Of the variances.
        level: Of what came over what had been expected; 1 where no level is followed.
        ratios: Of the daily ranges to what bars within sessions say, one for each of `measures`.
    """

    date: str
    average: float
    level: float
    ratios: tuple[float, ...] = ()


@dataclass(frozen=True)
class Measure:
    """How the days are used that bars of some length within the session measure.

    Attributes:
        longest: Minutes of the longest such bars.
        decay: Weight of yesterday's average on such a day, 0 < decay < 1.
        ratio: Of the daily ranges to what such bars say, by the training part; 1 where it has too
            few days with both.
    """

    longest: int
    decay: float
    ratio: float


class _Averages(NamedTuple):
    """What an anchor has computed of N sessions.

    Attributes:
        variances: (N,) of each day, all on the scale of the daily ranges.
        averages: (N,) of them; NaN before the first.
        levels: (N,).
        ratios: (N, K) one for each of K measures.
    """

    variances: Floats
    averages: Floats
    levels: Floats
    ratios: Floats


@dataclass(frozen=True)
class VolatilityAnchor:
    """How a day's volatility is estimated from that day and those before it.

    Attributes:
        estimator: "range" (overnight² + Rogers–Satchell), "returns" (squared log returns) or
            "realised" (overnight² + what the bars within the session say; the range where there are
            none).
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
    measures: tuple[Measure, ...] = ()

    @classmethod
    def fit(cls, bars: Bars, rows: int, decay: float) -> "VolatilityAnchor":
        """Choose the estimator and its floor by the training part, the leading `rows`.

        Args:
            bars: N sessions.
            rows: Of the training part.
            decay: Weight of yesterday's average on a day that is measured by its range.

        The range needs opens, highs and lows that agree with the closes on at least nine
        training days in ten; otherwise squared returns serve. Bars that come with realised values
        are measured by these, where a day has them.
        """
        valid = valid_ranges(bars)[1:rows]
        ranged = valid.size > 0 and float(valid.mean()) >= 0.9
        if not ranged:
            return cls.fit_returns(bars, rows)
        anchor = cls("range", decay, 0.0, level_decay=0.995)
        if bars.realised is not None:
            anchor = replace(anchor, estimator="realised", measures=_fit_measures(bars, rows))
        return anchor.with_floor(bars, rows)

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
        found = bars.derived.get(self)
        if found is None:
            found = bars.derived[self] = self._estimated(bars)
            found.flags.writeable = False
        return found

    def variances(self, bars: Bars) -> Floats:
        """Estimate each day's own variance, (N,) squared log returns; NaN in the first row.

        All are on the scale of the daily ranges, and none is below the square of the floor.
        """
        return np.maximum(self._averages(bars).variances, self._least**2)

    def kinds(self, bars: Bars) -> Floats:
        """Tell how each day is measured, (N,): 0 by its range, 2 by the shortest bars."""
        found = _kinds(bars, self.measures)
        return np.where(found < 0, 0.0, len(self.measures) - found.astype(np.float64))

    def state(self, bars: Bars, row: int) -> AnchorState:
        """Return the averages after the close of a row, from `WARM_UP` on, to resume from later."""
        _, averages, levels, ratios = self._averages(bars)
        return AnchorState(
            str(bars.dates[row]),
            float(averages[row]),
            float(levels[row]),
            tuple(ratios[row].tolist()),
        )

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

    @property
    def _least(self) -> float:
        # A floor of zero (never moving prices) must not become a division by zero later.
        return max(self.floor, float(np.finfo(np.float32).tiny))

    def _estimated(self, bars: Bars) -> Floats:
        _, averages, levels, _ = self._averages(bars)
        estimates = np.sqrt(averages) * levels
        return np.where(np.isnan(estimates), np.nan, np.maximum(estimates, self._least))

    def _averages(self, bars: Bars) -> _Averages:
        """Compute the averages of the variances and their levels."""
        squared = bars.log_returns**2
        if self.estimator != "returns":
            squared = np.where(valid_ranges(bars), range_variances(bars), squared)
        begun, average, level = WARM_UP, None, 1.0
        ratios = tuple(each.ratio for each in self.measures)
        if self.resume is not None and len(bars) and str(bars.dates[0]) == self.resume.date:
            begun, average, level = 0, self.resume.average, self.resume.level
            ratios = self.resume.ratios
        if self.measures:
            squared, averages, followed = self._measured(bars, squared, begun, average, ratios)
        else:
            averages = _moving_average(squared, self.decay, begun, average)
            followed = np.empty((len(bars), 0))
        levels = np.ones(len(bars))
        if self.level_decay is not None:
            estimates = np.sqrt(averages)
            levels = _levels(bars.log_returns, estimates, self.level_decay, begun, level)
        return _Averages(squared, averages, levels, followed)

    def _measured(
        self,
        bars: Bars,
        ranged: Floats,
        begun: int,
        average: float | None,
        ratios: tuple[float, ...],
    ) -> tuple[Floats, Floats, Floats]:
        """Average days of several kinds, each brought to the scale of the daily ranges.

        Args:
            bars: N sessions.
            ranged: (N,) variances by the daily range.
            begun: Row of the first average.
            average: That one; None for the plain mean of the variances up to it.
            ratios: Of each measure at that row.

        Returns:
            (N,) variances, (N,) averages, (N, K) ratios.
        """
        kinds = _kinds(bars, self.measures)
        nights, within = _night_and_day(bars)
        said = np.full(len(bars), np.nan) if bars.realised is None else bars.realised.variances
        variances, averages = ranged.copy(), np.full(len(bars), np.nan)
        followed = np.tile(np.array(ratios, np.float64), (len(bars), 1))
        early = np.flatnonzero(kinds[: begun + 1] >= 0)
        scales = np.array(ratios, np.float64)[kinds[early]]
        variances[early] = nights[early] ** 2 + scales * said[early]
        if len(bars) <= begun:
            return variances, averages, followed
        last = float(variances[1 : begun + 1].mean()) if average is None else average
        averages[begun], current = last, list(ratios)
        columns = (each[begun + 1 :].tolist() for each in (kinds, ranged, nights, within, said))
        for row, (kind, value, night, inside, measured) in enumerate(
            zip(*columns, strict=True), begun + 1
        ):
            variance, decay = value, self.decay
            if kind >= 0:
                # By the ratio up to yesterday; this day's range is for those to come.
                ratio, decay = current[kind], self.measures[kind].decay
                variance = night**2 + ratio * measured
                usual = max(last, measured / _LARGEST_DAY)
                current[kind] = ratio + _RATIO_GAIN * (inside - ratio * measured) / usual
            last = decay * last + (1 - decay) * variance
            variances[row], averages[row], followed[row] = variance, last, current
        return variances, averages, followed


def _fit_measures(bars: Bars, rows: int) -> tuple[Measure, ...]:
    """Measure what daily ranges are over what bars within sessions say, in the leading rows."""
    # A forecast does without.
    from stocklstm.core.prices.realised import LONGEST_BARS, SHORT_BARS

    measures = tuple(
        Measure(longest, MEASURED_DECAY, 1.0) for longest in (SHORT_BARS, LONGEST_BARS)
    )
    kinds, (_, within) = _kinds(bars, measures)[:rows], _night_and_day(bars)
    assert bars.realised is not None  # noqa: S101 - `fit` has looked
    said = bars.realised.variances

    def fitted(kind: int, measure: Measure) -> Measure:
        both = np.flatnonzero(kinds == kind)
        if len(both) < _FEWEST_OF_BOTH:
            return measure
        return replace(measure, ratio=float(within[both].sum() / said[both].sum()))

    return tuple(fitted(kind, measure) for kind, measure in enumerate(measures))


def _kinds(bars: Bars, measures: tuple[Measure, ...]) -> Indices:
    """Tell which measure each day has, (N,); -1 for the daily range.

    Without a believable daily bar there is no open that would tell the night from the day.
    """
    if bars.realised is None:
        return np.full(len(bars), -1)
    limits = np.array([measure.longest for measure in measures])
    kinds = np.searchsorted(limits, bars.realised.minutes)
    used = valid_ranges(bars) & (bars.realised.minutes > 0) & (kinds < len(measures))
    return np.where(used, kinds, -1)


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
    overnight, intraday = _night_and_day(bars)
    variances = np.full(len(bars), np.nan)
    variances[1:] = (overnight**2 + intraday)[1:]
    return variances


def _night_and_day(bars: Bars) -> tuple[Floats, Floats]:
    """Give the log return of the night before each day, (N,), and the variance by its range."""
    with np.errstate(divide="ignore", invalid="ignore"):
        opens, highs, lows, closes = (
            np.log(prices) for prices in (bars.opens, bars.highs, bars.lows, bars.closes)
        )
        intraday = (highs - closes) * (highs - opens) + (lows - closes) * (lows - opens)
        overnight = bars.log_returns - (closes - opens)
    return overnight, intraday
