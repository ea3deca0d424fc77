import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.inputs.volatility import (
    WARM_UP,
    Measure,
    VolatilityAnchor,
    range_variances,
    valid_ranges,
)
from stocklstm.core.prices.series import Bars, DayVariances
from tests.support.made_prices import bars_of, made_bars, other_future, with_realised
from tests.support.property_tests import PROPERTY

RETURNS = VolatilityAnchor("returns", 0.94, 0.0)

MEASURES = (Measure(15, 0.7, 0.9), Measure(90, 0.75, 1.2))


def two_days(opened, high, low, close, *, before=100.0, dividend=0.0) -> Bars:
    return bars_of(
        [before, close],
        opens=[before, opened],
        highs=[before, high],
        lows=[before, low],
        adj_closes=[before - dividend, close],
    )


def test_the_variance_of_a_day_by_hand():
    # ln(102/100)² + ln(110/105) ln(110/102) + ln(95/105) ln(95/102)
    variance = range_variances(two_days(102, 110, 95, 105))[1]
    assert variance == pytest.approx(0.00039214405 + 0.00351261252 + 0.00711552573, abs=1e-10)
    assert variance == pytest.approx(0.011020282302466899, rel=1e-12)


def test_a_day_that_goes_one_way_has_no_intraday_variance():
    # Rogers & Satchell: all of it is drift.
    variance = range_variances(two_days(100, 120, 100, 120))[1]
    assert variance == pytest.approx(0, abs=1e-15)
    assert range_variances(two_days(110, 120, 110, 120))[1] == pytest.approx(math.log(1.1) ** 2)


def test_a_dividend_is_no_overnight_move():
    # 4 are paid out and the price opens 4 lower: nothing happened.
    paid = range_variances(two_days(96, 100, 90, 95, dividend=4))[1]
    plain = range_variances(two_days(96, 100, 90, 95, before=96))[1]
    assert paid == pytest.approx(plain, rel=1e-12)


def test_the_first_day_has_no_night_before_it():
    variances = range_variances(made_bars(5))
    assert np.isnan(variances).tolist() == [True, False, False, False, False]
    assert range_variances(bars_of([])).size == 0


@pytest.mark.parametrize("drift", [0.0, 0.02, -0.03])
def test_the_variance_of_simulated_days_is_right_with_any_drift(drift):
    days, steps, night, day = 1000, 2500, 0.01, 0.02
    rng = np.random.default_rng(5)
    moves = rng.standard_normal((days, steps)) * day / math.sqrt(steps) + drift / steps
    paths = np.column_stack((np.zeros(days), np.cumsum(moves, axis=1)))
    # Each open is yesterday's close and a move overnight.
    before = np.append(0, np.cumsum(paths[:-1, -1]))
    opens = before + np.cumsum(rng.standard_normal(days) * night)
    highs, lows, closes = (
        np.exp(opens + part) for part in (paths.max(axis=1), paths.min(axis=1), paths[:, -1])
    )
    bars = bars_of(closes, opens=np.exp(opens), highs=highs, lows=lows)
    # A path that is looked at now and then does not show all of its extremes: a few percent low.
    assert range_variances(bars)[1:].mean() == pytest.approx(night**2 + day**2, rel=0.08)
    # The squared move alone would be off by the drift.
    assert np.mean(bars.log_returns[1:] ** 2) == pytest.approx(
        night**2 + day**2 + drift**2, rel=0.15
    )


@pytest.mark.parametrize(
    ("opened", "high", "low", "close", "valid"),
    [
        (102, 110, 95, 105, True),
        (95, 110, 95, 110, True),
        (105, 105, 105, 105, False),
        (111, 110, 95, 105, False),
        (102, 104, 95, 105, False),
        (94, 110, 95, 105, False),
        (102, 110, 104, 103, False),
        (102, 110, 0, 105, False),
        (102, 110, -1, 105, False),
        (math.nan, 110, 95, 105, False),
        (102, math.nan, 95, 105, False),
        (102, 110, math.nan, 105, False),
    ],
)
def test_which_ranges_are_believed(opened, high, low, close, valid):
    assert valid_ranges(two_days(opened, high, low, close)).tolist() == [False, valid]


