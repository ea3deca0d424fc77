import math
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import special, stats
from statsmodels import api as sm
from statsmodels.stats.multitest import multipletests

from stocklstm.core.scores.significance import (
    PairedTest,
    binomial_band,
    clark_west,
    diebold_mariano,
    holm,
    incomplete_beta,
    pesaran_timmermann,
    skill_interval,
    student_t_quantile,
    student_t_tail,
    wilson_interval,
)
from tests.support.property_tests import PROPERTY

MANY = settings(PROPERTY, max_examples=1000)


# --- distributions -----------------------------------------------------------------------------


@MANY
@given(
    stat=st.floats(0.01, 100) | st.floats(0.01, 1e8),
    freedom=st.integers(1, 400) | st.integers(1, 20_000) | st.floats(0.5, 50),
)
@example(stat=1.0, freedom=1)
@example(stat=1e300, freedom=3)
def test_student_tail_against_scipy(stat, freedom):
    expected = stats.t.sf(stat, freedom)
    # The logarithms of large gammas cost some of the sixteen digits.
    assert student_t_tail(stat, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@PROPERTY
@given(stat=st.floats(0, 0.01), freedom=st.integers(1, 20_000))
@example(stat=0.0, freedom=1)
@example(stat=5e-324, freedom=3)
def test_student_tail_near_zero_against_scipy(stat, freedom):
    # Here freedom / (freedom + stat²) is rounded to 1: enough for a p that is as good as 1.
    assert student_t_tail(stat, freedom) == pytest.approx(stats.t.sf(stat, freedom), abs=1e-6)


@PROPERTY
@given(st.floats(0.51, 0.9999), st.floats(0.5, 1e4))
def test_student_quantile_against_scipy(probability, freedom):
    expected = stats.t.ppf(probability, freedom)
    # Near the middle the tail itself has no more digits than that.
    assert student_t_quantile(probability, freedom) == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_student_tail_of_infinity():
    assert student_t_tail(math.inf, 10) == 0.0
    assert student_t_tail(0.0, 10) == pytest.approx(0.5)


def test_student_tail_of_what_is_not_a_number():
    assert math.isnan(student_t_tail(math.nan, 10))


def test_student_tail_of_tables():
    # The critical values that every textbook prints.
    for freedom, critical in [(1, 12.7062), (10, 2.22814), (30, 2.04227), (120, 1.97993)]:
        assert student_t_tail(critical, freedom) == pytest.approx(0.025, abs=1e-6)


@MANY
@given(
    a=st.floats(0.05, 50) | st.floats(0.05, 5000),
    b=st.floats(0.05, 50) | st.floats(0.05, 5000),
    x=st.floats(0, 1),
)
@example(a=0.5, b=0.5, x=0.5)
@example(a=1.0, b=1.0, x=0.25)
@example(a=0.5, b=0.5, x=0.9999999999999999)
def test_incomplete_beta_against_scipy(a, b, x):
    # With a = b = 1/2 SciPy is off by 3e-9 next to 1; that distribution is the arcsine law.
    is_arcsine = a == b == 0.5
    arcsine = 2 / math.pi * math.atan2(math.sqrt(x), math.sqrt(1 - x))
    expected = arcsine if is_arcsine else special.betainc(a, b, x)
    assert incomplete_beta(a, b, x) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("x", "share"), [(-0.1, 0.0), (0.0, 0.0), (1.0, 1.0), (1.1, 1.0)])
def test_incomplete_beta_at_its_ends(x, share):
    assert incomplete_beta(2, 3, x) == share


def test_incomplete_beta_where_its_two_sides_meet():
    # Here rounding makes each side believe that the other one converges faster.
    a, b, x = 351.28357810820006, 223.05687929635792, 0.6112421461693729
    assert x > (a + 1) / (a + b + 2)
    assert 1 - x > (b + 1) / (a + b + 2)
    assert incomplete_beta(a, b, x) == pytest.approx(special.betainc(a, b, x), rel=1e-10)


# --- Diebold–Mariano ---------------------------------------------------------------------------


