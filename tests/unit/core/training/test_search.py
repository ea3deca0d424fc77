"""A search is a pure function of its trials: it ends, repeats nothing, and can be gone on with."""

import math
from collections.abc import Callable, Sequence
from itertools import count, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stocklstm.core.settings.config import AXES, AxisValues, configure
from stocklstm.core.training.search import (
    COMPLETE,
    DIVERGED,
    PRUNED,
    Trial,
    against_start,
    applied,
    best_trial,
    combinations,
    most_coordinate,
    next_coordinate,
    settings_of,
    start_trial,
    untried,
)
from stocklstm.errors import ConfigError
from tests.support.property_tests import PROPERTY

Loss = Callable[[tuple[float, ...]], float]

OUTSIDE = {
    "learning_rate": 0.003,
    "hidden_size": 8,
    "num_layers": 4,
    "dropout": 0.0,
    "batch_size": 256,
}
ANYWHERE = st.fixed_dictionaries(
    {axis: st.sampled_from([*values, OUTSIDE[axis]]) for axis, values in AXES.items()}
)
# Few values, so that ties are common; infinite is what diverged.
LOSSES = st.sampled_from([0.0, 0.1, 0.2, math.inf]) | st.floats(0, 1)
TABLES = st.functions(like=lambda settings: settings, returns=LOSSES, pure=True)


def key(settings: AxisValues) -> tuple[float, ...]:
    return tuple(settings[axis] for axis in AXES)


def trial(number: int, settings: AxisValues, loss: float, losses: Sequence[float] = ()) -> Trial:
    status = COMPLETE if math.isfinite(loss) else DIVERGED
    return Trial(number, settings, status, loss, (), 0, np.array(losses, np.float64), 0.0)


def searched(start: AxisValues, loss: Loss, trials: Sequence[Trial] = ()) -> list[Trial]:
    """Go on to the end; a trial that was lost has its number back."""
    done = list(trials)
    while wanted := next_coordinate(done, start):
        used = {one.number for one in done}
        free = (number for number in count() if number not in used)
        done += [
            trial(number, each, loss(key(each))) for number, each in zip(free, wanted, strict=False)
        ]
    return sorted(done, key=lambda one: one.number)


def plainly_searched(start: AxisValues, loss: Loss) -> AxisValues:
    best = start
    for axis, values in AXES.items():
        line = [best, *({**best, axis: value} for value in values)]
        best = min(line, key=lambda settings: loss(key(settings)))
    return best


def changed(settings: AxisValues, other: AxisValues) -> set[str]:
    return {axis for axis in AXES if settings[axis] != other[axis]}


@PROPERTY
@given(start=ANYWHERE, loss=TABLES)
def test_a_search_ends_at_what_is_lowest_on_every_line(start: AxisValues, loss: Loss) -> None:
    trials = searched(start, loss)

    best = plainly_searched(start, loss)
    assert len({key(one.settings) for one in trials}) == len(trials)
    assert len(trials) <= 1 + sum(map(len, AXES.values()))
    assert [one.number for one in trials] == list(range(len(trials)))
    if math.isfinite(loss(key(best))):
        assert best_trial(trials).settings == best
    assert min(one.loss for one in trials) == loss(key(best))
    assert start_trial(trials, start).number == 0
    assert most_coordinate(trials, start) == len(trials)


@PROPERTY
@given(start=ANYWHERE, loss=TABLES)
def test_one_axis_after_the_other_is_changed_from_the_best(start: AxisValues, loss: Loss) -> None:
    trials: list[Trial] = []
    best, axes = start, []
    while wanted := next_coordinate(trials, start):
        others = [settings for settings in wanted if settings != best]
        (axis,) = set().union(*(changed(settings, best) for settings in others))
        assert [settings[axis] for settings in others] == [
            value for value in AXES[axis] if value != best[axis]
        ]
        assert wanted == ([start, *others] if not trials else others)
        axes.append(axis)
        trials += [trial(n, s, loss(key(s))) for n, s in enumerate(wanted, len(trials))]
        best = min(trials, key=lambda one: (one.loss, one.number)).settings
    assert axes == list(AXES)


@PROPERTY
@given(data=st.data(), start=ANYWHERE, loss=TABLES)
def test_a_search_goes_on_from_any_of_its_trials_in_any_order(
    data: st.DataObject, start: AxisValues, loss: Loss
) -> None:
    whole = searched(start, loss)
    some = data.draw(st.lists(st.sampled_from(whole), unique_by=lambda one: one.number))

    again = searched(start, loss, some)

    assert [(one.number, one.settings) for one in again] == [
        (one.number, one.settings) for one in whole
    ]
    assert best_trial(again).settings == best_trial(whole).settings