def test_the_first_row_is_never_valid():
    assert not valid_ranges(made_bars(5))[0]
    assert valid_ranges(made_bars(5))[1:].all()
    assert valid_ranges(bars_of([])).size == 0


def pandas_average(squared: np.ndarray, decay: float) -> np.ndarray:
    """Average with pandas, started with the mean of the warm-up."""
    import pandas as pd

    started = np.append(squared[1 : WARM_UP + 1].mean(), squared[WARM_UP + 1 :])
    averaged = pd.Series(started).ewm(alpha=1 - decay, adjust=False).mean().to_numpy()
    return np.sqrt(np.append(np.full(WARM_UP, np.nan), averaged))


def test_the_average_of_squared_returns_against_pandas(petr4):
    expected = pandas_average(petr4.log_returns**2, 0.94)
    assert np.allclose(RETURNS.sigmas(petr4), expected, rtol=1e-10, equal_nan=True)


def test_the_average_of_ranges_against_pandas(petr4):
    squared = petr4.log_returns**2
    valid = valid_ranges(petr4)
    assert 0.9 < valid.mean() < 1
    squared[valid] = range_variances(petr4)[valid]
    expected = pandas_average(squared, 0.92)
    anchor = VolatilityAnchor("range", 0.92, 0.0)
    assert np.allclose(anchor.sigmas(petr4), expected, rtol=1e-10, equal_nan=True)


def test_the_level_against_pandas(petr4):
    import pandas as pd

    estimates = VolatilityAnchor("range", 0.92, 0.0).sigmas(petr4)
    moves = np.abs(petr4.log_returns[WARM_UP + 1 :]) / estimates[WARM_UP:-1]
    relative = np.append(1, np.minimum(moves, 5) / np.sqrt(2 / np.pi))
    levels = pd.Series(relative).ewm(alpha=0.005, adjust=False).mean().to_numpy()

    found = VolatilityAnchor("range", 0.92, 0.0, 0.995).sigmas(petr4)
    assert np.allclose(found[WARM_UP:], (estimates[WARM_UP:] * levels), rtol=1e-10)


def test_ranges_that_show_half_of_what_moves_are_made_up_for():
    # Opens far from the close before, and quiet days: what the range does not see of the night.
    rng = np.random.default_rng(3)
    returns = 0.02 * rng.standard_normal(3000)
    closes = 50 * np.exp(np.cumsum(returns))
    opens = closes * np.exp(-0.001)
    highs, lows = closes * 1.002, opens * 0.998
    bars = bars_of(closes, opens=opens, highs=highs, lows=lows)
    night = replace(bars, adj_closes=closes, closes=closes, opens=np.append(closes[0], closes[:-1]))
    halved = replace(night, highs=closes * 1.05, lows=np.minimum(night.opens, closes) * 0.95)

    for series in (bars, halved):
        followed = VolatilityAnchor("range", 0.92, 0.0, 0.995).sigmas(series)
        assert followed[-2000:].mean() == pytest.approx(0.02, rel=0.08)


def test_a_move_after_years_of_stillness_counts_for_five_at_most():
    bars = made_bars(400)
    still = np.arange(400) >= 100
    closes = np.where(still, bars.closes[99], bars.closes)
    closes[399] *= 1.3
    columns = {
        name: np.where(still, closes, getattr(bars, name)) for name in ("opens", "highs", "lows")
    }
    frozen = replace(bars, closes=closes, adj_closes=closes, **columns)
    anchor = VolatilityAnchor("range", 0.92, 0.0, 0.995)
    plain = VolatilityAnchor("range", 0.92, 0.0)
    level = anchor.sigmas(frozen) / plain.sigmas(frozen)
    assert level[398] < 0.5
    assert level[399] == pytest.approx(0.995 * level[398] + 0.005 * 5 / np.sqrt(2 / np.pi))


@pytest.mark.parametrize("rows", [0, 1, 2, WARM_UP, WARM_UP + 1, WARM_UP + 2])
def test_the_warm_up_has_no_volatility(rows):
    for anchor in (RETURNS, VolatilityAnchor("range", 0.92, 0.01, 0.995)):
        sigmas = anchor.sigmas(made_bars(rows))
        assert sigmas.shape == (rows,)
        assert np.isnan(sigmas[:WARM_UP]).all()
        assert np.isfinite(sigmas[WARM_UP:]).all()