def reference_test(losses, other, horizon) -> tuple[float, float]:
    """Regress the differences on a constant with Newey–West errors, then correct as HLN do."""
    from statsmodels.api import OLS

    differences = losses - other
    n = len(differences)
    fit = OLS(differences, np.ones(n)).fit(
        cov_type="HAC",
        cov_kwds={"maxlags": 2 * horizon if horizon > 1 else 0, "use_correction": False},
    )
    factor = math.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    stat = float(fit.tvalues[0]) * factor
    return stat, 2 * float(stats.t.sf(abs(stat), n / horizon - 1))


@PROPERTY
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(20, 400),
    horizon=st.integers(1, 10),
    bias=st.floats(-1, 1),
)
def test_diebold_mariano_against_statsmodels(seed, count, horizon, bias):
    rng = np.random.default_rng(seed)
    noise = np.convolve(rng.standard_normal(count + horizon), np.ones(horizon), "valid")[:count]
    losses, other = (noise + bias) ** 2, rng.standard_normal(count) ** 2
    test = diebold_mariano(losses, other, horizon)
    stat, p = reference_test(losses, other, horizon)
    assert test.n == count
    assert test.stat == pytest.approx(stat, rel=1e-7, abs=1e-9)
    assert test.p == pytest.approx(p, rel=1e-6, abs=1e-12)


def test_diebold_mariano_one_session_ahead_is_a_paired_t_test():
    # With h = 1 the correction turns the variance over n into that over n - 1.
    rng = np.random.default_rng(1)
    losses, other = rng.exponential(1.2, 50), rng.exponential(1.0, 50)
    expected = stats.ttest_rel(losses, other)
    test = diebold_mariano(losses, other)
    assert test.stat == pytest.approx(expected.statistic, rel=1e-12)
    assert test.p == pytest.approx(expected.pvalue, rel=1e-10)


def test_diebold_mariano_by_hand():
    # Differences 1, 2, 3: mean 2, variance over n 2/3, correction (3 + 1 - 2) / 3 = 2/3, so
    # 2 / √(2/9) × √(2/3) = √12.
    test = diebold_mariano(np.array([1.0, 2, 3]), np.zeros(3))
    assert test.stat == pytest.approx(math.sqrt(12), rel=1e-12)
    # Horizon 2 of 1, 2, 3, 4: sums of products 5, 1.25, -1.5, -2.25 with weights 1, 0.8, 0.6,
    # 0.4, so a variance of 3.4 / 4; correction (4 + 1 - 4 + 2/4) / 4.
    test = diebold_mariano(np.array([1.0, 2, 3, 4]), np.zeros(4), horizon=2)
    assert test.stat == pytest.approx(2.5 / math.sqrt(0.85 / 4) * math.sqrt(0.375), rel=1e-12)
    assert test.p == pytest.approx(2 * stats.t.sf(test.stat, 1), rel=1e-9)


@pytest.mark.parametrize("losses", [[], [3.0], [1.0, 2.0, 3.0]])
def test_no_difference_is_a_tie(losses):
    same = np.array(losses, np.float64)
    assert diebold_mariano(same, same.copy()) == PairedTest(0.0, 1.0, len(losses))


def test_one_day_decides_nothing():
    assert diebold_mariano(np.array([5.0]), np.array([1.0])) == PairedTest(0.0, 1.0, 1)


@pytest.mark.parametrize("count", [2, 3, 7, 10, 300])
@pytest.mark.parametrize("difference", [0.1, 0.3, 7.77, 1e-3])
@pytest.mark.parametrize("horizon", [1, 2])
def test_the_same_difference_every_day_is_certain(count, difference, horizon):
    count *= horizon
    # The mean of equal numbers is not always that number, so this must not hang on rounding.
    losses = np.full(count, difference)
    assert diebold_mariano(losses, np.zeros(count), horizon) == PairedTest(math.inf, 0.0, count)
    assert diebold_mariano(np.zeros(count), losses, horizon).stat == -math.inf


@PROPERTY
@given(seed=st.integers(0, 1000), horizon=st.integers(1, 5), factor=st.floats(1e-6, 1e6))
def test_diebold_mariano_turns_with_its_forecasts_and_has_no_unit(seed, horizon, factor):
    losses, other = np.random.default_rng(seed).exponential(1, (2, 40))
    test, turned = diebold_mariano(losses, other, horizon), diebold_mariano(other, losses, horizon)
    assert (turned.stat, turned.p) == (-test.stat, test.p)
    assert (test.stat > 0) == (losses.mean() > other.mean())
    scaled = diebold_mariano(losses * factor, other * factor, horizon)
    assert scaled.stat == pytest.approx(test.stat, rel=1e-9)
    assert 0 <= test.p <= 1


