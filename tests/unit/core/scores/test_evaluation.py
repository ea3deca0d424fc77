import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.inputs.scaling import AnchorScaling
from stocklstm.core.prices.series import outcomes
from stocklstm.core.scores.baselines import Baselines, naive_error
from stocklstm.core.scores.evaluation import (
    compare,
    evaluate,
    score_days,
)
from stocklstm.core.scores.significance import PairedTest, diebold_mariano, wilson_interval
from stocklstm.core.settings.config import INTERVAL_LEVELS, LEVELS, PRESETS
from tests.support.made_prices import bars_of, made_bars, other_future
from tests.support.normal_forecasts import GRID, days_of, random_days
from tests.support.property_tests import PROPERTY

CALIBRATED = PRESETS["calibrated"]


# --- what is scored ----------------------------------------------------------------------------


def test_an_outcome_is_the_close_that_came():
    bars = bars_of([10, 11, 12, 9])
    assert outcomes(bars, np.arange(3)).tolist() == pytest.approx([11, 12, 9])
    assert outcomes(bars, np.array([0, 1]), horizon=2).tolist() == pytest.approx([12, 9])


def test_a_dividend_is_added_back():
    # 2 are paid on the last day: the close falls from 12 to 10, and nobody lost anything.
    bars = bars_of([11, 12, 10], adj_closes=[11 * 10 / 12, 10, 10])
    assert outcomes(bars, np.arange(2)).tolist() == pytest.approx([12, 12])
    assert naive_error(bars, 3) == pytest.approx(0.5)


def test_the_naive_error_is_that_of_training_rows():
    bars = bars_of([10, 11, 13, 12, 1000])
    assert naive_error(bars, 4) == pytest.approx((1 + 2 + 1) / 3)
    assert naive_error(bars, 2) == pytest.approx(1)
    assert naive_error(bars_of(np.full(9, 3.0)), 9) == 0


def test_scored_days_put_forecasts_beside_outcomes():
    bars = made_bars(100)
    origins = np.array([70, 80, 98])
    baseline = Baselines.fit(bars, 60)
    forecasts = ReturnForecasts(np.array([0.0, 0.01, -0.01]), np.outer([1, 2, 3], GRID) * 0.01)
    days = score_days(bars, origins, forecasts, baseline)
    assert days.dates.tolist() == bars.dates[[71, 81, 99]].tolist()
    assert np.array_equal(days.last_closes, bars.closes[origins])
    assert np.array_equal(days.actuals, outcomes(bars, origins))
    assert np.allclose(days.forecasts.points, bars.closes[origins] * np.exp([0, 0.01, -0.01]))
    assert np.allclose(np.log(days.forecasts.quantiles / days.last_closes[:, None])[1], GRID / 50)
    assert np.allclose(
        np.log(days.ewma / days.last_closes[:, None]), baseline.ewma.returns(bars, origins)
    )


@PROPERTY
@given(seed=st.integers(0, 50), row=st.integers(61, 119))
def test_scores_know_nothing_later_than_the_day_that_was_forecast(seed, row):
    bars = made_bars(121, seed)
    changed = other_future(bars, row)
    baseline = Baselines.fit(bars, 60)
    scaling = AnchorScaling.fit(bars, 60, CALIBRATED)
    origins = np.arange(60, row)
    outputs = np.tile(GRID, (len(origins), 1))
    days, other = (
        score_days(series, origins, scaling.forecasts(outputs, series, origins), baseline)
        for series in (bars, changed)
    )
    assert np.array_equal(days.actuals, other.actuals)
    assert evaluate(days, 1.0) == evaluate(other, 1.0)
    assert naive_error(bars, row + 1) == naive_error(changed, row + 1)


def test_some_days_can_be_chosen():
    days = random_days(20, 0)
    chosen = np.arange(20) % 3 == 1
    some = days.select(chosen)
    assert len(some.dates) == 7
    assert np.array_equal(some.dates, days.dates[chosen])
    assert np.array_equal(some.last_closes, days.last_closes[chosen])
    assert np.array_equal(some.actuals, days.actuals[chosen])
    assert np.array_equal(some.forecasts.points, days.forecasts.points[chosen])
    assert np.array_equal(some.forecasts.quantiles, days.forecasts.quantiles[chosen])
    assert np.array_equal(some.ewma, days.ewma[chosen])


# --- points ------------------------------------------------------------------------------------


