import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stocklstm.core.forecasts.quantiles import ReturnForecasts, interval
from stocklstm.core.inputs.features import FeatureScale
from stocklstm.core.inputs.scaling import (
    AnchorScaling,
    PriceScaling,
    conformal_quantiles,
    fit_scaling,
    warm_up_rows,
)
from stocklstm.core.inputs.volatility import WARM_UP, VolatilityAnchor
from stocklstm.core.prices.splits import split_origins
from stocklstm.core.settings.config import LEVELS, PRESETS
from tests.support.made_prices import bars_of, made_bars, other_future
from tests.support.property_tests import PROPERTY

MEDIAN = LEVELS.index(0.5)
CALIBRATED = PRESETS["calibrated"]
CLOSE = (FeatureScale("close", 0.0, 1.0),)


def split_of(bars, preset):
    config = PRESETS[preset]
    return split_origins(len(bars), warm_up_rows(config), config)


# --- returns over the anchor -------------------------------------------------------------------


def test_anchor_inputs_are_surprise_and_level(petr4):
    scaling = AnchorScaling.fit(petr4, 2800, CALIBRATED)
    sigmas = VolatilityAnchor.fit(petr4, 2800, 0.92).sigmas(petr4)
    logs = np.log(sigmas)
    training = logs[WARM_UP:2800]
    assert scaling.features[1].center == pytest.approx(training.mean(), rel=1e-12)
    assert scaling.features[1].spread == pytest.approx(training.std(), rel=1e-12)

    inputs = scaling.inputs(petr4)
    assert inputs.shape == (len(petr4), 2)
    assert inputs.dtype == np.float32
    for row in (WARM_UP + 1, 1000, len(petr4) - 1):
        surprise = math.log(petr4.adj_closes[row] / petr4.adj_closes[row - 1]) / sigmas[row - 1]
        level = (logs[row] - training.mean()) / training.std()
        assert inputs[row].tolist() == pytest.approx([surprise, level], rel=1e-5)
    levels = inputs[WARM_UP:2800, 1].astype(np.float64)
    assert (levels.mean(), levels.std()) == pytest.approx((0, 1), abs=1e-5)


def test_the_anchor_warm_up_is_exactly_what_is_lost(petr4):
    scaling = AnchorScaling.fit(petr4, 2800, CALIBRATED)
    whole = np.isfinite(scaling.inputs(petr4)).all(axis=1)
    assert scaling.warm_up == WARM_UP + 1 == warm_up_rows(PRESETS["calibrated"])
    assert not whole[: scaling.warm_up].any()
    assert whole[scaling.warm_up :].all()


def test_anchor_targets_are_the_next_surprise(petr4):
    scaling = AnchorScaling.fit(petr4, 2800, CALIBRATED)
    targets = scaling.targets(petr4)
    assert targets.dtype == np.float32
    assert math.isnan(targets[-1])
    assert np.array_equal(targets[:-1], scaling.inputs(petr4)[1:, 0], equal_nan=True)


def test_a_forecast_of_the_target_is_the_return_that_came(petr4):
    scaling = AnchorScaling.fit(petr4, 2800, CALIBRATED)
    origins = np.arange(2800, len(petr4) - 1)
    outputs = np.repeat(scaling.targets(petr4)[origins, None], len(LEVELS), axis=1)
    forecasts = scaling.forecasts(outputs.astype(np.float64), petr4, origins)
    assert np.allclose(forecasts.points, petr4.log_returns[origins + 1], atol=1e-7)
    closes = forecasts.closes(petr4.adj_closes[origins])
    assert np.allclose(closes.points, petr4.adj_closes[origins + 1], rtol=1e-7)


def test_crossed_outputs_are_put_in_order_before_the_median_is_taken():
    bars = made_bars(60)
    scaling = AnchorScaling.fit(bars, 50, CALIBRATED)
    outputs = np.arange(len(LEVELS), 0, -1.0)[None, :]
    outputs[0, MEDIAN] = 100.0
    forecasts = scaling.forecasts(outputs, bars, np.array([55]))
    sigma = scaling.anchor.sigmas(bars)[55]
    assert np.all(np.diff(forecasts.quantiles) >= 0)
    assert forecasts.points[0] == forecasts.quantiles[0, MEDIAN]
    assert forecasts.quantiles[0].tolist() == pytest.approx((np.sort(outputs[0]) * sigma).tolist())