def test_real_prices_are_measured_by_their_range(petr4):
    anchor = VolatilityAnchor.fit(petr4, 2800, 0.9)
    sigmas = anchor.sigmas(petr4)
    assert (anchor.estimator, anchor.decay) == ("range", 0.9)
    assert anchor.floor == pytest.approx(0.1 * np.median(sigmas[WARM_UP:2800]), rel=1e-12)
    assert 0.005 < sigmas[WARM_UP:].min() < sigmas[WARM_UP:].max() < 0.2


@pytest.mark.parametrize(("missing", "estimator"), [(0, "range"), (10, "range"), (11, "returns")])
def test_nine_days_in_ten_need_a_range(missing, estimator):
    bars = made_bars(150)
    opens = bars.opens.copy()
    opens[1 : missing + 1] = np.nan
    # 101 training rows: the first has no day before it.
    anchor = VolatilityAnchor.fit(replace(bars, opens=opens), 101, 0.92)
    assert anchor.estimator == estimator
    assert anchor.decay == {"range": 0.92, "returns": 0.94}[estimator]


def test_closes_alone_are_measured_by_returns():
    bars = made_bars(200, ranges=False)
    anchor = VolatilityAnchor.fit(bars, 150, 0.92)
    assert anchor.estimator == "returns"
    assert np.array_equal(anchor.sigmas(bars)[WARM_UP:], RETURNS.sigmas(bars)[WARM_UP:])


def test_a_day_without_range_is_measured_by_its_return():
    bars = made_bars(100)
    holes = bars.highs.copy()
    holes[60] = np.nan
    anchor = VolatilityAnchor("range", 0.92, 0.0)
    whole, broken = anchor.sigmas(bars), anchor.sigmas(replace(bars, highs=holes))
    assert np.array_equal(whole[:60], broken[:60], equal_nan=True)
    expected = 0.92 * whole[59] ** 2 + 0.08 * bars.log_returns[60] ** 2
    assert broken[60] ** 2 == pytest.approx(expected, rel=1e-12)


def test_a_run_of_unchanged_prices_hits_the_floor():
    bars = made_bars(400, ranges=False)
    frozen = replace(
        bars,
        closes=np.append(bars.closes[:200], np.full(200, bars.closes[199])),
        adj_closes=np.append(bars.adj_closes[:200], np.full(200, bars.adj_closes[199])),
    )
    anchor = VolatilityAnchor.fit(frozen, 200, 0.92)
    sigmas = anchor.sigmas(frozen)
    assert anchor.floor > 0.001
    assert sigmas[-1] == anchor.floor
    assert np.all(sigmas[WARM_UP:] >= anchor.floor)
    assert RETURNS.sigmas(frozen)[-1] < anchor.floor / 3


@pytest.mark.parametrize("column", ["closes", "all"])
def test_a_price_that_never_moves_has_a_volatility_above_zero(column):
    flat = np.full(100, 7.0)
    columns = {} if column == "closes" else dict.fromkeys(("opens", "highs", "lows"), flat)
    bars = bars_of(flat, **columns)
    anchor = VolatilityAnchor.fit(bars, 80, 0.92)
    assert anchor.estimator == "returns"
    sigmas = anchor.sigmas(bars)[WARM_UP:]
    assert np.all(sigmas > 0)
    assert np.all(sigmas < 1e-30)
    # Even a jump over it is a finite number in single precision, and so is its logarithm.
    assert np.isfinite(np.float32(1.0 / sigmas[0]))
    assert np.isfinite(np.log(sigmas)).all()


