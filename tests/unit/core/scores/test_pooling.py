"""All tickers of a pool are parted on the same days; nothing of a later part is known before."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.pool_splits import (
    LEAST_ROWS,
    known_rows,
    pool_days,
    pool_split,
    require_parts,
)
from stocklstm.core.prices.splits import split_origins
from stocklstm.core.scores.baselines import Baselines
from stocklstm.core.scores.evaluation import compare, evaluate, score_days
from stocklstm.core.scores.pooling import join_tickers
from stocklstm.core.settings.config import configure
from stocklstm.errors import SeriesTooShortError
from tests.support.made_prices import made_bars
from tests.support.property_tests import PROPERTY

CONFIG = configure("calibrated", seq_length=10)
WARM_UP = warm_up_rows(CONFIG)


@st.composite
def calendars(draw):
    """Days of up to four tickers: other beginnings, ends and holidays."""
    every = np.datetime64("2020-01-01") + np.arange(900)
    series = []
    for _ in range(draw(st.integers(1, 4))):
        first, rows = draw(st.integers(0, 500)), draw(st.integers(150, 400))
        days = every[first : first + rows]
        closed = draw(st.sets(st.integers(0, len(days) - 1), max_size=40))
        series.append(np.delete(days, sorted(closed)))
    return series


@PROPERTY
@given(calendars(), st.integers(1, 7))
def test_no_day_that_one_is_judged_on_has_taught_another(series, horizon):
    config = replace(CONFIG, horizon=horizon)
    days = pool_days(series, WARM_UP, config)
    splits = [pool_split(dates, days, WARM_UP, config) for dates in series]

    def labels(part):
        chosen = zip(series, splits, strict=True)
        return np.concatenate([d[getattr(s, part) + horizon] for d, s in chosen])

    def origins(part):
        chosen = zip(series, splits, strict=True)
        return np.concatenate([d[getattr(s, part)] for d, s in chosen])

    for earlier, later in (("train", "validation"), ("validation", "test"), ("train", "test")):
        if len(labels(earlier)) and len(origins(later)):
            assert labels(earlier).max() < origins(later).min()
    for dates, split in zip(series, splits, strict=True):
        # What a ticker's anchor is measured on is known before anything it is validated on.
        later = np.concatenate([split.validation, split.test])
        assert split.train_rows == known_rows(dates, days)
        assert (later >= split.train_rows - 1).all()
        assert (split.train + horizon < split.train_rows).all()
        assert (np.concatenate([split.train, later]) >= WARM_UP + 9).all()


@PROPERTY
@given(calendars())
def test_what_comes_later_changes_no_earlier_part(series):
    days = pool_days(series, WARM_UP, CONFIG)
    tomorrow = max(dates[-1] for dates in series) + np.timedelta64(1, "D")
    for dates in series:
        split = pool_split(dates, days, WARM_UP, CONFIG)
        longer = np.append(dates, tomorrow + np.arange(30))
        again = pool_split(longer, days, WARM_UP, CONFIG)
        assert again.train_rows == split.train_rows
        assert np.array_equal(again.train, split.train[: len(again.train)])
        # Later days only add windows.
        for part in ("train", "validation", "test"):
            assert set(getattr(split, part)) <= set(getattr(again, part))


@PROPERTY
@given(st.integers(900, 1500), st.integers(1, 5))
def test_a_pool_of_one_is_parted_as_a_single_series(rows, horizon):
    config = replace(CONFIG, horizon=horizon)
    dates = np.datetime64("2020-01-01") + np.arange(rows)
    alone = split_origins(rows, WARM_UP, config)

    found = pool_split(dates, pool_days([dates], WARM_UP, config), WARM_UP, config)

    for part in ("train", "validation", "test"):
        assert np.array_equal(getattr(found, part), getattr(alone, part)), part
    assert found.train_rows == alone.train_rows


def test_a_young_ticker_teaches_nothing_and_is_tested_once_its_anchor_is_known():
    old = np.datetime64("2020-01-01") + np.arange(800)
    young = old[-150:]
    days = pool_days([old, young], WARM_UP, CONFIG)

    split = pool_split(young, days, WARM_UP, CONFIG)

    assert len(split.train) == 0
    assert split.train_rows == LEAST_ROWS
    assert split.test[0] == LEAST_ROWS - 1
    assert split.test[-1] == len(young) - 2


def test_too_few_windows_are_refused():
    short = np.datetime64("2020-01-01") + np.arange(25)
    with pytest.raises(SeriesTooShortError, match="all tickers together"):
        pool_days([short], WARM_UP, CONFIG)
    dates = np.datetime64("2020-01-01") + np.arange(150)
    days = pool_days([dates], WARM_UP, CONFIG)
    with pytest.raises(SeriesTooShortError, match="all tickers together"):
        require_parts([pool_split(dates, days, WARM_UP, CONFIG)], CONFIG)


def scored(seed, currency=1.0):
    bars = made_bars(400, seed)
    bars = replace(
        bars,
        **{name: getattr(bars, name) * currency for name in ("opens", "highs", "lows", "closes")},
        adj_closes=bars.adj_closes * currency,
    )
    baselines = Baselines.fit(bars, 200)
    origins = np.arange(250, 399)
    quantiles = 1.05 * baselines.ewma.returns(bars, origins)
    forecasts = ReturnForecasts(quantiles.mean(axis=1), quantiles)
    return score_days(bars, origins, forecasts, baselines)


def test_currencies_do_not_matter():
    once = join_tickers([scored(1), scored(2)])
    dearer = join_tickers([scored(1), scored(2, currency=1000.0)])

    assert np.allclose(once.actuals, dearer.actuals, rtol=1e-12)
    assert np.allclose(once.forecasts.quantiles, dearer.forecasts.quantiles, rtol=1e-12)
    assert (once.last_closes == 1).all()
    assert (once.dates[1:] >= once.dates[:-1]).all()


def test_a_ticker_named_twice_is_not_twice_the_evidence():
    """Copies of one ticker tell nothing new: their p must not fall as if they did."""
    alone = scored(3)
    copies = join_tickers([alone] * 5)
    one, five = evaluate(join_tickers([alone]), 1.0), evaluate(copies, 1.0)

    assert copies.span == 5
    assert five.n == 5 * one.n
    assert five.point.rmse_ratio == pytest.approx(one.point.rmse_ratio)
    assert five.distribution.crps_ratio == pytest.approx(one.distribution.crps_ratio)
    assert five.distribution.coverage[0].low == one.distribution.coverage[0].low
    # Taken as 5 n independent days the statistic would be √5 times as large.
    assert abs(five.distribution.dm_stat) < 1.5 * abs(one.distribution.dm_stat)


def test_two_models_are_compared_day_by_day_over_all_tickers():
    left, right = join_tickers([scored(1), scored(2)]), join_tickers([scored(1), scored(2)])
    assert compare(left, right).p == 1.0
