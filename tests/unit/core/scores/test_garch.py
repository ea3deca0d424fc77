import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stocklstm.core.scores.garch import Garch
from stocklstm.core.settings.config import LEVELS
from tests.support.made_prices import bars_of, made_bars, other_future
from tests.support.property_tests import PROPERTY

GARCH = Garch(0.0005, 2e-5, 0.1, 0.85, 4e-4, tuple(stats.norm.ppf(LEVELS)))


def test_variances_of_three_returns_by_hand():
    bars = bars_of([10, 11, 11, 9])
    first, second, third = np.log([11 / 10, 1, 9 / 11])
    one = 2e-5 + 0.1 * (first - 0.0005) ** 2 + 0.85 * 4e-4
    two = 2e-5 + 0.1 * (second - 0.0005) ** 2 + 0.85 * one
    three = 2e-5 + 0.1 * (third - 0.0005) ** 2 + 0.85 * two
    assert GARCH.variances(bars) == pytest.approx([4e-4, one, two, three])


def test_far_ahead_the_variance_of_a_session_is_the_long_run_one():
    bars = made_bars(50)
    far, farther = (GARCH.returns(bars, np.array([49]), h)[0, -1] for h in (2000, 2001))
    spread = stats.norm.ppf(LEVELS[-1])
    variances = ((far - 2000 * 0.0005) / spread) ** 2, ((farther - 2001 * 0.0005) / spread) ** 2
    assert variances[1] - variances[0] == pytest.approx(2e-5 / (1 - 0.95), rel=1e-6)


@pytest.mark.parametrize("horizon", [1, 3])
def test_several_sessions_against_the_package_arch(petr4, horizon):
    from arch import arch_model

    percent = 100 * petr4.log_returns[1:]
    model = arch_model(percent, vol="GARCH", p=1, q=1, dist="normal", rescale=False)
    # arch starts from a mean of the first squares; so many days later nothing is left of it.
    fixed = model.fix([100 * GARCH.mean, 1e4 * GARCH.omega, GARCH.alpha, GARCH.beta])
    expected = fixed.forecast(horizon=horizon, reindex=False).variance.to_numpy().sum() / 1e4

    found = GARCH.returns(petr4, np.array([len(petr4) - 1]), horizon)[0]
    half = (found[-1] - found[0]) / 2
    assert (half / stats.norm.ppf(LEVELS[-1])) ** 2 == pytest.approx(expected, rel=1e-9)
    assert found[len(LEVELS) // 2] == pytest.approx(horizon * GARCH.mean)


@PROPERTY
@given(st.integers(1, 98))
def test_no_forecast_knows_the_future(row):
    bars = made_bars(100)
    changed = other_future(bars, row)
    origins = np.arange(row + 1)
    assert np.array_equal(GARCH.returns(bars, origins), GARCH.returns(changed, origins))
