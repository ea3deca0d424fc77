"""Whether intervals hold as often as promised: tests of coverage, and where outcomes fall.

References: Kupiec (1995), Journal of Derivatives 3; Christoffersen (1998), International Economic
Review 39; Gneiting, Balabdaoui & Raftery (2007), JRSS B 69.
"""

import math
from dataclasses import dataclass

import numpy as np

from stocklstm.core.prices.series import Flags, Floats
from stocklstm.core.settings.config import LEVELS


@dataclass(frozen=True)
class LikelihoodRatioTest:
    """Outcome of a likelihood-ratio test.

    Attributes:
        stat: Zero or above; the larger, the less likely is what was promised.
        p: Chance of as large a value if the promise holds.
    """

    stat: float
    p: float


def kupiec(hits: Flags, level: float) -> LikelihoodRatioTest:
    """Test whether an interval holds outcomes as often as it promises (Kupiec 1995).

    Args:
        hits: (n,) true on days whose outcome lay inside, n >= 1.
        level: Promised share, strictly between 0 and 1.
    """
    inside, outside = _counts(hits)
    promised = _log_likelihood(inside, outside, level)
    return _chi_squared(-2 * (promised - _best_log_likelihood(inside, outside)), 1)


def christoffersen(hits: Flags, level: float) -> LikelihoodRatioTest:
    """Test coverage and independence together (Christoffersen 1998, conditional coverage).

    An interval that is too narrow in wild weeks and too wide in calm ones may hold the right share
    overall; its misses then follow each other.

    Args:
        hits: (n,) true on days whose outcome lay inside, in the order of time, n >= 2.
        level: Promised share, strictly between 0 and 1.
    """
    parts = _by_day_before(hits)
    free = sum(_best_log_likelihood(*part) for part in parts)
    inside, outside = (sum(counts) for counts in zip(*parts, strict=True))
    return _chi_squared(-2 * (_log_likelihood(inside, outside, level) - free), 2)


def independence(hits: Flags) -> LikelihoodRatioTest:
    """Test whether a miss makes another one more or less likely (Christoffersen 1998).

    Args:
        hits: (n,) true on days whose outcome lay inside, in the order of time, n >= 2.
    """
    parts = _by_day_before(hits)
    inside, outside = (sum(counts) for counts in zip(*parts, strict=True))
    free = sum(_best_log_likelihood(*part) for part in parts)
    return _chi_squared(-2 * (_best_log_likelihood(inside, outside) - free), 1)


def misses_repeat(hits: Flags) -> bool:
    """Tell whether misses follow misses more often than they follow hits.

    Args:
        hits: (n,) true on days whose outcome lay inside, in the order of time, n >= 2.
    """
    (held, missed), (held_again, missed_again) = _by_day_before(hits)
    return missed_again * (held + missed) > missed * (held_again + missed_again)


def _by_day_before(hits: Flags) -> list[tuple[int, int]]:
    """Count hits and misses on days after a hit, and on days after a miss."""
    before, after = hits[:-1], hits[1:]
    return [_counts(after[before == state]) for state in (True, False)]


def _counts(hits: Flags) -> tuple[int, int]:
    inside = int(hits.sum())
    return inside, len(hits) - inside


def _log_likelihood(inside: int, outside: int, level: float) -> float:
    return inside * math.log(level) + outside * math.log1p(-level)


def _best_log_likelihood(inside: int, outside: int) -> float:
    """Take the observed share: 0 · log 0 is 0."""
    if not inside or not outside:
        return 0.0
    return _log_likelihood(inside, outside, inside / (inside + outside))


def _chi_squared(stat: float, freedom: int) -> LikelihoodRatioTest:
    # Rounding may leave a perfect agreement a little below zero.
    stat = max(0.0, stat)
    p = math.erfc(math.sqrt(stat / 2)) if freedom == 1 else math.exp(-stat / 2)
    return LikelihoodRatioTest(stat, p)


def probability_transform(actuals: Floats, quantiles: Floats) -> Floats:
    """Find where in its forecast distribution each outcome fell.

    Args:
        actuals: (n,) outcomes.
        quantiles: (n, Q) over `LEVELS`, nondecreasing.

    Returns:
        (n,) probabilities, interpolated between the levels; half of the outermost level beyond
        them. Of right forecasts they are spread evenly from 0 to 1.
    """
    levels = np.asarray(LEVELS)
    falls = np.array(
        [np.interp(actual, row, levels) for actual, row in zip(actuals, quantiles, strict=True)]
    )
    falls[actuals < quantiles[:, 0]] = levels[0] / 2
    falls[actuals > quantiles[:, -1]] = (1 + levels[-1]) / 2
    return falls


def reliability(actuals: Floats, quantiles: Floats) -> Floats:
    """Measure how often outcomes lay at or below each quantile.

    Args:
        actuals: (n,) outcomes, n >= 1.
        quantiles: (n, Q) over `LEVELS`.

    Returns:
        (Q,) shares; of right forecasts about `LEVELS`.
    """
    shares: Floats = (actuals[:, None] <= quantiles).mean(axis=0)
    return shares
