"""Adaptive intervals against the bound of Gibbs & Candès and sums worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stocklstm.core.forecasts.intervals import (
    STEP,
    adapted_level,
    bounds,
    followed,
    followed_intervals,
    plain_intervals,
)
from stocklstm.core.forecasts.live import ClosedForecasts
from stocklstm.core.settings.config import LEVELS
from tests.support.normal_forecasts import GRID
from tests.support.property_tests import PROPERTY


def grids(count: int, spread: float = 1.0) -> np.ndarray:
    return np.tile(spread * GRID, (count, 1))


def share_held(actuals: np.ndarray, quantiles: np.ndarray, level: float) -> float:
    """Forecast day after day, each time knowing only the days before."""
    held = 0
    for day, actual in enumerate(actuals):
        chosen = adapted_level(actuals[:day], quantiles[:day], level)
        lower, upper = bounds(quantiles[day], chosen.effective)
        held += lower <= actual <= upper
    return held / len(actuals)


def bound(days: int, level: float) -> float:
    """Gibbs & Candès (2021), proposition 4.1."""
    alpha = 1 - level
    gamma = STEP * alpha
    return (max(alpha, 1 - alpha) + gamma) / (gamma * days)


@pytest.mark.parametrize("spread", [0.5, 0.65, 1.8])
def test_wrong_widths_come_within_the_bound_of_the_promise(spread: float) -> None:
    days = 500
    outcomes = np.random.default_rng(1).standard_normal(days)
    quantiles = grids(days, spread)
    plain = np.mean(np.abs(outcomes) <= spread * stats.norm.ppf(0.9))

    held = share_held(outcomes, quantiles, 0.8)

    assert bound(days, 0.8) == pytest.approx(0.082)
    assert abs(plain - 0.8) > 0.08
    assert abs(held - 0.8) <= 0.082
    # Far more often than not it does better than it must.
    assert abs(held - 0.8) < 0.4 * abs(plain - 0.8)


@PROPERTY
@given(
    st.lists(st.floats(-2.3, 2.3).filter(bool), min_size=60, max_size=60),
    st.sampled_from([0.2, 0.6, 0.8]),
)
def test_no_outcomes_within_the_grid_can_break_the_bound(
    outcomes: list[float], level: float
) -> None:
    actuals, quantiles = np.array(outcomes), grids(60)

    assert abs(share_held(actuals, quantiles, level) - level) <= bound(60, level)


@PROPERTY
@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=40),
    st.sampled_from([0.8, 0.95]),
    st.integers(0, 40),
)
def test_what_a_test_follows_is_what_days_one_by_one_would_be(
    outcomes: list[float], level: float, cut: int
) -> None:
    actuals, quantiles = np.array(outcomes), grids(len(outcomes))

    share, following = followed(actuals, quantiles, level)

    assert share == share_held(actuals, quantiles, level)
    assert following == adapted_level(actuals, quantiles, level).effective
    # What a test part left is gone on with by the forecasts after it.
    if 0 < cut < len(outcomes):
        _, begun = followed(actuals[:cut], quantiles[:cut], level)
        later = adapted_level(actuals[cut:], quantiles[cut:], level, begun)
        assert later.effective == pytest.approx(following, abs=0.02)


def test_intervals_go_on_from_where_a_test_left_them() -> None:
    actuals = np.full(3, 99.0)
    rows = np.arange(3)
    closed = ClosedForecasts(
        np.datetime64("2024-01-01") + rows, rows, rows, actuals, actuals, actuals, grids(3)
    )

    near, far = followed_intervals(GRID, (0.8, 0.95), {0.8: 0.85}, closed)
    both = followed_intervals(GRID, (0.95, 0.8), {0.8: 0.97}, closed.select(slice(0, 0)))

    # Three misses of the 80 % interval: 0.016 each. The other one held what it promised.
    assert (near.level, near.adaptive) == (0.8, True)
    assert near.effective_level == pytest.approx(0.85 + 3 * 0.016)
    assert far == plain_intervals(GRID, [0.95])[0]
    # One that promises more is never the narrower one.
    assert [each.effective_level for each in both] == [0.97, 0.97]


def test_the_level_moves_by_what_the_rule_says() -> None:
    never, always = np.full(3, 99.0), np.zeros(4)

    after_misses = adapted_level(never, grids(3), 0.8)
    after_hits = adapted_level(always, grids(4), 0.8)

    # A miss moves it by gamma (1 - alpha) = 0.02 × 0.8, a hit by gamma alpha = 0.02 × 0.2.
    assert after_misses.effective == pytest.approx(0.8 + 3 * 0.016)
    assert after_hits.effective == pytest.approx(0.8 - 4 * 0.004)
    assert after_misses.reached
    assert adapted_level(np.empty(0), grids(0), 0.95).effective == pytest.approx(0.95)


def test_a_hit_is_one_of_the_interval_as_it_was_adapted() -> None:
    # Outside the 80 % interval, inside that of 81.6 % which the miss before has made of it.
    second = float(stats.norm.ppf(0.9) + 0.02)

    adapted = adapted_level(np.array([99.0, second]), grids(2), 0.8)

    assert adapted.effective == pytest.approx(0.8 + 0.016 - 0.004)


def test_beyond_the_grid_the_widest_is_all_there_is() -> None:
    misses = np.full(100, 99.0)

    hopeless = adapted_level(misses, grids(100), 0.95)
    recovered = adapted_level(np.append(misses, np.zeros(150)), grids(250), 0.95)

    assert (hopeless.effective, hopeless.reached) == (pytest.approx(0.98), False)
    # What could not be held is not owed for ever.
    assert recovered.reached
    assert recovered.effective < 0.98


def test_the_widest_interval_of_the_grid_is_within_reach() -> None:
    assert adapted_level(np.empty(0), grids(0), 0.98).reached


@PROPERTY
@given(st.floats(-0.5, 1.5))
def test_bounds_lie_between_the_quantiles_around_them(level: float) -> None:
    lower, upper = bounds(GRID, level)

    tail = (1 - min(max(level, 0), 0.98)) / 2
    assert lower == pytest.approx(np.interp(tail, LEVELS, GRID))
    assert lower == pytest.approx(-upper)
    assert GRID[0] - 1e-9 <= lower <= 1e-9


@pytest.mark.parametrize("level", [0.2, 0.8, 0.9, 0.95, 0.98])
def test_bounds_on_the_grid_are_its_quantiles(level: float) -> None:
    assert bounds(GRID, level)[1] == pytest.approx(stats.norm.ppf((1 + level) / 2))