def test_a_dead_share_gives_finite_inputs_and_a_forecast_of_no_change():
    bars = bars_of(np.full(500, 7.0))
    scaling = AnchorScaling.fit(bars, 400, CALIBRATED)
    assert scaling.features[1].spread == 1.0
    assert np.isfinite(scaling.inputs(bars)[scaling.warm_up :]).all()
    assert not scaling.targets(bars)[WARM_UP:-1].any()
    outputs = np.tile(np.linspace(-3, 3, len(LEVELS)), (1, 1))
    closes = scaling.forecasts(outputs, bars, np.array([450])).closes(np.array([7.0]))
    assert closes.points.tolist() == [7.0]
    assert closes.quantiles.tolist() == [[7.0] * len(LEVELS)]


@pytest.mark.parametrize("rows", range(WARM_UP + 2, 120))
def test_rounding_is_no_spread_of_volatility(rows):
    # The mean of equal logarithms is not always that logarithm.
    assert AnchorScaling.fit(bars_of(np.full(120, 7.0)), rows, CALIBRATED).features[1].spread == 1.0


def test_a_share_that_wakes_after_training_gives_finite_inputs():
    bars = bars_of(np.append(np.full(400, 7.0), made_bars(100).closes))
    scaling = AnchorScaling.fit(bars, 300, CALIBRATED)
    inputs = scaling.inputs(bars)
    assert np.isfinite(inputs[scaling.warm_up :]).all()
    assert np.abs(inputs[scaling.warm_up :, 1]).max() < 1000
    assert np.isfinite(scaling.targets(bars)[WARM_UP:-1]).all()


# --- the price itself --------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["paper", "paper-short"])
def test_min_max_against_scikit_learn(petr4, preset):
    from sklearn.preprocessing import MinMaxScaler

    config = PRESETS[preset]
    scaler = MinMaxScaler((config.scale_low, config.scale_high)).fit(petr4.closes[:2800, None])
    scaling = PriceScaling.fit(petr4, 2800, config)
    expected = scaler.transform(petr4.closes[:, None])
    assert np.allclose(scaling.scale(petr4.closes), expected[:, 0], rtol=0, atol=1e-13)
    assert np.allclose(
        scaling.unscale(expected[:, 0]), scaler.inverse_transform(expected)[:, 0], rtol=1e-12
    )
    inputs = scaling.inputs(petr4)
    assert inputs.shape == (len(petr4), 1)
    assert inputs.dtype == np.float32
    assert np.allclose(inputs, expected, atol=1e-6)
    assert inputs[:2800].min() == config.scale_low
    assert inputs[:2800].max() == config.scale_high


@PROPERTY
@given(
    closes=arrays(np.float64, 40, elements=st.floats(0.01, 1e6)),
    low=st.floats(-10, 0),
    width=st.floats(0.1, 10),
)
def test_unscaling_undoes_scaling(closes, low, width):
    scaling = PriceScaling(
        float(closes[:30].min()), float(closes[:30].max()), low, low + width, CLOSE
    )
    extent = max(scaling.data_max - scaling.data_min, closes.max())
    assert np.allclose(scaling.unscale(scaling.scale(closes)), closes, atol=1e-9 * extent)


def test_a_constant_price_scales_to_the_lower_end():
    bars = bars_of(np.full(40, 7.0))
    scaling = PriceScaling.fit(bars, 30, PRESETS["paper-short"])
    assert scaling.inputs(bars)[:, 0].tolist() == [-1.0] * 40
    assert scaling.unscale(scaling.scale(np.array([7.0, 8.0]))).tolist() == [7.0, 8.0]