@PROPERTY
@given(
    seed=st.integers(0, 50),
    row=st.integers(0, 119),
    ranges=st.booleans(),
    estimator=st.sampled_from(["range", "returns", "realised"]),
    level_decay=st.sampled_from([None, 0.9]),
)
def test_volatility_does_not_look_ahead(seed, row, ranges, estimator, level_decay):
    bars = with_realised(made_bars(120, seed, ranges=ranges), seed)
    measures = MEASURES if estimator == "realised" else ()
    anchor = VolatilityAnchor(estimator, 0.92, 0.001, level_decay, measures=measures)
    before, after = anchor.sigmas(bars), anchor.sigmas(other_future(bars, row))
    assert np.array_equal(before[: row + 1], after[: row + 1], equal_nan=True)
    # Nor does it depend on how many rows there are.
    cut = anchor.sigmas(bars.select(slice(row + 1)))
    assert np.array_equal(before[: row + 1], cut, equal_nan=True)


@PROPERTY
@given(
    seed=st.integers(0, 50),
    rows=st.integers(WARM_UP + 1, 120),
    ranges=st.booleans(),
    realised=st.booleans(),
)
def test_the_anchor_is_fitted_on_training_rows_only(seed, rows, ranges, realised):
    bars = made_bars(120, seed, ranges=ranges)
    bars = with_realised(bars, seed) if realised else bars
    fitted = VolatilityAnchor.fit(bars, rows, 0.92)
    assert VolatilityAnchor.fit(other_future(bars, rows - 1), rows, 0.92) == fitted
    assert VolatilityAnchor.fit(bars.select(slice(rows)), rows, 0.92) == fitted


@PROPERTY
@given(factor=st.floats(1e-3, 1e3))
def test_volatility_does_not_depend_on_the_currency(factor):
    bars = made_bars(60)
    names = ("opens", "highs", "lows", "closes", "adj_closes")
    other = replace(bars, **{name: getattr(bars, name) * factor for name in names})
    anchor = VolatilityAnchor("range", 0.92, 0.0, 0.995)
    assert np.allclose(anchor.sigmas(bars), anchor.sigmas(other), rtol=1e-6, equal_nan=True)


# Days measured by their own bars


def by_hand(bars: Bars, anchor: VolatilityAnchor) -> np.ndarray:
    """The averages in plain Python, day by day, from the formulas."""
    ratios = [measure.ratio for measure in anchor.measures]
    valid, average, found, early = valid_ranges(bars), math.nan, [], []
    for day in range(len(bars)):
        minutes = 0 if bars.realised is None else int(bars.realised.minutes[day])
        opened, high, low, close = (
            math.log(values[day]) for values in (bars.opens, bars.highs, bars.lows, bars.closes)
        )
        move = float(bars.log_returns[day])
        night = move - (close - opened)
        inside = (high - close) * (high - opened) + (low - close) * (low - opened)
        kind = None if not valid[day] or minutes == 0 else int(minutes > 15)
        decay, variance = anchor.decay, night**2 + inside if valid[day] else move**2
        if kind is not None:
            said, decay = float(bars.realised.variances[day]), anchor.measures[kind].decay
            variance = night**2 + ratios[kind] * said
            if day > WARM_UP:
                off = inside - ratios[kind] * said
                ratios[kind] += 0.01 * off / max(average, said / 5)
        if 0 < day <= WARM_UP:
            early.append(variance)
            average = sum(early) / len(early)
        elif day > WARM_UP:
            average = decay * average + (1 - decay) * variance
        found.append(math.sqrt(average) if day >= WARM_UP else math.nan)
    return np.array(found)


@PROPERTY
@given(seed=st.integers(0, 50), rows=st.integers(0, 120), since=st.integers(0, 120))
def test_measured_days_by_hand(seed, rows, since):
    bars = with_realised(made_bars(rows, seed), seed, since=min(since, rows))
    anchor = VolatilityAnchor("realised", 0.92, 0.0, measures=MEASURES)
    assert np.allclose(anchor.sigmas(bars), by_hand(bars, anchor), rtol=1e-9, equal_nan=True)


@pytest.mark.parametrize("realised", [True, False])
def test_without_measured_days_the_ranges_serve_to_the_bit(realised):
    bars = made_bars(400)
    none = DayVariances(np.zeros(400, np.int64), np.full(400, np.nan)) if realised else None
    ranged = VolatilityAnchor.fit(bars, 300, 0.92)
    measured = replace(ranged, estimator="realised", measures=MEASURES)
    found = measured.sigmas(replace(bars, realised=none))
    assert np.array_equal(found, ranged.sigmas(bars), equal_nan=True)


