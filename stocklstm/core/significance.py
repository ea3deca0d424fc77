"""Is a difference more than chance? Tests and intervals, with their distributions, on NumPy.

SciPy would give the distributions, but evaluation belongs to the part of the program that
starts in a fraction of a second. The tests compare each function here with SciPy.
"""

import math
from dataclasses import dataclass

import numpy as np

from stocklstm.core.series import Floats


@dataclass(frozen=True)
class PairedTest:
    """Outcome of a paired test of equal accuracy.

    Attributes:
        stat: Above zero if the first forecast's losses are larger.
        p: Two-sided; 1 for a tie.
        n: Days compared.
    """

    stat: float
    p: float
    n: int


def diebold_mariano(losses: Floats, reference: Floats, horizon: int = 1) -> PairedTest:
    """Test whether two forecasts of the same days are equally accurate.

    Diebold & Mariano (1995) with the small-sample correction and t(n - 1) distribution of
    Harvey, Leybourne & Newbold (1997); long-run variance with Bartlett weights over
    horizon - 1 lags.

    Args:
        losses: (n,) losses of one forecast.
        reference: (n,) losses of the other on the same days.
        horizon: Sessions ahead h of the forecasts.

    Returns:
        A tie (stat 0, p 1) if all differences are equal to zero or there are fewer than two.
    """
    differences = losses - reference
    count = len(differences)
    if count < 2 or not np.any(differences):
        return PairedTest(0.0, 1.0, count)
    variance = _long_run_variance(differences, horizon - 1)
    mean = float(differences.mean())
    if variance <= 0 or np.ptp(differences) == 0:
        # Every day the same difference: as sure as can be.
        return PairedTest(math.copysign(math.inf, mean), 0.0, count)
    correction = (count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count
    stat = mean / math.sqrt(variance / count) * math.sqrt(max(correction, 0.0))
    return PairedTest(stat, 2 * student_t_tail(abs(stat), count - 1), count)


def _long_run_variance(values: Floats, lags: int) -> float:
    centred = values - values.mean()
    variance = float(centred @ centred)
    for lag in range(1, min(lags, len(values) - 1) + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(centred[lag:] @ centred[:-lag])
    return variance / len(values)


def student_t_tail(stat: float, freedom: float) -> float:
    """Give the probability that Student's t exceeds a value.

    Args:
        stat: Zero or above.
        freedom: Degrees of freedom, above 0.
    """
    if math.isinf(stat):
        return 0.0
    return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + stat * stat)) / 2


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Compute the regularised incomplete beta function I_x(a, b).

    Continued fraction of DLMF 8.17.22 by Lentz's method, on the side where it converges fast.

    Args:
        a: Above 0.
        b: Above 0.
        x: From 0 to 1.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta_fraction(b, a, 1 - x)
    return _beta_fraction(a, b, x)


def _beta_fraction(a: float, b: float, x: float) -> float:
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    tiny = 1e-300
    numerator, denominator = 1.0, 1 - (a + b) * x / (a + 1)
    denominator = 1 / (denominator or tiny)
    fraction = denominator
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for coefficient in (even, odd):
            denominator = 1 / ((1 + coefficient * denominator) or tiny)
            numerator = (1 + coefficient / numerator) or tiny
            fraction *= numerator * denominator
        if abs(numerator * denominator - 1) < 1e-15:
            break
    return front * fraction / a


def wilson_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Bound a proportion (Wilson 1927).

    Args:
        successes: From 0 to `trials`.
        trials: Zero gives the whole range 0 … 1.
        level: Confidence.
    """
    if trials == 0:
        return 0.0, 1.0
    from statistics import NormalDist

    z = NormalDist().inv_cdf((1 + level) / 2)
    rate = successes / trials
    spread = z * math.sqrt(rate * (1 - rate) / trials + (z / (2 * trials)) ** 2)
    centre = rate + z * z / (2 * trials)
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def binomial_band(trials: int, probability: float, level: float) -> tuple[float, float]:
    """Give the share of hits that a right forecast stays within.

    Args:
        trials: Days n, at least 1.
        probability: Promised coverage, strictly between 0 and 1.
        level: Probability of the band; at most (1 - level) / 2 lies beyond each end.

    Returns:
        Lowest and highest share, exact binomial.
    """
    hits = np.arange(trials + 1)
    logs = np.array(
        [
            math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
            for k in hits.tolist()
        ]
    )
    logs += hits * math.log(probability) + (trials - hits) * math.log1p(-probability)
    masses = np.exp(logs)
    below = np.cumsum(masses)
    above = np.cumsum(masses[::-1])[::-1]
    tail = (1 - level) / 2
    inside = (below > tail) & (above > tail)
    return float(hits[inside][0] / trials), float(hits[inside][-1] / trials)