def test_price_targets_are_the_next_input():
    bars = made_bars(40)
    scaling = PriceScaling.fit(bars, 30, PRESETS["paper"])
    targets = scaling.targets(bars)
    assert targets.dtype == np.float32
    assert math.isnan(targets[-1])
    assert np.array_equal(targets[:-1], scaling.inputs(bars)[1:, 0])
    assert scaling.warm_up == 0 == warm_up_rows(PRESETS["paper"])


def test_price_points_are_log_returns_of_the_raw_close():
    bars = made_bars(40)
    scaling = PriceScaling.fit(bars, 30, PRESETS["paper"])
    origins = np.array([31, 35])
    outputs = scaling.scale(np.array([33.0, 44.0]))[:, None]
    expected = np.log(np.array([33.0, 44.0]) / bars.closes[origins])
    assert np.allclose(scaling.points(outputs, bars, origins), expected, rtol=1e-12)


def test_a_price_below_zero_is_taken_at_a_thousandth():
    bars = made_bars(40)
    scaling = PriceScaling.fit(bars, 30, PRESETS["paper"])
    outputs = scaling.scale(np.array([-5.0, 0.0, 1e-9]))[:, None]
    points = scaling.points(outputs, bars, np.array([31, 32, 33]))
    assert points.tolist() == pytest.approx([math.log(1e-3)] * 3)


def test_calibration_puts_residual_quantiles_around_each_point():
    bars = made_bars(200)
    scaling = PriceScaling.fit(bars, 100, PRESETS["paper"])
    origins = np.arange(100, 160)
    outputs = scaling.scale(bars.closes[origins] * 1.01)[:, None]
    calibrated = scaling.calibrate(outputs, bars, origins)
    residuals = np.sort(bars.log_returns[origins + 1] - math.log(1.01))
    assert np.allclose(calibrated.residuals, conformal_quantiles(residuals), atol=1e-12)
    assert replace(calibrated, residuals=()) == scaling

    later = np.arange(160, 199)
    forecasts = calibrated.forecasts(scaling.scale(bars.closes[later])[:, None], bars, later)
    assert np.allclose(forecasts.points, 0, atol=1e-12)
    assert np.allclose(forecasts.quantiles, np.array(calibrated.residuals)[None, :], atol=1e-12)
    assert np.all(np.diff(forecasts.quantiles, axis=1) >= 0)


def test_a_price_forecast_needs_calibration():
    bars = made_bars(40)
    scaling = PriceScaling.fit(bars, 30, PRESETS["paper"])
    for residuals in ((), (0.0,), (0.0,) * (len(LEVELS) - 1)):
        with pytest.raises(ValueError, match="residuals have not been measured"):
            replace(scaling, residuals=residuals).forecasts(
                np.zeros((2, 1)), bars, np.array([31, 32])
            )


# --- conformal quantiles -----------------------------------------------------------------------


def test_conformal_quantiles_of_99_residuals_are_round_ranks():
    # n + 1 = 100: rank 100 τ, but 2.5 and 97.5 go outwards.
    expected = [1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99]
    assert conformal_quantiles(np.arange(1.0, 100.0)).tolist() == expected


def test_conformal_quantiles_of_nine_residuals():
    # n + 1 = 10: beyond rank 1 and 9 there is nothing.
    expected = [1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9]
    assert conformal_quantiles(np.arange(1.0, 10.0)).tolist() == expected


def test_conformal_quantiles_of_one_residual():
    assert conformal_quantiles(np.array([0.3])).tolist() == [0.3] * len(LEVELS)


@PROPERTY
@given(st.integers(1, 20_000))
def test_conformal_ranks_are_exact_and_mirror_each_other(count):
    ranks = conformal_quantiles(np.arange(1.0, count + 1))
    for rank, level in zip(ranks, LEVELS, strict=True):
        exact = Fraction(str(level)) * (count + 1)
        outward = math.ceil(exact) if level >= 0.5 else math.floor(exact)
        assert rank == min(max(outward, 1), count)
    mirrored = count + 1 - ranks[::-1]
    assert np.array_equal(np.delete(ranks, MEDIAN), np.delete(mirrored, MEDIAN))