@pytest.mark.parametrize(("count", "horizon"), [(3, 2), (3, 3), (3, 10), (20, 11), (30, 200)])
def test_less_than_two_spans_show_nothing(count, horizon):
    losses = np.arange(1.0, count + 1)
    assert diebold_mariano(losses, np.zeros(count), horizon) == PairedTest(0.0, 1.0, count)
    assert clark_west(losses, 2 * losses, losses, horizon) == PairedTest(0.0, 1.0, count)


@pytest.mark.parametrize(
    ("horizon", "count", "least", "most"),
    [(1, 100, 0.04, 0.06), (3, 250, 0.045, 0.07), (5, 690, 0.045, 0.07), (20, 690, 0.045, 0.075)],
)
def test_diebold_mariano_is_wrong_as_often_as_it_says(horizon, count, least, most):
    # Equally good forecasts whose errors overlap by horizon - 1 days: 5 % should be rejected.
    # With weights over the horizon - 1 lags alone 8 % would be.
    rng = np.random.default_rng(2024)
    shape = (1500, count + horizon - 1)
    first, second = (
        np.lib.stride_tricks.sliding_window_view(rng.standard_normal(shape), horizon, 1).sum(-1)
        for _ in range(2)
    )
    tests = [
        diebold_mariano(one, other, horizon) for one, other in zip(first**2, second**2, strict=True)
    ]
    assert least < np.mean([test.p < 0.05 for test in tests]) < most


def test_diebold_mariano_sees_a_difference_that_is_there():
    rng = np.random.default_rng(7)
    losses = (rng.standard_normal((500, 300)) * 1.2) ** 2
    other = rng.standard_normal((500, 300)) ** 2
    found = [diebold_mariano(*pair) for pair in zip(losses, other, strict=True)]
    assert np.mean([test.p < 0.05 and test.stat > 0 for test in found]) > 0.8


# --- proportions -------------------------------------------------------------------------------


@PROPERTY
@given(trials=st.integers(1, 5000), share=st.floats(0, 1), level=st.sampled_from([0.8, 0.95, 0.99]))
@example(trials=1, share=0.0, level=0.95)
@example(trials=1, share=1.0, level=0.95)
def test_wilson_interval_against_statsmodels(trials, share, level):
    from statsmodels.stats.proportion import proportion_confint

    hits = round(share * trials)
    expected = proportion_confint(hits, trials, alpha=1 - level, method="wilson")
    bounds = wilson_interval(hits, trials, level)
    assert bounds == pytest.approx(tuple(map(float, expected)), rel=1e-9, abs=1e-12)
    assert 0 <= bounds[0] <= hits / trials + 1e-12
    assert hits / trials - 1e-12 <= bounds[1] <= 1


def test_wilson_interval_of_no_trials():
    assert wilson_interval(0, 0) == (0.0, 1.0)


@PROPERTY
@given(
    trials=st.integers(1, 3000),
    probability=st.sampled_from([0.8, 0.9, 0.95, 0.98, 0.5, 0.001, 0.999]),
    level=st.sampled_from([0.8, 0.95, 0.99]),
)
@example(trials=1, probability=0.95, level=0.99)
def test_binomial_band_against_scipy(trials, probability, level):
    low, high = binomial_band(trials, probability, level)
    least, most = round(low * trials), round(high * trials)
    assert (least / trials, most / trials) == (low, high)
    # No more than half of what is left lies beyond each end, and one hit less would be too many.
    hits, tail = stats.binom(trials, probability), (1 - level) / 2
    assert hits.cdf(least - 1) <= tail + 1e-9
    assert hits.cdf(least) > tail - 1e-9
    assert hits.sf(most) <= tail + 1e-9
    assert hits.sf(most - 1) > tail - 1e-9
    assert hits.cdf(most) - hits.cdf(least - 1) >= level - 1e-9