def test_point_scores_by_hand():
    # Naive errors 1, -2, 2; the model's 1, 0, -1.
    evaluation = evaluate(days_of([10, 11, 9], [11, 9, 11], [10, 9, 12]), 0.5)
    point = evaluation.point
    assert point.rmse == pytest.approx(math.sqrt(2 / 3))
    assert point.rmse_naive == pytest.approx(math.sqrt(3))
    assert point.mae == pytest.approx(2 / 3)
    assert point.mae_naive == pytest.approx(5 / 3)
    assert point.rmse_ratio == pytest.approx(math.sqrt(2) / 3)
    assert point.mae_ratio == pytest.approx(0.4)
    assert point.skill == pytest.approx(1 - math.sqrt(2) / 3)
    assert point.mase == pytest.approx(4 / 3)
    # Squared errors differ by 0, -4, -3: mean -7/3, variance over n 26/9, correction 2/3.
    assert point.dm_stat == pytest.approx(-7 / 3 / math.sqrt(26 / 27) * math.sqrt(2 / 3))
    assert point.dm_p == pytest.approx(2 * stats.t.cdf(point.dm_stat, 2))
    assert (evaluation.start, evaluation.end, evaluation.n) == ("2024-01-01", "2024-01-03", 3)


@PROPERTY
@given(seed=st.integers(0, 1000), count=st.integers(2, 400), error=st.floats(0.1, 3))
def test_point_scores_against_scikit_learn(seed, count, error):
    from sklearn.metrics import mean_absolute_error, root_mean_squared_error

    days = random_days(count, seed, error=error)
    point = evaluate(days, 2.0).point
    points, actuals, last = days.forecasts.points, days.actuals, days.last_closes
    assert point.rmse == pytest.approx(root_mean_squared_error(actuals, points))
    assert point.mae == pytest.approx(mean_absolute_error(actuals, points))
    assert point.rmse_naive == pytest.approx(root_mean_squared_error(actuals, last))
    assert point.mae_naive == pytest.approx(mean_absolute_error(actuals, last))
    assert point.mase == pytest.approx(point.mae / 2)
    test = diebold_mariano((actuals - points) ** 2, (actuals - last) ** 2)
    assert (point.dm_stat, point.dm_p) == (test.stat, test.p)


def test_yesterdays_close_against_itself_is_a_tie():
    days = random_days(50, 1)
    point = evaluate(replace(days, forecasts=days_of(*[days.last_closes] * 3).forecasts), 1.0).point
    assert (point.rmse_ratio, point.mae_ratio, point.skill) == (1, 1, 0)
    assert (point.dm_stat, point.dm_p) == (0, 1)


def test_a_difference_that_is_the_same_every_day_has_no_statistic():
    # Naive errors ±1, the model's ±2 (powers of two, so that nothing is rounded).
    moves = np.resize([1.0, -1.0], 30)
    last = np.full(30, 64.0)
    evaluation = evaluate(days_of(last, last + moves, last - moves), 1.0)
    assert evaluation.point.dm_stat is None
    assert evaluation.point.dm_p == 0
    assert evaluation.verdict == "worse"


def test_a_training_part_without_a_move_has_no_mase():
    assert evaluate(random_days(5, 0), 0.0).point.mase is None


# --- direction ---------------------------------------------------------------------------------


def test_direction_leaves_out_what_did_not_move_and_what_was_not_called():
    last = np.full(6, 10.0)
    actuals = [11, 9, 10, 11, 12, 9]
    points = [12, 11, 11, 10, 11, 8]
    # right, wrong, no move, no call, right, right
    direction = evaluate(days_of(last, actuals, points), 1.0).direction
    assert (direction.n, direction.excluded) == (4, 2)
    assert direction.accuracy == 0.75
    assert direction.always_up == 0.5
    assert (direction.low, direction.high) == wilson_interval(3, 4)


def test_direction_of_no_call_at_all():
    last = np.full(6, 10.0)
    direction = evaluate(days_of(last, last + 1, last), 1.0).direction
    assert (direction.n, direction.excluded) == (0, 6)
    assert direction.accuracy is None
    assert direction.always_up is None
    assert (direction.low, direction.high) == (0, 1)


# --- distribution ------------------------------------------------------------------------------


