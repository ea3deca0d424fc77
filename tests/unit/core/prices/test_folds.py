"""Every training of a walk sees the past of its forecasts and nothing else."""

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.prices.folds import WalkForward, fold_splits
from stocklstm.core.prices.splits import split_before, split_origins
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.scores.pooling import join_folds
from stocklstm.core.settings.config import PRESETS, configure
from stocklstm.errors import ConfigError, SeriesTooShortError
from tests.support.property_tests import PROPERTY
from tests.support.splits import configs, parts_of

walks = st.builds(WalkForward, st.integers(1, 300), st.integers(1, 120), st.integers(0, 30))


def test_two_trainings_by_hand():
    # Horizon 1, 1000 rows: origins 949 … 998 forecast the last 50. The first 30 are one fold.
    # Known at row 949: origins 80 … 948, of which 15 % of 869 = 130 validate, after a gap of 1 + 4
    # and before another one; what is left, 729, trains.
    first, second = fold_splits(1000, 21, PRESETS["calibrated-50"], WalkForward(50, 30, 4))

    assert (first.test[0], first.test[-1], second.test[0], second.test[-1]) == (949, 978, 979, 998)
    assert (first.train[0], first.train[-1]) == (80, 808)
    assert (first.validation[0], first.validation[-1]) == (814, 943)
    assert first.train_rows == 810


@given(configs(), st.integers(300, 3000), st.integers(0, 40), walks)
@PROPERTY
def test_no_label_before_a_fold_ends_after_its_first_origin(config, rows, warm_up, walk):
    try:
        folds = fold_splits(rows, warm_up, config, walk)
    except SeriesTooShortError:
        assume(condition=False)

    for split in folds:
        for earlier, later in pairwise(parts_of(split)):
            # The label of the earlier part's last origin, then the embargo, then the next part.
            assert later[0] - earlier[-1] == config.horizon + walk.embargo + 1
        assert split.train_rows == split.train[-1] + config.horizon + 1
        assert len(split.test) <= walk.refit_every
    forecast = np.concatenate([split.test for split in folds]) + config.horizon
    assert np.array_equal(forecast, np.arange(rows - walk.sessions, rows))


@given(configs(), st.integers(300, 3000), st.integers(0, 40))
@PROPERTY
def test_one_fold_over_the_test_part_is_the_split_of_training(config, rows, warm_up):
    try:
        whole = split_origins(rows, warm_up, config)
    except SeriesTooShortError:
        assume(condition=False)
    size = len(whole.test)

    (fold,) = fold_splits(rows, warm_up, config, WalkForward(size, size))

    for field in fields(whole):
        assert np.array_equal(getattr(fold, field.name), getattr(whole, field.name))


@given(configs(), st.integers(0, 40), walks)
@PROPERTY
def test_the_rows_that_it_asks_for_are_enough_and_one_less_is_not(config, warm_up, walk):
    with pytest.raises(SeriesTooShortError) as caught:
        fold_splits(walk.sessions + config.horizon, warm_up, config, walk)

    needed = caught.value.needed
    assert caught.value.found == walk.sessions + config.horizon
    assert fold_splits(needed, warm_up, config, walk)
    with pytest.raises(SeriesTooShortError) as again:
        fold_splits(needed - 1, warm_up, config, walk)
    assert f"at least {again.value.needed}" in again.value.message


def test_rows_are_enough_where_one_more_would_be_rounded_to_too_few():
    # Both shares are rounded up where one window is added, and training has one less.
    shares = {"validation_fraction": 0.375, "calibration_fraction": 0.375}
    for gap in range(1, 40):
        config = configure("calibrated", seq_length=2, horizon=2, **shares)
        walk = WalkForward(2, refit_every=1, embargo=gap)
        with pytest.raises(SeriesTooShortError) as caught:
            fold_splits(4, 0, config, walk)
        for more in range(8):
            assert fold_splits(caught.value.needed + more, 0, config, walk)


def test_no_origin_at_all_is_too_short_as_well():
    with pytest.raises(SeriesTooShortError) as caught:
        fold_splits(10, 21, PRESETS["calibrated"], WalkForward(250))

    assert caught.value.found == 10
    assert caught.value.needed > 250
    assert caught.value.hint.startswith("fetch a longer history, or give a smaller number")


def test_earlier_prices_do_not_help_where_the_settings_leave_them_out():
    late = configure("calibrated", start="2023-06-01")

    with pytest.raises(SeriesTooShortError, match="10 rows from 2023-06-01 on are") as caught:
        fold_splits(10, 21, late, WalkForward(250))

    assert caught.value.hint == "give a smaller number with --walk-forward"


def test_a_longer_embargo_takes_from_the_training_part_only():
    config = configure("paper", seq_length=10)
    near, far = (split_before(np.arange(500, 520), 0, config, k) for k in (0, 7))

    assert len(near.train) - len(far.train) == 3 * 7
    assert len(near.validation) == len(far.validation)
    assert near.validation[-1] - far.validation[-1] == 2 * 7


@pytest.mark.parametrize(
    ("numbers", "option"),
    [((0,), "--walk-forward"), ((5, 0), "--refit-every"), ((5, 5, -1), "--embargo")],
)
def test_numbers_that_make_no_walk_are_refused(numbers, option):
    with pytest.raises(ConfigError, match=option):
        WalkForward(*numbers)


def days_of(start: int, count: int, horizon: int = 1) -> ScoredDays:
    rng = np.random.default_rng(start)
    prices = rng.uniform(10, 20, (4, count))
    return ScoredDays(
        np.arange(start, start + count).astype("datetime64[D]"),
        prices[0],
        prices[1],
        ReturnForecasts(prices[2], rng.uniform(10, 20, (count, 15))),
        rng.uniform(10, 20, (count, 15)),
        {"drift": prices[3]},
        horizon,
    )


def test_what_was_cut_apart_is_put_together_as_it_was():
    whole = days_of(0, 30, 2)
    place = np.arange(30)

    again = join_folds(
        [
            whole.select(place < 7),
            whole.select((place >= 7) & (place < 8)),
            whole.select(place >= 8),
        ]
    )

    assert again.horizon == 2
    for name in ("dates", "last_closes", "actuals", "ewma"):
        assert np.array_equal(getattr(again, name), getattr(whole, name))
    assert np.array_equal(again.forecasts.points, whole.forecasts.points)
    assert np.array_equal(again.forecasts.quantiles, whole.forecasts.quantiles)
    assert np.array_equal(again.rivals["drift"], whole.rivals["drift"])
