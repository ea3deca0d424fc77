from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.splits import LEAST_PART, Split, split_origins
from stocklstm.core.settings.config import PRESETS, TrainingConfig, configure
from stocklstm.errors import SeriesTooShortError
from tests.support.property_tests import PROPERTY
from tests.support.splits import ORDER, configs, parts_of


def try_split(rows: int, warm_up: int, config: TrainingConfig) -> Split | SeriesTooShortError:
    try:
        return split_origins(rows, warm_up, config)
    except SeriesTooShortError as error:
        return error


def needed_rows(warm_up: int, config: TrainingConfig, rows: int = 0) -> int:
    with pytest.raises(SeriesTooShortError) as caught:
        split_origins(rows, warm_up, config)
    assert caught.value.found == rows
    return caught.value.needed


def test_the_parts_of_the_default_preset_by_hand():
    # 21 rows of warm-up and a window of 10: origins 30 … 998 of 1000 rows, 969 of them.
    # Test: 20 % of 969 = 194. Validation: 15 % of 775 = 116. Two purged. Training: the rest.
    split = split_origins(1000, 21, PRESETS["calibrated"])
    assert (split.train[0], split.train[-1]) == (30, 30 + 657 - 1)
    assert (split.validation[0], split.validation[-1]) == (688, 803)
    assert (split.test[0], split.test[-1]) == (805, 998)
    assert len(split.calibration) == 0
    assert split.train_rows == 688


def test_the_parts_of_the_paper_preset_by_hand():
    # Origins 59 … 998, 940 of them. Test 188; of 752: validation 113, calibration 75; 3 purged.
    split = split_origins(1000, 0, PRESETS["paper"])
    assert [len(part) for part in parts_of(split)] == [561, 113, 75, 188]
    assert [int(part[0]) for part in parts_of(split)] == [59, 621, 735, 811]
    assert split.test[-1] == 998
    assert split.train_rows == 621


@PROPERTY
@given(config=configs(), warm_up=st.sampled_from([0, 21]), rows=st.integers(300, 4000))
def test_every_part_is_clean(config, warm_up, rows):
    split = try_split(rows, warm_up, config)
    if isinstance(split, SeriesTooShortError):
        assert split.needed > split.found == rows
        return
    parts, horizon = parts_of(split), config.horizon
    assert min(map(len, parts)) >= LEAST_PART
    # From the first whole window to the last row that has a label, with no gap but the purge.
    assert parts[0][0] == warm_up + config.seq_length - 1
    assert split.test[-1] == rows - 1 - horizon
    for part in parts:
        assert np.issubdtype(part.dtype, np.integer)
        assert np.array_equal(part, np.arange(part[0], part[-1] + 1))
    for earlier, later in pairwise(parts):
        assert later[0] == earlier[-1] + horizon + 1
        # No label of the earlier part is known later than where the later part starts.
        assert earlier[-1] + horizon < later[0]
        assert not np.intersect1d(earlier + horizon, later + horizon).size
    assert split.train_rows == split.train[-1] + horizon + 1
    assert split.train_rows <= split.validation[0]


@PROPERTY
@given(config=configs(), rows=st.integers(1500, 4000))
def test_sizes_follow_the_shares(config, rows):
    windows = rows - config.horizon - config.seq_length + 1
    split = try_split(rows, 0, config)
    assume(isinstance(split, Split))
    rest = windows - len(split.test)
    assert len(split.test) == pytest.approx(windows * config.test_fraction, abs=0.5)
    assert len(split.validation) == pytest.approx(rest * config.validation_fraction, abs=0.5)
    assert len(split.calibration) == pytest.approx(rest * config.calibration_fraction, abs=0.5)
    purged = (len(parts_of(split)) - 1) * config.horizon
    assert sum(map(len, parts_of(split))) + purged == windows


@pytest.mark.parametrize(
    ("preset", "needed"),
    [("calibrated", 193), ("calibrated-50", 243), ("paper", 304), ("paper-short", 254)],
)
def test_the_rows_a_preset_needs_are_exact(preset, needed):
    config = PRESETS[preset]
    warm_up = warm_up_rows(config)
    for rows in range(needed):
        with pytest.raises(SeriesTooShortError) as caught:
            split_origins(rows, warm_up, config)
        assert (caught.value.needed, caught.value.found) == (needed, rows)
    for rows in range(needed, needed + 500):
        assert min(map(len, parts_of(split_origins(rows, warm_up, config)))) >= LEAST_PART


def test_the_error_says_what_to_do():
    with pytest.raises(SeriesTooShortError) as caught:
        split_origins(100, 21, PRESETS["calibrated"])
    assert caught.value.message == (
        f"100 rows are too few: windows of 10 need at least {caught.value.needed}"
    )
    assert "--seq-length" in caught.value.hint


@PROPERTY
@given(config=configs(), warm_up=st.sampled_from([0, 21]))
def test_the_rows_needed_are_enough_and_one_less_is_not(config, warm_up):
    needed = needed_rows(warm_up, config)
    assert min(map(len, parts_of(split_origins(needed, warm_up, config)))) >= LEAST_PART
    assert needed_rows(warm_up, config, needed - 1) >= needed


def test_where_rounding_takes_a_window_away_the_rows_needed_are_more_than_there_are():
    # With two parts of 45 % one row more can cost the training part a window: 336 rows serve,
    # 337 do not.
    config = configure("paper", validation_fraction=0.45, calibration_fraction=0.45)
    outcomes = {rows: try_split(rows, 0, config) for rows in range(300, 400)}
    refused = {rows for rows, outcome in outcomes.items() if not isinstance(outcome, Split)}
    assert 336 not in refused
    assert 337 in refused
    for rows in refused:
        needed = needed_rows(0, config, rows)
        assert needed > rows
        assert isinstance(try_split(needed, 0, config), Split)


def test_a_tiny_share_asks_for_many_rows_at_once():
    config = configure("paper", test_fraction=1e-9)
    # 19.5 windows round to 20.
    assert needed_rows(0, config) == pytest.approx(19.5e9, rel=1e-6)
    # What the others leave for training is as little.
    halves = {"validation_fraction": 0.4999999995, "calibration_fraction": 0.4999999995}
    assert needed_rows(0, configure("paper", **halves)) > 1e10


def test_a_split_names_its_parts():
    assert [field.name for field in fields(Split)] == [*ORDER, "train_rows"]
