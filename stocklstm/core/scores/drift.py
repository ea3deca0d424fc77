"""Has a forecaster become worse than it was? Two alarms that may be checked every evening.

A test at 5 % that is repeated every evening raises a false alarm sooner or later. Both alarms are
therefore set by what happens in a year of evenings: of 100 years in which nothing is wrong, about
2 see an alarm of the calibration, and about 5 one of the skill, or up to 10 where losses come in
clumps (docs/reference/live.md).

References: Gneiting, Balabdaoui & Raftery (2007), JRSS B 69, on probabilities of outcomes; Page
(1954), Biometrika 41, on cumulative sums; Künsch (1989), Annals of Statistics 17, on blocks.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stocklstm.core.forecasts.live import FEWEST
from stocklstm.core.forecasts.quantiles import crps, interval
from stocklstm.core.prices.series import Floats, Indices
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.settings.config import LEVELS

YEAR = 250
"""Separate forecasts over which the rates of false alarms are stated, and how far back drift is
sought: a year of evenings where each is of the next session."""

WINDOW = 120
"""Latest outcomes whose calibration is tested: fewer see little, more remember too long."""

CALIBRATION_ALARM = 0.001
"""p below which calibration raises an alarm."""

# The outer two hold what the 80 % interval misses. All lie on the grid, so that nothing has to be
# assumed of what lies between its quantiles.
_EDGES = (0.1, 0.3, 0.5, 0.7, 0.9)

# Losses grow by this many standard deviations a day before the sum does. Half of the smallest
# change worth finding soon is the classic choice.
_SLACK = 0.25

# One day, however wild, is no drift.
_LARGEST = 4.0

_FEWEST_REFERENCE = 200
_RUNS = 1_000
_BLOCK = 10
_QUIET_RUNS = 0.97


@dataclass(frozen=True)
class SkillReference:
    """How a version's losses compared with EWMA's on its test part.

    Attributes:
        mean: Of the daily differences of CRPS over the width of EWMA's 80 % interval.
        deviation: Their standard deviation.
        limit: Cumulative sum, in such deviations, that 97 of 100 years keep below which consist
            of blocks of the test part.
    """

    mean: float
    deviation: float
    limit: float


@dataclass(frozen=True)
class Drift:
    """What the alarms say.

    Attributes:
        status: "too_few" forecasts, "steady", or "drift".
        alarms: Those that are raised: "calibration", "skill".
        start: First day they look at, ISO; None if there is none.
        n: Days they look at.
        pit_stat: Chi-squared of the probabilities at which the latest outcomes fell; None if
            there are too few.
        pit_p: Its p.
        cusum: Cumulative sum of the losses against EWMA beyond those of the test part, as a share
            of its control limit: an alarm above 1; None if no test part can tell.
        since: Day on which the sum last rose above its limit, ISO; None if it is below.
    """

    status: str
    alarms: tuple[str, ...]
    start: str | None
    n: int
    pit_stat: float | None
    pit_p: float | None
    cusum: float | None
    since: str | None


def skill_reference(days: ScoredDays) -> SkillReference | None:
    """Measure on a version's test part what is to be expected of it.

    The control limit comes from the test part itself: losses are neither normal nor independent,
    and no table allows for that. Blocks of two weeks are drawn to make years, and test parts to
    measure each year by, since the real one is only a sample too.

    Returns:
        None if it has fewer than 200 separate spans, or does not differ from EWMA.
    """
    differences = _differences(_separate(days))
    count = len(differences)
    if count < _FEWEST_REFERENCE:
        return None
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if not deviation >= 1e-12:
        return None
    generator = np.random.default_rng(0)
    years = _drawn(differences, YEAR, generator)
    parts = _drawn(differences, count, generator)
    means, deviations = parts.mean(axis=1)[:, None], parts.std(axis=1, ddof=1)[:, None]
    highest = cumulative_sums(_standardised(years, means, deviations)).max(axis=1)
    return SkillReference(mean, deviation, float(np.quantile(highest, _QUIET_RUNS)))


def _drawn(values: Floats, length: int, generator: np.random.Generator) -> Floats:
    """Draw many series of a length from moving blocks."""
    starts = generator.integers(0, len(values) - _BLOCK + 1, (_RUNS, -(-length // _BLOCK)))
    blocks = np.lib.stride_tricks.sliding_window_view(values, _BLOCK)
    drawn: Floats = blocks[starts].reshape(_RUNS, -1)[:, :length]
    return drawn


def drift(days: ScoredDays, versions: Indices, references: Mapping[int, SkillReference]) -> Drift:
    """Look for drift in the latest year of forecasts.

    An alarm is answered by a new version: where one took over while an alarm was raised, both
    alarms begin again with it.

    Args:
        days: n forecasts as they were given, oldest first.
        versions: (n,) who made them.
        references: What was to be expected, by version; days of the others add nothing to the
            cumulative sum.
    """
    versions = versions[:: days.horizon][-YEAR:]
    days = _separate(days)
    days = days.select(np.arange(len(days.dates)) >= len(days.dates) - YEAR)
    bins = outcome_bins(days.actuals, days.forecasts.quantiles)
    steps = _steps(days, versions, references)
    start = 0
    for change in (np.flatnonzero(np.diff(versions)) + 1).tolist():
        if _look(days, bins, steps, slice(start, change)).alarms:
            start = change
    return _look(days, bins, steps, slice(start, len(versions)))


def _look(days: ScoredDays, bins: Indices, steps: Floats, span: slice) -> Drift:
    dates, bins, steps = days.dates[span], bins[span], steps[span]
    start = str(dates[0]) if len(dates) else None
    sums = cumulative_sums(np.nan_to_num(steps))
    known = not np.isnan(steps).all()
    cusum = float(sums[-1]) if known else None
    if len(dates) < FEWEST:
        return Drift("too_few", (), start, len(dates), None, None, cusum, None)
    stat, p = uniformity(bins[-WINDOW:])
    since = None
    if sums[-1] > 1:
        below = np.flatnonzero(sums <= 1)
        since = str(dates[below[-1] + 1 if len(below) else 0])
    raised = {"calibration": not p >= CALIBRATION_ALARM, "skill": since is not None}
    alarms = tuple(name for name, is_raised in raised.items() if is_raised)
    status = "drift" if alarms else "steady"
    return Drift(status, alarms, start, len(dates), stat, p, cusum, since)


def _separate(days: ScoredDays) -> ScoredDays:
    """Keep one forecast in h, so that their spans do not overlap."""
    return days.select(np.arange(len(days.dates)) % days.horizon == 0)


def _differences(days: ScoredDays) -> Floats:
    """Compare each day's losses in widths of EWMA's 80 % interval: wild times weigh no more."""
    lower, upper = interval(days.ewma, 0.8)
    losses = crps(days.actuals, days.forecasts.quantiles) - crps(days.actuals, days.ewma)
    widths = upper - lower
    return np.divide(losses, widths, out=np.zeros_like(losses), where=widths > 0)


def _standardised(differences: Floats, mean: Floats | float, deviation: Floats | float) -> Floats:
    return np.clip((differences - mean) / deviation, -_LARGEST, _LARGEST) - _SLACK


def _steps(days: ScoredDays, versions: Indices, references: Mapping[int, SkillReference]) -> Floats:
    """Compute what each day adds to the sum, as a share of its version's limit; NaN if unknown."""
    unknown = SkillReference(math.nan, math.nan, math.nan)
    expected = [references.get(version, unknown) for version in versions.tolist()]
    means, deviations, limits = (
        np.array([getattr(reference, name) for reference in expected], np.float64)
        for name in ("mean", "deviation", "limit")
    )
    return _standardised(_differences(days), means, deviations) / limits