@PROPERTY
@given(arrays(np.float64, st.integers(1, 80), elements=st.floats(-1, 1)))
def test_conformal_quantiles_lie_outside_numpys(residuals):
    ordered = np.sort(residuals)
    quantiles = conformal_quantiles(ordered)
    plain = np.quantile(ordered, LEVELS, method="inverted_cdf")
    assert np.all(np.diff(quantiles) >= 0)
    assert np.all(quantiles[:MEDIAN] <= plain[:MEDIAN])
    assert np.all(quantiles[MEDIAN:] >= plain[MEDIAN:])
    # The k-th smallest of n is numpy's quantile anywhere between (k - 1) / n and k / n.
    count = len(ordered)
    ranks = np.clip(np.ceil(np.round((count + 1) * np.array(LEVELS[MEDIAN:]), 9)), 1, count)
    upper = np.quantile(ordered, (ranks - 0.5) / count, method="inverted_cdf")
    assert np.array_equal(quantiles[MEDIAN:], upper)


@pytest.mark.parametrize("count", [60, 200])
def test_conformal_intervals_cover_at_least_what_they_promise(count):
    rng = np.random.default_rng(11)
    samples = rng.standard_t(4, (20_000, count + 1))
    quantiles = np.array([conformal_quantiles(row) for row in np.sort(samples[:, :-1])])
    for level in (0.8, 0.9, 0.95):
        lower, upper = interval(quantiles, level)
        share = ((lower <= samples[:, -1]) & (samples[:, -1] <= upper)).mean()
        # Split conformal promises the level, at most 2 / (n + 1) more; four standard errors.
        error = 4 * math.sqrt(level * (1 - level) / len(samples))
        assert level - error < share < level + 2 / (count + 1) + error


# --- both --------------------------------------------------------------------------------------


def test_returns_become_closes():
    forecasts = ReturnForecasts(np.array([0.0, math.log(2)]), np.log([[0.5, 1, 2], [1, 1, 4]]))
    closes = forecasts.closes(np.array([10.0, 20.0]))
    assert closes.points.tolist() == pytest.approx([10, 40])
    assert closes.quantiles.ravel().tolist() == pytest.approx([5, 10, 20, 20, 20, 80])


@pytest.mark.parametrize("preset", PRESETS)
def test_the_target_decides_the_scaling(petr4, preset):
    config, split = PRESETS[preset], split_of(petr4, preset)
    scaling = fit_scaling(petr4, split, config)
    assert isinstance(scaling, AnchorScaling if config.target == "return" else PriceScaling)
    assert scaling.warm_up == warm_up_rows(config)
    inputs, targets = scaling.inputs(petr4), scaling.targets(petr4)
    assert inputs.shape == (len(petr4), config.input_size)
    assert np.isfinite(inputs[scaling.warm_up :]).all()
    origins = np.concatenate((split.train, split.validation, split.calibration, split.test))
    assert np.isfinite(targets[origins]).all()


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("seed", range(3))
def test_what_comes_after_training_changes_no_fitted_number(preset, seed):
    bars, config = made_bars(500, seed), PRESETS[preset]
    split = split_of(bars, preset)
    fitted = fit_scaling(bars, split, config)
    assert fit_scaling(other_future(bars, split.train_rows - 1), split, config) == fitted
    # The last training row itself is looked at.
    assert fit_scaling(other_future(bars, split.train_rows - 100), split, config) != fitted


