"""Is a difference more than chance? Tests and intervals, with their distributions, on NumPy.

SciPy would give the distributions, but evaluation belongs to the part of the program that
starts in a fraction of a second. The tests compare each function here with SciPy.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stocklstm.core.prices.series import Flags, Floats

_RESAMPLES = 2_000


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
    Harvey, Leybourne & Newbold (1997); long-run variance with Bartlett weights. Where spans
    overlap, Bartlett weights over their h - 1 lags alone see too little of what they share, and
    equal forecasts would be told apart in 8 of 100 cases instead of 5: there the weights reach
    over 2h lags, and the distribution is t(n / h - 1), as of so many separate spans. With h = 1
    the test is wrong in 5 of 100 cases, as it promises; with h > 1 still in 6 to 8 in simulations,
    and in up to 10 where there are less than twenty separate spans.

    Args:
        losses: (n,) losses of one forecast.
        reference: (n,) losses of the other on the same days.
        horizon: Sessions ahead h of the forecasts.

    Returns:
        A tie (stat 0, p 1) if all differences are equal to zero or there are not two spans.
    """
    differences = losses - reference
    count = len(differences)
    if count < 2 * horizon or not np.any(differences):
        return PairedTest(0.0, 1.0, count)
    variance = _long_run_variance(differences, _lags(horizon))
    mean = float(differences.mean())
    if variance <= 0 or np.ptp(differences) == 0:
        # Every day the same difference: as sure as can be.
        return PairedTest(math.copysign(math.inf, mean), 0.0, count)
    correction = (count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count
    stat = mean / math.sqrt(variance / count) * math.sqrt(max(correction, 0.0))
    freedom = count / horizon - 1
    return PairedTest(stat, 2 * student_t_tail(abs(stat), freedom), count)


def _lags(horizon: int) -> int:
    return 2 * horizon if horizon > 1 else 0


def clark_west(
    errors: Floats, reference: Floats, difference: Floats, horizon: int = 1
) -> PairedTest:
    """Test whether a forecast adds anything to a simpler one that it contains.

    A model that has the naive forecast as a special case pays for estimating what is not there:
    under the null its squared error is larger, which Diebold–Mariano holds against it. Clark &
    West (2007, Journal of Econometrics 138) take that out. One-sided: a small p speaks for the
    larger model.

    Args:
        errors: (n,) errors of the forecast.
        reference: (n,) errors of the simpler one on the same days.
        difference: (n,) simpler forecast less the other.
        horizon: Sessions ahead h.

    Returns:
        A tie (stat 0, p 1) if both forecasts are the same every day, if the simpler one was never
        wrong, or if there are not two spans.
    """
    count = len(errors)
    gains = reference**2 - (errors**2 - difference**2)
    # Where the price never changed nothing can be added; what is left of the gains is rounding.
    if count < 2 * horizon or not np.any(difference) or not np.any(reference):
        return PairedTest(0.0, 1.0, count)
    variance = _long_run_variance(gains, _lags(horizon))
    mean = float(gains.mean())
    if variance <= 0:
        return PairedTest(math.copysign(math.inf, mean), float(mean < 0), count)
    stat = mean / math.sqrt(variance / count)
    return PairedTest(stat, normal_tail(stat), count)


def pesaran_timmermann(forecast_up: Flags, actual_up: Flags) -> PairedTest:
    """Test whether directions are foreseen better than by chance (Pesaran & Timmermann 1992).

    "Up" every day is right on all rising days without foreseeing anything; the test compares with
    the hits that independent guesses at the same rates would have. One-sided.

    Args:
        forecast_up: (n,) true where a rise was forecast.
        actual_up: (n,) true where it rose.

    Returns:
        A tie (stat 0, p 1) where the test says nothing: one of them never changes.
    """
    count = len(actual_up)
    if count == 0:
        return PairedTest(0.0, 1.0, 0)
    hits = float((forecast_up == actual_up).mean())
    x, y = float(forecast_up.mean()), float(actual_up.mean())
    chance = x * y + (1 - x) * (1 - y)
    of_hits = chance * (1 - chance) / count
    of_chance = (
        (2 * y - 1) ** 2 * x * (1 - x) / count
        + (2 * x - 1) ** 2 * y * (1 - y) / count
        + 4 * x * y * (1 - x) * (1 - y) / count**2
    )
    if min(x, 1 - x, y, 1 - y) <= 0 or of_hits <= of_chance:
        return PairedTest(0.0, 1.0, count)
    stat = (hits - chance) / math.sqrt(of_hits - of_chance)
    return PairedTest(stat, normal_tail(stat), count)


def holm(chances: Sequence[float]) -> list[float]:
    """Adjust p-values for having looked many times (Holm 1979).

    Args:
        chances: p-values, in any order.

    Returns:
        Adjusted ones in the same order; below 0.05 all at once with 95 % confidence.
    """
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    adjusted, highest = [0.0] * len(chances), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - rank) * chances[place]))
        adjusted[place] = highest
    return adjusted