def cumulative_sums(steps: Floats) -> Floats:
    """Add up from zero, never below zero (Page 1954, one-sided).

    Args:
        steps: (…, n) by time along the last axis.

    Returns:
        The same shape.
    """
    totals = np.cumsum(steps, axis=-1)
    lowest = np.minimum.accumulate(totals, axis=-1)
    sums: Floats = totals - np.minimum(lowest, 0, out=lowest)
    return sums


def outcome_bins(actuals: Floats, quantiles: Floats) -> Indices:
    """Find between which of the 10, 30, 50, 70 and 90 % quantiles each outcome fell.

    Args:
        actuals: (n,) outcomes.
        quantiles: (n, Q) over `LEVELS`.

    Returns:
        (n,) from 0, at or below the first, to 5, above the last.
    """
    bounds = quantiles[:, [LEVELS.index(edge) for edge in _EDGES]]
    bins: Indices = (actuals[:, None] > bounds).sum(axis=1)
    return bins


def uniformity(bins: Indices) -> tuple[float, float]:
    """Test whether outcomes fall where they should: Pearson's chi-squared over six bins.

    It is the test of uniform probability integral transforms (PIT) for a distribution that is
    known at the quantiles of a grid only.

    Args:
        bins: (n,) from `outcome_bins`, n >= 1.

    Returns:
        The statistic and its p, 5 degrees of freedom.
    """
    expected = len(bins) * np.diff([0.0, *_EDGES, 1.0])
    found = np.bincount(bins, minlength=len(expected))
    stat = float(((found - expected) ** 2 / expected).sum())
    # The survival function of chi-squared has a closed form where the degrees are odd.
    tail = math.sqrt(2 * stat / math.pi) * math.exp(-stat / 2) * (1 + stat / 3)
    return stat, math.erfc(math.sqrt(stat / 2)) + tail