@pytest.mark.parametrize("trials", [1, 20, 250, 300, 735])
@pytest.mark.parametrize("probability", [0.8, 0.95])
def test_binomial_band_is_scipys_interval(trials, probability):
    low, high = binomial_band(trials, probability, 0.99)
    expected = stats.binom.interval(0.99, trials, probability)
    assert (low * trials, high * trials) == pytest.approx(expected)


# --- Clark and West ------------------------------------------------------------------------------


def test_clark_west_is_a_t_test_of_the_adjusted_differences():
    rng = np.random.default_rng(1)
    actuals = rng.standard_normal(300)
    simple, larger = np.zeros(300), 0.2 * rng.standard_normal(300)
    errors, reference = actuals - larger, actuals - simple
    adjusted = reference**2 - errors**2 + (simple - larger) ** 2

    found = clark_west(errors, reference, simple - larger)

    # Ordinary least squares on a constant, as the paper says to compute it.
    fit = sm.OLS(adjusted, np.ones(300)).fit(cov_type="HC0")
    assert found.stat == pytest.approx(fit.tvalues[0], rel=1e-10)
    assert found.p == pytest.approx(stats.norm.sf(fit.tvalues[0]), rel=1e-10)


@pytest.mark.parametrize("horizon", [2, 5, 12])
def test_clark_west_several_sessions_ahead_is_newey_west(horizon):
    rng = np.random.default_rng(2)
    actuals = np.convolve(rng.standard_normal(400), np.ones(horizon), "valid")
    larger = 0.3 * rng.standard_normal(len(actuals))
    adjusted = actuals**2 - (actuals - larger) ** 2 + larger**2

    found = clark_west(actuals - larger, actuals, -larger, horizon)

    fit = sm.OLS(adjusted, np.ones(len(adjusted))).fit(
        cov_type="HAC", cov_kwds={"maxlags": 2 * horizon, "use_correction": False}
    )
    assert found.stat == pytest.approx(fit.tvalues[0], rel=1e-10)


def test_clark_west_finds_a_small_gain_that_the_squared_error_hides():
    rng = np.random.default_rng(3)
    signal = rng.standard_normal(3000) * 0.1
    actuals = signal + rng.standard_normal(3000)
    noisy = signal + rng.standard_normal(3000) * 0.1
    errors = actuals - noisy

    assert diebold_mariano(errors**2, actuals**2).p > 0.05
    assert clark_west(errors, actuals, -noisy).p < 0.001


def test_clark_west_of_equal_forecasts_is_a_tie():
    errors = np.arange(5.0)
    assert clark_west(errors, errors, np.zeros(5)) == PairedTest(0.0, 1.0, 5)
    assert clark_west(errors[:1], errors[:1], np.ones(1)).p == 1
    assert clark_west(np.zeros(4), np.ones(4), np.ones(4)) == PairedTest(math.inf, 0.0, 4)


def test_clark_west_of_a_price_that_never_changed_is_a_tie():
    # Nothing was there to be foreseen: no sign of skill, whatever was forecast.
    forecast = np.random.default_rng(6).standard_normal(40)
    assert clark_west(-forecast, np.zeros(40), -forecast) == PairedTest(0.0, 1.0, 40)
    assert clark_west(np.full(40, -0.1), np.zeros(40), np.full(40, -0.1)).p == 1


def test_clark_west_has_the_right_size():
    rng = np.random.default_rng(4)
    rejected = []
    for _ in range(2000):
        actuals, forecast = rng.standard_normal(250), 0.2 * rng.standard_normal(250)
        rejected.append(clark_west(actuals - forecast, actuals, -forecast).p < 0.05)
    assert 0.035 < np.mean(rejected) < 0.065


# --- Pesaran and Timmermann ----------------------------------------------------------------------


def test_pesaran_timmermann_is_the_chi_squared_test_of_the_table():
    # Granger & Pesaran (2000): asymptotically the statistic squared is Pearson's chi-squared.
    rng = np.random.default_rng(5)
    actual = rng.random(20_000) < 0.53
    forecast = np.where(rng.random(20_000) < 0.02, actual, rng.random(20_000) < 0.6)

    found = pesaran_timmermann(forecast, actual)

    table = [
        [np.sum((forecast == f) & (actual == a)) for a in (True, False)] for f in (True, False)
    ]
    expected = stats.chi2_contingency(table, correction=False).statistic
    assert found.stat**2 == pytest.approx(expected, rel=1e-3)
    assert found.p == pytest.approx(stats.norm.sf(found.stat), rel=1e-12)


