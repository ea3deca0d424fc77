"""Coverage tests against published values, closed forms and simulation."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stocklstm.core.scores.calibration import (
    christoffersen,
    independence,
    kupiec,
    misses_repeat,
    probability_transform,
    reliability,
)
from stocklstm.core.settings.config import LEVELS
from tests.support.property_tests import PROPERTY


def hits_of(count: int, inside: int) -> np.ndarray:
    return np.arange(count) < inside


# --- Kupiec --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "level", "accepted"),
    [
        # Kupiec (1995), table 2: numbers of failures N that are not rejected at 5 %.
        (255, 0.99, range(7)),
        (510, 0.99, range(2, 11)),
        (1000, 0.99, range(5, 17)),
        (255, 0.95, range(7, 21)),
        (510, 0.95, range(17, 36)),
        (1000, 0.95, range(38, 65)),
        (255, 0.9, range(17, 36)),
        (1000, 0.9, range(82, 120)),
    ],
)
def test_kupiec_accepts_what_the_published_table_accepts(
    days: int, level: float, accepted: range
) -> None:
    kept = [k for k in range(150) if kupiec(hits_of(days, days - k), level).p > 0.05]

    # The table counts the failures with N < limit and N > limit; its ends may be one apart.
    assert abs(kept[0] - accepted[0]) <= 1
    assert abs(kept[-1] - accepted[-1]) <= 1


@PROPERTY
@given(
    count=st.integers(1, 2000),
    share=st.floats(0, 1),
    level=st.floats(0.01, 0.99),
)
def test_kupiec_is_the_likelihood_ratio_of_two_binomials(
    count: int, share: float, level: float
) -> None:
    inside = round(count * share)

    found = kupiec(hits_of(count, inside), level)

    promised, seen = (stats.binom.logpmf(inside, count, p) for p in (level, inside / count))
    assert found.stat == pytest.approx(max(0.0, -2 * (promised - seen)), abs=1e-7 * count)
    assert found.p == pytest.approx(stats.chi2.sf(found.stat, 1), rel=1e-9, abs=1e-300)


def test_kupiec_of_a_perfect_share_and_of_one_day() -> None:
    assert kupiec(hits_of(100, 95), 0.95).p == pytest.approx(1)
    assert kupiec(hits_of(1, 1), 0.95).p == pytest.approx(stats.chi2.sf(-2 * math.log(0.95), 1))


# --- Christoffersen ------------------------------------------------------------------------------


@PROPERTY
@given(st.lists(st.booleans(), min_size=2, max_size=300), st.floats(0.05, 0.95))
def test_coverage_and_independence_make_up_conditional_coverage(
    days: list[bool], level: float
) -> None:
    hits = np.array(days)

    # Christoffersen (1998): LR_cc = LR_uc + LR_ind, all of the days that have one before them.
    parts = kupiec(hits[1:], level).stat + independence(hits).stat
    assert christoffersen(hits, level).stat == pytest.approx(parts, abs=1e-9 * len(days))


def test_misses_repeat_where_a_miss_makes_another_one_likelier() -> None:
    runs, alternating = np.repeat([True, False] * 5, 4), np.tile([True, False], 20)

    assert misses_repeat(runs)
    assert not misses_repeat(alternating)
    assert not misses_repeat(np.ones(20, bool))
    # After a miss 1 of 2 days missed, after a hit 1 of 2.
    assert not misses_repeat(np.array([True, True, False, False, True]))


@PROPERTY
@given(st.lists(st.booleans(), min_size=2, max_size=300), st.floats(0.05, 0.95))
def test_christoffersen_counts_transitions(days: list[bool], level: float) -> None:
    hits = np.array(days)
    pairs = list(pairwise(days))

    free = 0.0
    for state in (True, False):
        inside = sum(after for before, after in pairs if before is state)
        outside = sum(not after for before, after in pairs if before is state)
        for part in (inside, outside):
            free += part * math.log(part / (inside + outside)) if part else 0.0
    held = sum(after for _, after in pairs)
    promised = held * math.log(level) + (len(pairs) - held) * math.log(1 - level)

    found = christoffersen(hits, level)

    assert found.stat == pytest.approx(max(0.0, -2 * (promised - free)), abs=1e-8)
    assert found.p == pytest.approx(stats.chi2.sf(found.stat, 2), rel=1e-9, abs=1e-300)


def test_misses_that_follow_each_other_are_noticed() -> None:
    apart = np.ones(500, bool)
    apart[::10] = False
    together = np.ones(500, bool)
    together[100:150] = False

    assert kupiec(apart, 0.9).p == kupiec(together, 0.9).p == pytest.approx(1)
    assert christoffersen(together, 0.9).p < 1e-6


@pytest.mark.parametrize("test", [kupiec, christoffersen])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_a_right_interval_is_rejected_about_as_often_as_promised(test, level: float) -> None:
    random = np.random.default_rng(7)

    rejected = [test(random.random(600) < level, level).p < 0.05 for _ in range(2000)]

    # Counts are whole numbers, so the size is near 5 % and not equal to it.
    assert 0.03 < np.mean(rejected) < 0.075


# --- where outcomes fall -------------------------------------------------------------------------


def test_outcomes_fall_where_the_distribution_says() -> None:
    random = np.random.default_rng(3)
    quantiles = np.tile(stats.norm.ppf(LEVELS), (4000, 1))
    actuals = random.standard_normal(4000)

    falls = probability_transform(actuals, quantiles)

    inside = (actuals > quantiles[:, 0]) & (actuals < quantiles[:, -1])
    assert np.abs(falls - stats.norm.cdf(actuals))[inside].max() < 0.02
    assert stats.kstest(falls, "uniform").pvalue > 0.01
    assert np.abs(reliability(actuals, quantiles) - LEVELS).max() < 0.025


def test_the_ends_of_the_distribution() -> None:
    quantiles = np.tile(np.arange(len(LEVELS), dtype=float), (3, 1))

    falls = probability_transform(np.array([-1.0, 0.0, 99.0]), quantiles)

    assert falls.tolist() == [LEVELS[0] / 2, LEVELS[0], (1 + LEVELS[-1]) / 2]
    assert reliability(np.array([-1.0]), quantiles[:1]).tolist() == [1.0] * len(LEVELS)
