"""Many versions at once: the same tests as alone, with a p that counts them all."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.scores.comparison import adjusted, compare_all, league
from stocklstm.core.scores.evaluation import ScoredDays, compare, evaluate
from stocklstm.core.scores.significance import PairedTest
from tests.support.property_tests import PROPERTY


def days_with(spread: float, bias: float = 0.0, *, count: int = 300, horizon: int = 1):
    """Make a model whose point is off by a bias and whose quantiles are as wide as it thinks."""
    rng = np.random.default_rng(7)
    last = 30 + rng.standard_normal(count).cumsum() * 0.1
    actuals = last * np.exp(0.02 * rng.standard_normal(count))
    from statistics import NormalDist

    from stocklstm.core.settings.config import LEVELS

    grid = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
    points = last * np.exp(bias * rng.standard_normal(count))
    return ScoredDays(
        np.datetime64("2020-01-01") + np.arange(count),
        last,
        actuals,
        ReturnForecasts(points, points[:, None] * np.exp(spread * grid)),
        last[:, None] * np.exp(0.02 * grid),
        {},
        horizon,
    )


def test_each_is_compared_with_the_first_as_promotion_compares():
    right, wide, off = days_with(0.02), days_with(0.06), days_with(0.02, 0.03)

    first, second, third = compare_all([right, wide, off])

    assert (first.squared, first.distribution) == (None, None)
    assert second.distribution.p == compare(wide, right).p
    assert third.distribution.stat == compare(off, right).stat
    # The points of the wide one are the same.
    assert (second.squared.stat, second.squared.p, second.squared.judged) == (
        0.0,
        1.0,
        "no_difference",
    )
    assert (second.distribution.judged, third.distribution.judged) == ("worse", "worse")
    assert third.squared.judged == "worse"


def test_from_the_other_side_worse_is_better():
    right, wide = days_with(0.02), days_with(0.06)

    _, there = compare_all([right, wide])
    _, back = compare_all([wide, right])

    assert back.distribution.stat == -there.distribution.stat
    assert back.distribution.p == there.distribution.p
    assert (there.distribution.judged, back.distribution.judged) == ("worse", "better")


def test_ratios_are_those_of_an_evaluation():
    days = days_with(0.03, 0.01)
    alone = evaluate(days, 1.0)

    first, _ = compare_all([days, days_with(0.02)])

    assert first.rmse == pytest.approx(alone.point.rmse)
    assert first.rmse_ratio == pytest.approx(alone.point.rmse_ratio)
    assert first.crps == pytest.approx(alone.distribution.crps)
    assert first.crps_ratio == pytest.approx(alone.distribution.crps_ratio)


def test_a_price_that_never_moved_gives_no_ratio():
    days = days_with(0.02)
    still = replace(days, actuals=days.last_closes)

    assert compare_all([still, still])[0].rmse_ratio is None


def test_the_correction_by_hand():
    # Holm 1979: the smallest of three times three, the next times two, never below the one before.
    tests = [PairedTest(2.0, 0.03, 100), PairedTest(-2.5, 0.01, 100), PairedTest(1.0, 0.3, 100)]

    results = adjusted(tests)

    assert [test.holm_p for test in results] == pytest.approx([0.06, 0.03, 0.3])
    assert [test.judged for test in results] == ["no_difference", "better", "no_difference"]
    assert [test.p for test in results] == [0.03, 0.01, 0.3]


def test_a_difference_that_is_the_same_every_day_has_no_statistic():
    (sure,) = adjusted([PairedTest(float("inf"), 0.0, 50)])

    assert (sure.stat, sure.judged) == (None, "worse")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
@PROPERTY
def test_a_further_version_makes_no_difference_surer(chances):
    tests = [PairedTest(1.0, chance, 100) for chance in chances]

    before = adjusted(tests)
    after = adjusted([*tests, PairedTest(1.0, 0.5, 100)])

    for few, more in zip(before, after, strict=False):
        assert more.holm_p >= few.holm_p >= few.p


def evaluated(dm_p: float, crps_p: float, *, rmse: float = 1.1, crps: float = 0.9):
    scores = evaluate(days_with(0.02, 0.01), 1.0)
    return replace(
        scores,
        point=replace(scores.point, dm_p=dm_p, rmse=rmse, rmse_naive=1.0),
        distribution=replace(scores.distribution, dm_p=crps_p, crps=crps, crps_ewma=1.0),
    )


def test_a_league_of_one_keeps_every_p():
    (row,) = league([evaluated(0.04, 0.02)])

    assert (row.dm_holm_p, row.crps_holm_p) == (0.04, 0.02)
    assert (row.verdict, row.distribution_verdict) == ("worse", "better")


def test_in_a_league_of_two_each_family_is_corrected_on_its_own():
    first, second = league([evaluated(0.04, 0.01), evaluated(0.5, 0.04, rmse=0.9, crps=1.1)])

    assert (first.dm_holm_p, second.dm_holm_p) == pytest.approx((0.08, 0.5))
    assert (first.crps_holm_p, second.crps_holm_p) == pytest.approx((0.02, 0.04))
    assert (first.verdict, second.verdict) == ("no_better", "no_better")
    assert (first.distribution_verdict, second.distribution_verdict) == ("better", "worse")


def test_a_tie_is_no_verdict_however_small_its_p():
    (row,) = league([evaluated(0.0, 0.0, rmse=1.0, crps=1.0)])

    assert (row.verdict, row.distribution_verdict) == ("no_better", "no_better")
