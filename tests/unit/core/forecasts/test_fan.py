"""A fan opens from the last close to the session that is forecast."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.forecasts.fan import fan_out
from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.settings.config import LEVELS


def learned_forecast(point: float, spread: float) -> ReturnForecasts:
    return ReturnForecasts(np.array([point]), point + spread * (np.array([LEVELS]) - 0.4))


@given(
    st.floats(-0.1, 0.1),
    st.floats(0, 0.5),
    st.integers(1, 10),
    st.integers(0, 40),
)
def test_each_session_is_what_would_be_forecast_of_it(
    point: float, spread: float, learned: int, further: int
) -> None:
    made = learned_forecast(point, spread)
    horizon = learned + further

    fan = fan_out(made.at_horizon(horizon, learned), horizon, learned)

    assert fan.points.shape == (horizon + 1,)
    assert fan.quantiles.shape == (horizon + 1, len(LEVELS))
    assert fan.points[0] == 0
    assert not fan.quantiles[0].any()
    for ahead in range(learned, horizon + 1):
        alone = made.at_horizon(ahead, learned)
        np.testing.assert_allclose(fan.points[ahead], alone.points[0])
        np.testing.assert_allclose(fan.quantiles[ahead], alone.quantiles[0], atol=1e-12)


@given(st.floats(-0.1, 0.1), st.integers(2, 10))
def test_up_to_the_horizon_that_was_learned_the_point_moves_straight(
    point: float, learned: int
) -> None:
    fan = fan_out(learned_forecast(point, 0.1), learned, learned)

    np.testing.assert_allclose(np.diff(fan.points), point / learned, atol=1e-15)
    assert (np.diff(np.ptp(fan.quantiles, axis=1)) > 0).all()