@PROPERTY
@given(seed=st.integers(0, 1000), count=st.integers(1, 300), spread=st.floats(0.1, 3))
def test_intervals_against_scoringrules(seed, count, spread):
    import scoringrules

    days = random_days(count, seed, spread=spread)
    coverage = evaluate(days, 1.0).distribution.coverage
    assert tuple(item.level for item in coverage) == INTERVAL_LEVELS
    for item in coverage:
        reach = spread * stats.norm.ppf((1 + item.level) / 2)
        lower, upper = days.forecasts.points - reach, days.forecasts.points + reach
        expected = scoringrules.interval_score(days.actuals, lower, upper, 1 - item.level)
        assert item.winkler == pytest.approx(expected.mean(), rel=1e-9)
        assert item.width == pytest.approx(2 * reach)
        assert item.share == np.mean((lower <= days.actuals) & (days.actuals <= upper))
        band = stats.binom.interval(0.99, count, item.level)
        assert (item.low * count, item.high * count) == pytest.approx(band)


def test_crps_of_normal_forecasts_against_scoringrules():
    import scoringrules

    days = random_days(2000, 3, error=1.0, spread=1.0)
    distribution = evaluate(days, 1.0).distribution
    model = scoringrules.crps_normal(days.actuals, days.forecasts.points, 1.0).mean()
    ewma = scoringrules.crps_normal(days.actuals, days.last_closes, 1.0).mean()
    assert distribution.crps == pytest.approx(model, rel=0.02)
    assert distribution.crps_ewma == pytest.approx(ewma, rel=0.02)
    assert distribution.crps_ratio == distribution.crps / distribution.crps_ewma


def test_bounds_belong_to_the_interval():
    days = days_of([10, 10], [10, 10], [10, 10])
    forecasts = ReturnForecasts(days.actuals, np.full((2, len(LEVELS)), 10.0))
    distribution = evaluate(replace(days, forecasts=forecasts), 1.0).distribution
    assert [item.share for item in distribution.coverage] == [1.0, 1.0]
    assert [item.winkler for item in distribution.coverage] == [0.0, 0.0]
    assert distribution.crps == 0


def test_two_models_are_compared_by_crps():
    days = random_days(300, 0, error=0.8, spread=0.8)
    worse = random_days(300, 0, error=1.6, spread=0.8)
    assert compare(days, days) == PairedTest(0.0, 1.0, 300)
    test = compare(worse, days)
    assert test.stat > 0
    assert test.p < 0.001
    assert compare(days, worse).stat == -test.stat


def test_scores_are_plain_numbers():
    def walk(value):
        if isinstance(value, dict):
            for item in value.values():
                walk(item)
        elif isinstance(value, tuple):
            for item in value:
                walk(item)
        else:
            assert type(value) in {str, int, float, type(None)}

    walk(asdict(evaluate(random_days(30, 2), 1.0)))


def test_naive_and_ewma_on_real_prices(petr4):
    # Yesterday's close with the volatility anchor's own normal quantiles: a tie by definition.
    origins = np.arange(2800, len(petr4) - 1)
    baseline, scaling = Baselines.fit(petr4, 2800), AnchorScaling.fit(petr4, 2800, CALIBRATED)
    forecasts = scaling.forecasts(np.tile(GRID, (len(origins), 1)), petr4, origins)
    days = score_days(petr4, origins, forecasts, baseline)
    evaluation = evaluate(days, naive_error(petr4, 2800))
    assert evaluation.n == len(origins) == 722
    assert evaluation.verdict == "no_better"
    assert evaluation.point.rmse_ratio == pytest.approx(1)
    assert 0.9 < evaluation.distribution.crps_ratio < 1.1


# --- several sessions ahead


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_far_forecasts_are_held_against_far_outcomes(petr4, horizon):
    origins = np.arange(2800, len(petr4) - horizon)
    baseline = Baselines.fit(petr4, 2800)
    quantiles = baseline.ewma.returns(petr4, origins, horizon)
    forecasts = ReturnForecasts(np.zeros(len(origins)), quantiles)

    days = score_days(petr4, origins, forecasts, baseline, horizon)
    scores = evaluate(days, naive_error(petr4, 2800, horizon))

    assert np.array_equal(days.dates, petr4.dates[origins + horizon])
    moves = petr4.adj_closes[origins + horizon] / petr4.adj_closes[origins]
    assert np.allclose(days.actuals, petr4.closes[origins] * moves)
    assert scores.horizon == horizon
    assert scores.distribution.crps_ratio == 1
    naive = petr4.closes[origins] * (moves - 1)
    assert scores.point.rmse == pytest.approx(math.sqrt((naive**2).mean()))
    widest = scores.distribution.coverage[-1]
    # The quantiles grow with √h, and real coverage stays near what is promised.
    assert abs(widest.share - 0.95) < 0.04
    assert widest.low <= widest.share <= widest.high


