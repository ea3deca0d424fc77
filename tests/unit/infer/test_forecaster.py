"""From bars to forecasts: alignment, no look-ahead, and clear refusals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stocklstm import load
from stocklstm.core.inputs.scaling import PriceScaling
from stocklstm.core.prices.series import Bars
from stocklstm.errors import ArtifactCorruptError, RejectedDataError, SeriesTooShortError
from stocklstm.infer.forecaster import Forecaster
from stocklstm.store.store import open_store


@pytest.fixture
def forecaster(model_home: Path) -> Forecaster:
    return load("PETR4.SA", home=model_home).forecaster


@pytest.fixture
def bars(model_home: Path) -> Bars:
    with open_store(model_home) as store:
        return store.prices.bars("PETR4.SA")


def test_a_forecast_sees_nothing_after_its_origin(forecaster: Forecaster, bars: Bars) -> None:
    origin = np.array([2000])
    changed = replace(bars, adj_closes=bars.adj_closes.copy(), closes=bars.closes.copy())
    changed.adj_closes[2001:] *= 3
    changed.closes[2001:] *= 3

    before, after = forecaster.forecast(bars, origin), forecaster.forecast(changed, origin)

    assert np.array_equal(before.quantiles, after.quantiles)
    cut = forecaster.forecast(bars.select(slice(0, 2001)), origin)
    assert np.array_equal(before.quantiles, cut.quantiles)


def test_a_forecast_sees_its_own_origin(forecaster: Forecaster, bars: Bars) -> None:
    origin = np.array([2000])
    changed = replace(bars, adj_closes=bars.adj_closes.copy())
    changed.adj_closes[2000] *= 1.05

    before, after = forecaster.forecast(bars, origin), forecaster.forecast(changed, origin)

    assert not np.array_equal(before.quantiles, after.quantiles)


def test_quantiles_do_not_cross_and_the_point_is_the_median(
    forecaster: Forecaster, bars: Bars
) -> None:
    forecasts = forecaster.forecast(bars, np.arange(100, 3000, 7))

    assert (np.diff(forecasts.quantiles, axis=1) >= 0).all()
    assert np.array_equal(forecasts.points, forecasts.quantiles[:, 7])


def test_the_first_possible_origin_works_and_the_one_before_does_not(
    forecaster: Forecaster, bars: Bars
) -> None:
    first = forecaster.first_origin()

    assert np.isfinite(forecaster.forecast(bars, np.array([first])).quantiles).all()
    with pytest.raises(SeriesTooShortError) as caught:
        forecaster.forecast(bars, np.array([first - 1]))
    assert (caught.value.needed, caught.value.found) == (first + 1, first)


def test_no_origin_gives_no_forecast(forecaster: Forecaster, bars: Bars) -> None:
    assert len(forecaster.forecast(bars, np.arange(0)).points) == 0


def test_a_price_that_is_not_a_number_is_refused(forecaster: Forecaster, bars: Bars) -> None:
    broken = replace(bars, adj_closes=bars.adj_closes.copy())
    broken.adj_closes[1998] = np.nan

    with pytest.raises(RejectedDataError, match="not a number"):
        forecaster.forecast(broken, np.array([2000]))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"seq_length": 61}, "graph does not fit"),
        ({"features": ("return",)}, "scaling numbers do not fit"),
        ({"features": ("volatility", "return")}, "scaling numbers do not fit"),
        ({"horizon": 2}, "scaling numbers do not fit"),
    ],
)
def test_other_settings_are_refused(
    forecaster: Forecaster, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(ArtifactCorruptError, match=reason):
        Forecaster(forecaster.graph, replace(forecaster.config, **changes), forecaster.scaling)


def test_features_without_the_volatility_they_need_are_refused(forecaster: Forecaster) -> None:
    scaling = PriceScaling(1.0, 2.0, 0.0, 1.0, forecaster.scaling.features)

    with pytest.raises(ArtifactCorruptError, match="scaling numbers do not fit"):
        Forecaster(forecaster.graph, forecaster.config, scaling)
