import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from stocklstm.core.forecasts.quantiles import (
    crps,
    interval,
    interval_positions,
    pinball,
    rearrange,
)
from stocklstm.core.settings.config import LEVELS
from tests.support.property_tests import PROPERTY

FORECASTS = arrays(np.float64, (3, len(LEVELS)), elements=st.floats(-1e6, 1e6))
OUTCOMES = arrays(np.float64, 3, elements=st.floats(-1e6, 1e6))


def test_the_grid_is_symmetric_and_increasing():
    assert np.all(np.diff(LEVELS) > 0)
    assert np.add(LEVELS, LEVELS[::-1]).tolist() == pytest.approx([1] * len(LEVELS), abs=1e-15)
    assert LEVELS[len(LEVELS) // 2] == 0.5


@PROPERTY
@given(FORECASTS)
def test_rearranged_quantiles_are_the_same_in_order(quantiles):
    before = quantiles.copy()
    ordered = rearrange(quantiles)
    assert np.all(np.diff(ordered, axis=1) >= 0)
    assert [sorted(row) for row in quantiles.tolist()] == ordered.tolist()
    assert np.array_equal(rearrange(ordered), ordered)
    assert np.array_equal(quantiles, before)


@PROPERTY
@given(OUTCOMES, FORECASTS)
def test_rearranging_never_makes_a_forecast_worse(actuals, quantiles):
    crossed = pinball(actuals, quantiles).sum(axis=1)
    ordered = pinball(actuals, rearrange(quantiles)).sum(axis=1)
    assert np.all(ordered <= crossed * (1 + 1e-12) + 1e-9)


@PROPERTY
@given(OUTCOMES, FORECASTS)
def test_pinball_against_scikit_learn(actuals, quantiles):
    from sklearn.metrics import mean_pinball_loss

    losses = pinball(actuals, quantiles)
    assert losses.shape == quantiles.shape
    assert np.all(losses >= 0)
    for position, level in enumerate(LEVELS):
        expected = mean_pinball_loss(actuals, quantiles[:, position], alpha=level)
        assert losses[:, position].mean() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_pinball_on_numbers_that_fit_a_head():
    # Forecast 10 at level 0.9: an outcome of 14 costs 0.9 × 4, one of 6 costs 0.1 × 4.
    losses = pinball(np.array([14.0, 6.0, 10.0]), np.full((3, 1), 10.0), (0.9,))
    assert losses[:, 0].tolist() == pytest.approx([3.6, 0.4, 0.0])


@PROPERTY
@given(OUTCOMES, arrays(np.float64, (3, 1), elements=st.floats(-1e6, 1e6)))
def test_crps_of_a_median_alone_is_the_absolute_error(actuals, median):
    assert crps(actuals, median, (0.5,)).tolist() == pytest.approx(
        np.abs(actuals - median[:, 0]).tolist(), abs=1e-9
    )


@PROPERTY
@given(OUTCOMES, FORECASTS, st.integers(1, len(LEVELS)))
def test_crps_on_an_even_grid_against_scoringrules(actuals, quantiles, count):
    import scoringrules

    levels = tuple(((np.arange(count) + 0.5) / count).tolist())
    members = rearrange(quantiles)[:, :count]
    scores = crps(actuals, members, levels)
    by_quantiles = scoringrules.crps_quantile(actuals, members, np.array(levels))
    by_members = scoringrules.crps_ensemble(actuals, members, estimator="qd")
    assert np.allclose(scores, by_quantiles, rtol=1e-9, atol=1e-9)
    assert np.allclose(scores, by_members, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("location", "spread"), [(0.0, 1.0), (38.4, 0.7), (-5.0, 100.0)])
def test_crps_of_normal_quantiles_against_scoringrules(location, spread):
    import scoringrules

    actuals = location + spread * np.linspace(-3, 3, 601)
    quantiles = np.tile(norm.ppf(LEVELS, location, spread), (len(actuals), 1))
    exact = scoringrules.crps_normal(actuals, location, spread)
    # The outcomes that a normal really gives: every score within 0.02 standard deviations (the
    # grid sees no tail beyond 1 %), their mean within 2 %.
    assert np.abs(crps(actuals, quantiles) - exact).max() < 0.02 * spread
    density = norm.pdf(actuals, location, spread)
    approximated = np.average(crps(actuals, quantiles), weights=density)
    assert approximated == pytest.approx(np.average(exact, weights=density), rel=0.02)


def test_crps_is_least_for_the_true_distribution():
    actuals = np.random.default_rng(3).standard_normal(20_000)

    def score(location, spread):
        quantiles = np.tile(norm.ppf(LEVELS, location, spread), (len(actuals), 1))
        return crps(actuals, quantiles).mean()

    others = [(0.2, 1), (-0.2, 1), (0, 0.8), (0, 1.25), (0, 0.01)]
    assert score(0, 1) < min(score(*other) for other in others)


def test_crps_of_no_days():
    assert crps(np.empty(0), np.empty((0, len(LEVELS)))).shape == (0,)


@pytest.mark.parametrize(
    ("level", "bounds"),
    [(0.8, (0.1, 0.9)), (0.9, (0.05, 0.95)), (0.95, (0.025, 0.975)), (0.98, (0.01, 0.99))],
)
def test_the_bounds_of_an_interval(level, bounds):
    lower, upper = interval_positions(level)
    assert (LEVELS[lower], LEVELS[upper]) == bounds
    lows, highs = interval(np.array([LEVELS, np.multiply(LEVELS, 2)]), level)
    assert lows.tolist() == [bounds[0], 2 * bounds[0]]
    assert highs.tolist() == [bounds[1], 2 * bounds[1]]


def test_an_interval_between_two_of_the_grid_is_interpolated():
    grid = np.exp(0.02 * norm.ppf(LEVELS) + 0.001 * np.arange(2)[:, None])

    for level in (0.25, 0.5, 0.505, 0.7, 0.85, 0.94, 0.97):
        bounds = interval(grid, level)

        for row, (lower, upper) in enumerate(zip(*bounds, strict=True)):
            expected = np.interp([(1 - level) / 2, (1 + level) / 2], LEVELS, grid[row])
            assert [lower, upper] == pytest.approx(expected, rel=1e-12)


@given(scale=st.floats(0.001, 0.5), level=st.floats(0.98, 0.99, exclude_min=True))
def test_beyond_the_grid_the_price_goes_on_like_a_normal_tail(scale, level):
    # Of a lognormal price that is what there is.
    grid = 30 * np.exp(0.001 + scale * norm.ppf(LEVELS))[None, :]

    lower, upper = interval(grid, level)

    expected = 30 * np.exp(0.001 + scale * norm.ppf([(1 - level) / 2, (1 + level) / 2]))
    # Probabilities are read to a millionth.
    assert [lower[0], upper[0]] == pytest.approx(expected, rel=1e-4)


@given(
    grid=st.lists(st.floats(1e-6, 1e9), min_size=len(LEVELS), max_size=len(LEVELS)).map(sorted),
    levels=st.lists(st.floats(0.2, 0.99), min_size=2, max_size=2).map(sorted),
)
def test_a_wider_interval_holds_a_narrower_one(grid, levels):
    (inner_low, inner_high), (low, high) = (interval(np.array([grid]), level) for level in levels)

    slack = 1e-9 * inner_high[0]
    assert 0 <= low[0] <= inner_low[0] + slack
    assert inner_high[0] - slack <= high[0]