def test_overlapping_spans_widen_every_bound(petr4):
    def scores(horizon):
        origins = np.arange(2800, len(petr4) - horizon)
        baseline = Baselines.fit(petr4, 2800)
        points = np.where(np.arange(len(origins)) % 3, 1e-3, -1e-3)
        forecasts = ReturnForecasts(points, baseline.ewma.returns(petr4, origins, horizon))
        return evaluate(score_days(petr4, origins, forecasts, baseline, horizon), 1.0)

    near, far = scores(1), scores(5)
    for one, other in zip(near.distribution.coverage, far.distribution.coverage, strict=True):
        assert other.high - other.low > 2 * (one.high - one.low)
    assert far.direction.high - far.direction.low > 2 * (near.direction.high - near.direction.low)


def test_the_test_of_far_forecasts_knows_that_they_overlap(petr4):
    origins = np.arange(2800, len(petr4) - 5)
    baseline = Baselines.fit(petr4, 2800)
    points = 0.01 * np.sin(np.arange(len(origins)) / 30)
    forecasts = ReturnForecasts(points, baseline.ewma.returns(petr4, origins, 5))
    days = score_days(petr4, origins, forecasts, baseline, 5)

    errors, naive = days.actuals - days.forecasts.points, days.actuals - days.last_closes
    expected = diebold_mariano(errors**2, naive**2, 5)

    assert evaluate(days, 1.0).point.dm_p == expected.p
    assert expected.p != diebold_mariano(errors**2, naive**2, 1).p


# --- the further figures


def test_further_figures_against_scikit_learn(petr4):
    from sklearn.metrics import mean_absolute_percentage_error, r2_score

    origins = np.arange(2800, len(petr4) - 1)
    baselines = Baselines.fit(petr4, 2800)
    points = 0.005 * np.sin(np.arange(len(origins)))
    forecasts = ReturnForecasts(points, baselines.ewma.returns(petr4, origins))
    days = score_days(petr4, origins, forecasts, baselines)
    scores = evaluate(days, naive_error(petr4, 2800))
    point, closes = scores.point, days.forecasts.points

    assert point.r2 == pytest.approx(r2_score(days.actuals, closes), rel=1e-12)
    assert point.r2_naive == pytest.approx(r2_score(days.actuals, days.last_closes), rel=1e-12)
    assert point.mape == pytest.approx(100 * mean_absolute_percentage_error(days.actuals, closes))
    smape = 2 * np.abs(days.actuals - closes) / (np.abs(days.actuals) + np.abs(closes))
    assert point.smape == pytest.approx(100 * smape.mean())
    assert point.skill_low < point.skill < point.skill_high
    assert scores.direction.always_up + scores.direction.always_down == 1
    drift, autoregression = scores.rivals
    assert (drift.name, autoregression.name) == ("drift", "AR(1)")
    growth = np.exp(baselines.drift)
    expected = np.sqrt(((days.actuals - days.last_closes * growth) ** 2).mean())
    assert drift.rmse == pytest.approx(expected, rel=1e-12)
    assert drift.rmse_ratio == pytest.approx(expected / point.rmse_naive, rel=1e-12)


def test_a_right_distribution_is_reliable_and_kept_by_its_tests(petr4):
    origins = np.arange(2800, len(petr4) - 1)
    baselines = Baselines.fit(petr4, 2800)
    random = np.random.default_rng(0)
    spread = baselines.ewma.returns(petr4, origins)
    outcomes_of = petr4.closes[origins] * np.exp(
        np.array([np.interp(random.random(), LEVELS, row) for row in spread])
    )
    days = replace(
        score_days(petr4, origins, ReturnForecasts(np.zeros(len(origins)), spread), baselines),
        actuals=outcomes_of,
    )
    distribution = evaluate(days, 1.0).distribution

    assert np.abs(np.array(distribution.reliability) - LEVELS).max() < 0.05
    # Outcomes are drawn from the grid, whose ends hold 98 %: the widest interval holds too many.
    eighty = distribution.coverage[0]
    assert eighty.kupiec_p > 0.01
    assert eighty.christoffersen_p > 0.01


def test_one_day_is_scored_without_complaint(petr4):
    origins = np.array([3000])
    baselines = Baselines.fit(petr4, 2800)
    forecasts = ReturnForecasts(np.array([0.01]), baselines.ewma.returns(petr4, origins))

    scores = evaluate(score_days(petr4, origins, forecasts, baselines), 1.0)

    assert scores.n == 1
    assert (scores.point.dm_p, scores.point.cw_p, scores.direction.pt_p) == (1, 1, 1)
    assert scores.point.r2 is None
    assert (scores.point.skill_low, scores.point.skill_high) == (None, None)