def test_realised_values_are_nothing_to_an_anchor_that_was_fitted_without_them():
    bars = made_bars(400)
    anchor = VolatilityAnchor.fit(bars, 300, 0.92)
    assert np.array_equal(anchor.sigmas(bars), anchor.sigmas(with_realised(bars)), equal_nan=True)


def test_the_ratios_are_those_of_the_training_days_that_have_both():
    bars = with_realised(made_bars(400))
    anchor = VolatilityAnchor.fit(bars, 300, 0.92)
    assert anchor.estimator == "realised"
    rows = np.arange(1, 300)
    opens, highs, lows, closes = (
        np.log(values) for values in (bars.opens, bars.highs, bars.lows, bars.closes)
    )
    inside = (highs - closes) * (highs - opens) + (lows - closes) * (lows - opens)
    for measure, minutes in zip(anchor.measures, (5, 60), strict=True):
        both = rows[bars.realised.minutes[rows] == minutes]
        expected = inside[both].sum() / bars.realised.variances[both].sum()
        assert measure.ratio == pytest.approx(expected, rel=1e-12)


def test_too_few_days_of_both_kinds_are_no_ratio():
    bars = with_realised(made_bars(600), since=200)
    assert {each.ratio for each in VolatilityAnchor.fit(bars, 250, 0.92).measures} == {1.0}
    assert all(each.ratio != 1 for each in VolatilityAnchor.fit(bars, 590, 0.92).measures)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_kind_that_says_too_much_or_too_little_is_brought_to_the_scale(factor):
    """Also where the training part has none of it."""
    rng = np.random.default_rng(2)
    bars = made_bars(2000)
    minutes = np.where(np.arange(2000) < 1000, 0, 60)
    within = range_variances(bars) - (bars.log_returns - np.log(bars.closes / bars.opens)) ** 2
    said = factor * np.maximum(within, 1e-9) * np.exp(0.2 * rng.standard_normal(2000))
    bars = replace(bars, realised=DayVariances(minutes, np.where(minutes > 0, said, np.nan)))
    anchor = replace(VolatilityAnchor.fit(bars, 1000, 0.92), level_decay=None)
    assert {each.ratio for each in anchor.measures} == {1.0}
    ranged = VolatilityAnchor("range", 0.92, 0.0).sigmas(bars)
    off = np.log(anchor.sigmas(bars) / ranged)
    assert abs(off[1000:1050].mean()) > 0.1
    assert off[1500:].mean() == pytest.approx(0, abs=0.06)


@PROPERTY
@given(seed=st.integers(0, 50), row=st.integers(WARM_UP, 199))
def test_an_anchor_that_is_resumed_says_the_same(seed, row):
    bars = with_realised(made_bars(200, seed), seed)
    anchor = VolatilityAnchor.fit(bars, 150, 0.92)
    resumed = replace(anchor, resume=anchor.state(bars, row))
    later = bars.select(slice(row, None))
    assert np.array_equal(resumed.sigmas(later), anchor.sigmas(bars)[row:])
    assert np.array_equal(resumed.variances(later)[1:], anchor.variances(bars)[row + 1 :])


def test_a_day_without_an_open_is_measured_by_its_return_whatever_its_bars_say():
    bars = with_realised(made_bars(100))
    row = int(np.flatnonzero(bars.realised.minutes[60:] > 0)[0]) + 60
    bars.opens[row] = np.nan
    anchor = VolatilityAnchor("realised", 0.92, 0.0, measures=MEASURES)
    sigmas = anchor.sigmas(bars)
    expected = 0.92 * sigmas[row - 1] ** 2 + 0.08 * bars.log_returns[row] ** 2
    assert sigmas[row] ** 2 == pytest.approx(expected, rel=1e-12)


def test_closes_alone_are_measured_by_returns_whatever_their_bars_say():
    bars = made_bars(200, ranges=False)
    known = DayVariances(np.full(200, 5), np.full(200, 1e-4))
    assert VolatilityAnchor.fit(replace(bars, realised=known), 150, 0.92).estimator == "returns"