@PROPERTY
@given(preset=st.sampled_from(list(PRESETS)), seed=st.integers(0, 20), row=st.integers(30, 298))
def test_no_input_or_forecast_looks_ahead(preset, seed, row):
    bars, config = made_bars(300, seed), PRESETS[preset]
    changed = other_future(bars, row)
    if config.target == "return":
        scaling = AnchorScaling.fit(bars, 200, CALIBRATED)
    else:
        residuals = tuple(np.linspace(-0.05, 0.05, len(LEVELS)).tolist())
        scaling = replace(PriceScaling.fit(bars, 200, config), residuals=residuals)
    known = slice(row + 1)
    inputs, other = scaling.inputs(bars), scaling.inputs(changed)
    assert np.array_equal(inputs[known], other[known], equal_nan=True)
    assert not np.array_equal(inputs[row + 1], other[row + 1])
    # A label lies one row later, so those before the row itself are known.
    assert np.array_equal(
        scaling.targets(bars)[:row], scaling.targets(changed)[:row], equal_nan=True
    )
    origins = np.arange(WARM_UP, row + 1)
    outputs = np.random.default_rng(seed).standard_normal((len(origins), config.outputs))
    before = scaling.forecasts(outputs, bars, origins)
    after = scaling.forecasts(outputs, changed, origins)
    assert np.array_equal(before.points, after.points)
    assert np.array_equal(before.quantiles, after.quantiles)
    assert np.isfinite(before.quantiles).all()


# --- several sessions ahead --------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [1, 2, 5, 20])
def test_targets_several_sessions_ahead_by_hand(petr4, horizon):
    scaling = AnchorScaling.fit(petr4, 2800, replace(CALIBRATED, horizon=horizon))
    targets = scaling.targets(petr4)
    sigmas = scaling.anchor.sigmas(petr4)
    assert np.isnan(targets[-horizon:]).all()
    for row in (WARM_UP, 1234, len(petr4) - 1 - horizon):
        move = math.log(petr4.adj_closes[row + horizon] / petr4.adj_closes[row])
        assert targets[row] == pytest.approx(move / sigmas[row] / math.sqrt(horizon), rel=1e-5)


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_forecast_of_a_far_target_is_the_return_that_came(petr4, horizon):
    scaling = AnchorScaling.fit(petr4, 2800, replace(CALIBRATED, horizon=horizon))
    origins = np.arange(2800, len(petr4) - horizon)
    outputs = np.repeat(scaling.targets(petr4)[origins, None], len(LEVELS), axis=1)
    forecasts = scaling.forecasts(outputs.astype(np.float64), petr4, origins)
    closes = forecasts.closes(petr4.adj_closes[origins])
    assert np.allclose(closes.points, petr4.adj_closes[origins + horizon], rtol=1e-6)


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_far_price_and_its_residuals(petr4, horizon):
    config = replace(PRESETS["paper"], horizon=horizon)
    scaling = PriceScaling.fit(petr4, 2800, config)
    targets = scaling.targets(petr4)
    assert np.isnan(targets[-horizon:]).all()
    assert scaling.unscale(targets[1000].astype(np.float64)) == pytest.approx(
        petr4.closes[1000 + horizon], rel=1e-5
    )
    # A forecast of no change: its residuals are the returns over the horizon.
    origins = np.arange(2000, 2400)
    outputs = scaling.scale(petr4.closes[origins])[:, None]
    calibrated = scaling.calibrate(outputs, petr4, origins)
    moves = np.log(petr4.adj_closes[origins + horizon] / petr4.adj_closes[origins])
    assert calibrated.residuals == pytest.approx(
        conformal_quantiles(np.sort(moves)).tolist(), abs=1e-9
    )


def test_a_price_model_may_see_more_than_the_close(petr4):
    config = replace(PRESETS["paper"], features=("close", "volatility", "volume"))
    scaling = PriceScaling.fit(petr4, 2800, config)
    assert scaling.warm_up == WARM_UP == warm_up_rows(config)
    inputs = scaling.inputs(petr4)
    assert inputs.shape == (len(petr4), 3)
    assert np.isfinite(inputs[WARM_UP:]).all()
    assert np.array_equal(inputs[:, 0], scaling.scale(petr4.closes).astype(np.float32))


@pytest.mark.parametrize("features", [("close",), ("volume",), ("return", "volatility")])
def test_a_return_needs_its_volatility_whatever_is_seen(petr4, features):
    config = replace(CALIBRATED, features=features, seq_length=2)
    scaling = AnchorScaling.fit(petr4, 2800, config)
    assert scaling.warm_up == warm_up_rows(config) >= WARM_UP
    first = scaling.warm_up + config.seq_length - 1
    assert np.isfinite(scaling.targets(petr4)[first:-1]).all()