def skill_interval(
    losses: Floats, reference: Floats, *, level: float = 0.95, horizon: int = 1
) -> tuple[float, float]:
    """Bound the skill 1 - √(mean loss / mean reference loss) by resampling blocks of days.

    Moving blocks (Künsch 1989) of the usual length n^(1/3), at least the horizon, keep what
    neighbouring days have in common; both bounds lie as far from the skill as 95 of 100 resampled
    ones do (the symmetric interval of Hall 1988), so that they hardly ever contradict the test of
    Diebold and Mariano. The same days always give the same bounds. In simulations they leave out
    the skill of equally good forecasts in 5 to 6 of 100 cases at h = 1, as they should, but in up
    to 9 at h = 5 and in 14 at h = 20.

    Args:
        losses: (n,) squared errors of a forecast, n >= 1.
        reference: (n,) squared errors of the reference on the same days, not all zero.
        level: Confidence.
        horizon: Sessions ahead.

    Returns:
        Lower and upper bound; NaN if there are not two separate blocks, of which nothing can be
        learned about chance, or if the reference was never wrong.
    """
    count = len(losses)
    length = max(horizon, round(count ** (1 / 3)))
    if count < 2 * length:
        return math.nan, math.nan
    blocks = -(-count // length)
    generator = np.random.default_rng(0)
    starts = generator.integers(0, count - length + 1, (_RESAMPLES, blocks))
    sums = np.array([_block_sums(values, length) for values in (losses, reference)])
    drawn = sums[:, starts].sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        skills = 1 - np.sqrt(drawn[0] / drawn[1])
    skills = skills[np.isfinite(skills)]
    if not len(skills) or not reference.any():
        return math.nan, math.nan
    skill = 1 - math.sqrt(float(losses.mean()) / float(reference.mean()))
    distance = float(np.quantile(np.abs(skills - skill), level))
    return skill - distance, skill + distance


def _block_sums(values: Floats, length: int) -> Floats:
    sums: Floats = np.lib.stride_tricks.sliding_window_view(values, length).sum(axis=1)
    return sums


def normal_tail(stat: float) -> float:
    """Compute the probability that a standard normal variable exceeds a value."""
    return math.erfc(stat / math.sqrt(2)) / 2


def _long_run_variance(values: Floats, lags: int) -> float:
    centred = values - values.mean()
    variance = float(centred @ centred)
    for lag in range(1, min(lags, len(values) - 1) + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(centred[lag:] @ centred[:-lag])
    return variance / len(values)


def student_t_tail(stat: float, freedom: float) -> float:
    """Compute the probability that Student's t exceeds a value, zero or above."""
    if math.isinf(stat):
        return 0.0
    return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + stat * stat)) / 2


def student_t_quantile(probability: float, freedom: float) -> float:
    """Find the value that Student's t stays below with a probability, from 0.5 to below 1."""
    low, high = 0.0, 1.0
    while student_t_tail(high, freedom) > 1 - probability:
        low, high = high, 2 * high
    # Bisection: each step halves what is left, down to the last digit of a float.
    for _ in range(60):
        middle = (low + high) / 2
        if student_t_tail(middle, freedom) > 1 - probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Compute the regularised incomplete beta function I_x(a, b), a and b above 0, x from 0 to 1.

    Continued fraction of DLMF 8.17.22 by Lentz's method, on the side where it converges fast.
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
    """Bound a proportion (Wilson 1927); without trials by the whole range 0 … 1."""
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
    """Bound the share of hits that a right forecast stays within, exactly binomial.

    Args:
        trials: Days n, at least 1.
        probability: Promised coverage, strictly between 0 and 1.
        level: Probability of the band; at most (1 - level) / 2 lies beyond each end.
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