@PROPERTY
@given(data=st.data(), start=ANYWHERE, loss=TABLES)
def test_the_bound_holds_and_never_grows(
    data: st.DataObject, start: AxisValues, loss: Loss
) -> None:
    trials: list[Trial] = []
    bounds = [most_coordinate([], start)]
    while wanted := next_coordinate(trials, start):
        for settings in data.draw(st.permutations(wanted)):
            trials.append(trial(len(trials), settings, loss(key(settings))))
            bounds.append(most_coordinate(trials, start))
    assert all(later <= earlier for earlier, later in pairwise(bounds))
    assert bounds[-1] == len(trials)


def test_of_equals_the_start_stays() -> None:
    start = settings_of(configure("calibrated-50"))

    trials = searched(start, lambda _: 0.5)

    assert best_trial(trials).settings == start
    assert best_trial(trials) is start_trial(trials, start)
    assert len(trials) == 1 + sum(len(values) - 1 for values in AXES.values())


def test_whole_numbers_and_fractions_of_the_same_value_are_the_same_settings() -> None:
    start = settings_of(configure("calibrated-50", dropout=0.0))
    stored = {**start, "dropout": 0, "hidden_size": 50.0}

    assert untried([start], [trial(0, stored, 0.5)]) == []


def test_what_did_not_come_to_its_end_is_not_the_best() -> None:
    start = settings_of(configure("calibrated-50"))
    pruned = Trial(0, start, PRUNED, 0.1, (0.1,), 1, np.empty(0), 0.0)
    complete = trial(1, OUTSIDE, 0.2)

    assert best_trial([pruned, complete]) is complete
    assert best_trial([pruned]) is pruned


@PROPERTY
@given(start=ANYWHERE, seed=st.integers(0, 2**63 - 1))
def test_a_grid_is_every_combination_once_after_the_start(start: AxisValues, seed: int) -> None:
    found = combinations(start, seed)

    inside = all(start[axis] in values for axis, values in AXES.items())
    assert found[0] == start
    assert len(found) == 960 + (not inside)
    assert len(set(map(key, found))) == len(found)
    assert all(settings[axis] in AXES[axis] for settings in found[1:] for axis in AXES)
    assert combinations(start, seed) == found


def test_a_grid_that_is_cut_short_has_seen_every_value() -> None:
    start = settings_of(configure("calibrated-50"))
    first, second = combinations(start, 0), combinations(start, 1)

    assert first != second
    for axis, values in AXES.items():
        assert {settings[axis] for settings in first[:40]} == set(values)


@PROPERTY
@given(seed=st.integers(0, 10_000), days=st.integers(3, 300), gain=st.floats(-0.1, 0.1))
def test_the_comparison_with_the_start_is_a_paired_t_test(
    seed: int, days: int, gain: float
) -> None:
    chance = np.random.default_rng(seed)
    start = chance.gamma(2, 0.1, days)
    best = start + gain + chance.standard_normal(days) / 20

    test = against_start(trial(1, OUTSIDE, 0.1, best), trial(0, OUTSIDE, 0.1, start))

    # At a horizon of one day the small-sample factor of Diebold & Mariano's test is what makes
    # a variance over n one over n - 1.
    expected = stats.ttest_rel(best, start)
    assert test is not None
    assert test.n == days
    assert test.stat == pytest.approx(float(expected.statistic), rel=1e-9)
    assert test.p == pytest.approx(float(expected.pvalue), rel=1e-8, abs=1e-14)


def test_nothing_is_compared_with_what_has_no_losses() -> None:
    assert against_start(trial(1, OUTSIDE, 0.1, [0.1]), trial(0, OUTSIDE, math.inf)) is None
    assert against_start(trial(1, OUTSIDE, math.inf), trial(0, OUTSIDE, 0.1, [0.1])) is None


def test_settings_go_into_a_configuration_and_come_out_again() -> None:
    config = configure("paper", seq_length=7)

    assert settings_of(applied(config, OUTSIDE)) == OUTSIDE
    assert applied(applied(config, OUTSIDE), settings_of(config)) == config
    with pytest.raises(ConfigError, match="min_lr"):
        applied(configure("calibrated", schedule="cosine", min_lr=1e-3), {"learning_rate": 1e-4})