def test_pesaran_timmermann_by_hand():
    forecast = np.array([1, 1, 1, 0, 0, 1, 0, 1, 1, 0], bool)
    actual = np.array([1, 1, 0, 0, 1, 1, 0, 1, 0, 0], bool)
    # 7 hits of 10; rises 6 forecast, 5 seen: by chance half of all would be hits.
    of_chance = (0.2**2 * 0.25) / 10 + 4 * 0.6 * 0.5 * 0.4 * 0.5 / 100
    expected = (0.7 - 0.5) / math.sqrt(0.025 - of_chance)
    assert pesaran_timmermann(forecast, actual).stat == pytest.approx(expected)


@pytest.mark.parametrize("always", [True, False])
def test_always_the_same_direction_foresees_nothing(always):
    actual = np.random.default_rng(6).random(100) < 0.6
    still = np.full(100, always)
    assert pesaran_timmermann(still, actual) == PairedTest(0.0, 1.0, 100)
    assert pesaran_timmermann(actual, still).p == 1
    assert pesaran_timmermann(actual[:0], actual[:0]).p == 1


def test_pesaran_timmermann_has_the_right_size():
    rng = np.random.default_rng(8)
    rejected = [
        pesaran_timmermann(rng.random(400) < 0.7, rng.random(400) < 0.55).p < 0.05
        for _ in range(2000)
    ]
    assert 0.035 < np.mean(rejected) < 0.07


# --- many tests at once --------------------------------------------------------------------------


@settings(PROPERTY)
@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_against_statsmodels(chances):
    # statsmodels collects all garbage at every call, which takes some tenths of a second.
    with patch("gc.collect"):
        expected = multipletests(chances, method="holm")[1].tolist() if chances else []
    assert holm(chances) == pytest.approx(expected, abs=1e-12)


# --- the skill's interval ------------------------------------------------------------------------


def test_the_skill_interval_holds_the_true_skill_about_as_often_as_promised():
    rng = np.random.default_rng(9)
    held = []
    for _ in range(300):
        reference = rng.standard_normal(500)
        errors = 0.97 * reference + 0.1 * rng.standard_normal(500)
        low, high = skill_interval(errors**2, reference**2)
        held.append(low <= 1 - math.sqrt(0.97**2 + 0.1**2) <= high)
    assert 0.9 < np.mean(held) < 0.99


def test_the_skill_interval_of_no_difference_is_zero():
    losses = np.random.default_rng(10).random(50)
    assert skill_interval(losses, losses) == (0, 0)


@pytest.mark.parametrize(("count", "horizon"), [(1, 1), (9, 5), (39, 20)])
def test_less_than_two_separate_blocks_give_no_skill_interval(count, horizon):
    # From one block every draw is the same: bounds of no width at all, however few the days.
    losses, reference = np.random.default_rng(13).random((2, 2 * horizon))
    few = skill_interval(losses[:count], reference[:count], horizon=horizon)
    assert all(map(math.isnan, few))
    low, high = skill_interval(losses, reference, horizon=horizon)
    assert low < high


def test_longer_spans_widen_the_skill_interval():
    rng = np.random.default_rng(11)
    moves = np.convolve(rng.standard_normal(1000), np.ones(20), "valid")
    errors = moves + 0.5 * np.convolve(rng.standard_normal(1000), np.ones(20), "valid")
    widths = [np.ptp(skill_interval(errors**2, moves**2, horizon=horizon)) for horizon in (1, 20)]
    assert widths[1] > 1.2 * widths[0]


def test_the_same_days_give_the_same_interval():
    rng = np.random.default_rng(12)
    losses, reference = rng.random((2, 200))
    assert skill_interval(losses, reference) == skill_interval(losses, reference)


def test_prices_that_never_moved_have_no_skill_interval():
    assert all(map(math.isnan, skill_interval(np.zeros(30), np.zeros(30))))
