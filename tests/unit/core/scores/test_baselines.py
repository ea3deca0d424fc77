import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.forecasts.quantiles import interval
from stocklstm.core.inputs.volatility import WARM_UP
from stocklstm.core.scores.baselines import Baselines, EwmaBaseline
from stocklstm.core.settings.config import LEVELS
from tests.support.made_prices import bars_of, made_bars, other_future
from tests.support.property_tests import PROPERTY


def test_filtered_historical_simulation_against_pandas(petr4):
    import pandas as pd

    rows = 2800
    returns = pd.Series(np.log(petr4.adj_closes)).diff()
    squared = returns**2
    started = squared.iloc[WARM_UP:].copy()
    started.iloc[0] = squared.iloc[1 : WARM_UP + 1].mean()
    sigmas = np.sqrt(started.ewm(alpha=0.06, adjust=False).mean())
    ratios = (returns / sigmas.shift(1)).iloc[:rows].dropna()
    assert len(ratios) == rows - WARM_UP - 1
    expected = ratios.quantile(list(LEVELS)).to_numpy()
    baseline = EwmaBaseline.fit(petr4, rows)
    assert np.allclose(baseline.quantiles, expected, rtol=1e-9)

    origins = np.arange(rows, len(petr4) - 1)
    forecasts = baseline.returns(petr4, origins)
    assert np.allclose(forecasts, np.outer(sigmas[origins], expected), rtol=1e-9)


def test_its_intervals_mean_what_they_say_on_real_prices(petr4):
    baseline = EwmaBaseline.fit(petr4, 2800)
    origins = np.arange(2800, len(petr4) - 1)
    forecasts = baseline.returns(petr4, origins)
    for level, least, most in [(0.8, 0.75, 0.85), (0.95, 0.92, 0.98)]:
        lower, upper = interval(forecasts, level)
        actuals = petr4.log_returns[origins + 1]
        assert least < ((lower <= actuals) & (actuals <= upper)).mean() < most


def test_a_price_that_never_moves_is_forecast_to_stay():
    bars = bars_of(np.full(100, 7.0))
    baseline = EwmaBaseline.fit(bars, 80)
    assert baseline.quantiles == (0.0,) * len(LEVELS)
    assert not baseline.returns(bars, np.arange(80, 99)).any()


def test_one_training_return_is_enough():
    bars = made_bars(30)
    baseline = EwmaBaseline.fit(bars, WARM_UP + 2)
    assert len(set(baseline.quantiles)) == 1
    assert baseline.returns(bars, np.array([25])).shape == (1, len(LEVELS))


def test_no_origins_no_forecasts():
    bars = made_bars(60)
    forecasts = EwmaBaseline.fit(bars, 50).returns(bars, np.arange(0))
    assert forecasts.shape == (0, len(LEVELS))


@PROPERTY
@given(seed=st.integers(0, 50), rows=st.integers(WARM_UP + 2, 120), row=st.integers(WARM_UP, 119))
def test_the_baseline_does_not_look_ahead(seed, rows, row):
    bars = made_bars(120, seed)
    baseline = EwmaBaseline.fit(bars, rows)
    assert EwmaBaseline.fit(other_future(bars, rows - 1), rows) == baseline
    assert np.all(np.diff(baseline.quantiles) >= 0)
    origins = np.arange(WARM_UP, row + 1)
    changed = other_future(bars, row)
    assert np.array_equal(baseline.returns(bars, origins), baseline.returns(changed, origins))


def test_the_origin_itself_is_seen():
    bars = made_bars(120)
    baseline = EwmaBaseline.fit(bars, 100)
    origin = np.array([110])
    changed = other_future(bars, 109)
    assert not np.allclose(baseline.returns(bars, origin), baseline.returns(changed, origin))
    assert baseline.returns(bars, origin)[0] == pytest.approx(
        baseline.returns(bars.select(slice(111)), origin)[0]
    )


def test_a_share_that_did_not_trade_at_first_gives_finite_quantiles():
    closes = np.concatenate((np.full(30, 10.0), made_bars(150).closes))
    closes[30:] *= 10.0 / closes[30]

    baseline = EwmaBaseline.fit(bars_of(closes), 120)

    assert baseline.anchor.floor > 0
    assert max(map(abs, baseline.quantiles)) < 1000


# --- drift and autoregression ------------------------------------------------------------------


def test_drift_and_autoregression_against_statsmodels(petr4):
    from statsmodels import api as sm

    baselines = Baselines.fit(petr4, 2800)
    returns = np.diff(np.log(petr4.adj_closes[:2800]))
    fit = sm.OLS(returns[1:], sm.add_constant(returns[:-1])).fit()
    assert baselines.drift == pytest.approx(returns.mean(), rel=1e-10)
    assert (baselines.intercept, baselines.slope) == pytest.approx(tuple(fit.params), rel=1e-8)


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_simple_forecasts_by_hand(petr4, horizon):
    baselines = Baselines.fit(petr4, 2800)
    origins = np.array([2800, 3000])
    points = baselines.points(petr4, origins, horizon)
    assert list(points) == ["drift", "AR(1)"]
    assert points["drift"].tolist() == [horizon * baselines.drift] * 2
    for place, row in enumerate(origins):
        step, total = petr4.log_returns[row], 0.0
        for _ in range(horizon):
            step = baselines.intercept + baselines.slope * step
            total += step
        assert points["AR(1)"][place] == pytest.approx(total, rel=1e-12)


def test_simple_forecasts_know_nothing_later(petr4):
    changed = other_future(petr4, 2900)
    origins = np.array([2800, 2900])
    assert Baselines.fit(petr4, 2800) == Baselines.fit(changed, 2800)
    for name, points in Baselines.fit(petr4, 2800).points(petr4, origins).items():
        other = Baselines.fit(changed, 2800).points(changed, origins)[name]
        assert np.array_equal(points, other)


def test_a_share_that_never_moves_is_forecast_to_stay():
    bars = bars_of(np.full(100, 7.0))
    points = Baselines.fit(bars, 80).points(bars, np.array([90]))
    assert {name: values.tolist() for name, values in points.items()} == {
        "drift": [0.0],
        "AR(1)": [0.0],
    }
