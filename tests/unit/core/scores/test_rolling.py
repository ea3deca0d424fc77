"""Curves over time, against plain sums, pandas and the test whose band they draw."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq

from stocklstm.core.prices.series import Floats
from stocklstm.core.scores.rolling import chance_band, cumulative_gain, rolling_ratio
from stocklstm.core.scores.significance import diebold_mariano
from tests.support.property_tests import PROPERTY

LOSSES = arrays(
    np.float64, 8, elements=st.integers(0, 10**12).map(lambda millionths: millionths / 1e6)
)


@PROPERTY
@given(LOSSES, LOSSES)
def test_a_gain_is_the_share_of_losses_saved_so_far(losses: Floats, reference: Floats) -> None:
    gains = cumulative_gain(losses, reference)

    if reference.sum() == 0:
        assert np.isnan(gains).all()
        return
    for day in range(8):
        saved = sum(reference[: day + 1].tolist()) - sum(losses[: day + 1].tolist())
        scale = losses.sum() + reference.sum()
        assert math.isclose(gains[day] * reference.sum(), saved, rel_tol=1e-9, abs_tol=1e-9 * scale)


def test_the_last_gain_of_squared_errors_is_what_the_rmse_ratio_says() -> None:
    random = np.random.default_rng(0)
    errors, naive = random.standard_normal((2, 200))

    ratio = math.sqrt((errors**2).mean() / (naive**2).mean())

    assert cumulative_gain(errors**2, naive**2)[-1] == pytest.approx(1 - ratio**2)


@pytest.mark.parametrize("days", [1, 7, 60, 100])
def test_a_rolling_ratio_is_that_of_pandas(days: int) -> None:
    losses, reference = np.random.default_rng(1).random((2, 100))

    means = [pd.Series(values).rolling(days).mean() for values in (losses, reference)]

    expected = (means[0] / means[1]).dropna().to_numpy()
    np.testing.assert_allclose(rolling_ratio(losses, reference, days), expected)


def test_a_rolling_ratio_needs_its_days_and_a_reference_that_errs() -> None:
    losses, reference = np.ones(5), np.array([0.0, 0.0, 0.0, 2.0, 2.0])

    assert len(rolling_ratio(losses, reference, 6)) == 0
    np.testing.assert_allclose(rolling_ratio(losses, reference, 2), [np.nan, np.nan, 1.0, 0.5])


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_band_ends_where_diebold_mariano_turns(horizon: int) -> None:
    losses, reference = np.random.default_rng(2).random((2, 300))

    band = chance_band(losses, reference, horizon)
    gains = cumulative_gain(losses, reference)

    # What has to be added each day to bring the test to p = 0.05 brings the curve to the edge.
    def excess(shift: float) -> float:
        return diebold_mariano(losses + shift, reference, horizon).p - 0.05

    shift = brentq(excess, reference.mean() - losses.mean(), 1.0, xtol=1e-14)
    moved = losses + shift
    ratio = cumulative_gain(moved, reference)[-1] / chance_band(moved, reference, horizon)[-1]
    assert ratio == pytest.approx(-1, rel=1e-6)
    assert abs(gains[-1]) < band[-1]
    assert (np.diff(band) >= 0).all()


def test_the_band_holds_equally_good_forecasts_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    inside = []
    for _ in range(1000):
        losses, reference = random.standard_normal((2, 120)) ** 2
        gains, band = cumulative_gain(losses, reference), chance_band(losses, reference)
        inside.append([abs(gains[day]) <= band[day] for day in (59, 119)])

    # Three standard errors of a share of 0.95 in 1000; the curve's middle is a little narrower,
    # its variance being measured around the mean of all days.
    assert np.mean(inside, axis=0) == pytest.approx([0.95, 0.95], abs=0.021)


@pytest.mark.parametrize(
    ("losses", "reference"),
    [(np.ones(9), np.ones(9)), (np.ones(9), np.zeros(9)), (np.ones(9), np.full(9, 2.0))],
    ids=["tie", "never-wrong", "always-the-same"],
)
def test_there_is_no_band_where_the_test_says_nothing(losses: Floats, reference: Floats) -> None:
    assert np.isnan(chance_band(losses, reference)).all()
