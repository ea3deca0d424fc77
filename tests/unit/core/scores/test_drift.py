"""The alarms against SciPy, published run lengths, and simulated years."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from stocklstm.core.forecasts.live import FEWEST
from stocklstm.core.scores.drift import (
    CALIBRATION_ALARM,
    WINDOW,
    YEAR,
    SkillReference,
    _steps,
    cumulative_sums,
    drift,
    outcome_bins,
    skill_reference,
    uniformity,
)
from tests.support.normal_forecasts import GRID, normal_days
from tests.support.property_tests import PROPERTY

SHARES = np.array([0.1, 0.2, 0.2, 0.2, 0.2, 0.1])


def bins_of(outcomes: np.ndarray) -> np.ndarray:
    return outcome_bins(outcomes, np.tile(GRID, (len(outcomes), 1)))


def reference_of(seed: int, count: int = 500, spread: float = 1.1) -> SkillReference:
    chance = np.random.default_rng(seed)
    reference = skill_reference(normal_days(chance.standard_normal(count), spread))
    assert reference is not None
    return reference


# --- Calibration ---------------------------------------------------------------------------------


@PROPERTY
@given(st.lists(st.integers(0, 5), min_size=1, max_size=300))
def test_uniformity_is_scipys_chi_squared(bins: list[int]) -> None:
    stat, p = uniformity(np.array(bins))

    expected = stats.chisquare(np.bincount(bins, minlength=6), len(bins) * SHARES)
    assert stat == pytest.approx(expected.statistic, abs=1e-12)
    assert p == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-300)


def test_outcomes_fall_into_the_bins_of_their_probability() -> None:
    probabilities = np.array([0.05, 0.0999, 0.1001, 0.29, 0.31, 0.5001, 0.69, 0.71, 0.9, 0.95])

    assert bins_of(stats.norm.ppf(probabilities)).tolist() == [0, 0, 1, 1, 2, 3, 3, 4, 4, 5]


@pytest.mark.parametrize("days", [FEWEST, 60, WINDOW])
def test_right_forecasts_are_refused_as_often_as_the_test_says(days: int) -> None:
    chance = np.random.default_rng(days)
    outcomes = chance.standard_normal((4_000, days))

    chances = np.array([uniformity(bins_of(row))[1] for row in outcomes])

    assert np.mean(chances < 0.05) == pytest.approx(0.05, abs=0.012)
    assert np.mean(chances < CALIBRATION_ALARM) < 0.004


def test_a_year_of_evenings_raises_about_two_false_alarms_in_a_hundred() -> None:
    chance = np.random.default_rng(1)
    alarms = 0
    for _ in range(300):
        bins = bins_of(chance.standard_normal(YEAR))
        evenings = range(FEWEST, YEAR + 1)
        alarms += any(
            uniformity(bins[max(0, n - WINDOW) : n])[1] < CALIBRATION_ALARM for n in evenings
        )

    assert 1 <= alarms <= 12


@pytest.mark.parametrize(
    "wrong",
    [lambda x: x / 0.6, lambda x: x / 1.6, lambda x: x + 0.7, lambda x: x - 0.7],
    ids=["too narrow", "too wide", "too low", "too high"],
)
def test_wrong_forecasts_raise_the_alarm_of_calibration(wrong) -> None:
    chance = np.random.default_rng(2)

    raised = [
        "calibration" in drift(normal_days(wrong(outcomes)), np.ones(WINDOW, int), {}).alarms
        for outcomes in chance.standard_normal((40, WINDOW))
    ]

    assert sum(raised) >= 30


# --- Skill ---------------------------------------------------------------------------------------


@PROPERTY
@given(hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-5, 5)))
def test_the_sum_is_pages(steps: np.ndarray) -> None:
    expected, total = [], 0.0
    for step in steps:
        total = max(0.0, total + step)
        expected.append(total)

    assert cumulative_sums(steps) == pytest.approx(expected, abs=1e-9)


def test_its_run_length_is_the_published_one() -> None:
    # Hawkins (1993), in Montgomery, Introduction to Statistical Quality Control, table 9.4: with
    # slack 0.25 and limit 8.01 a two-sided chart runs 370 days between false alarms; a
    # one-sided one twice as long.
    chance = np.random.default_rng(3)
    sums = cumulative_sums(chance.standard_normal((800, 6_000)) - 0.25)
    above = sums > 8.01

    lengths = np.where(above.any(axis=1), above.argmax(axis=1) + 1, 6_000)

    assert lengths.mean() == pytest.approx(740, rel=0.1)


@pytest.mark.parametrize(
    ("kind", "most"), [("normal", 0.07), ("heavy tails", 0.07), ("calm and wild weeks", 0.12)]
)
def test_a_year_raises_few_false_alarms_of_the_skill(kind: str, most: float) -> None:
    chance = np.random.default_rng(4)

    def outcomes(count: int) -> np.ndarray:
        if kind == "normal":
            return chance.standard_normal(count)
        if kind == "heavy tails":
            return chance.standard_t(4, count) / np.sqrt(2)
        return (
            chance.standard_normal(count)
            * np.repeat(chance.choice([0.6, 1.4], -(-count // 10)), 10)[:count]
        )

    alarms = 0
    for _ in range(25):
        reference = skill_reference(normal_days(outcomes(300), 1.1))
        assert reference is not None
        for _ in range(20):
            steps = _steps(normal_days(outcomes(YEAR), 1.1), np.ones(YEAR, int), {1: reference})
            alarms += cumulative_sums(steps).max() > 1

    assert 0.01 < alarms / 500 < most


def test_far_horizons_raise_no_more_false_alarms_over_the_forecasts_they_look_at() -> None:
    # One forecast in five counts, and 250 of those are looked at: 1,250 sessions.
    chance, horizon = np.random.default_rng(21), 5
    alarms = 0
    for _ in range(25):
        reference = skill_reference(
            normal_days(chance.standard_normal(300 * horizon), 1.1, horizon=horizon)
        )
        assert reference is not None
        for _ in range(20):
            days = normal_days(chance.standard_normal(YEAR), 1.1)
            steps = _steps(days, np.ones(YEAR, int), {1: reference})
            alarms += cumulative_sums(steps).max() > 1

    assert 0.01 < alarms / 500 < 0.07


def test_losses_that_grow_raise_the_alarm_and_say_since_when() -> None:
    chance = np.random.default_rng(5)
    spreads = np.concatenate([np.full(100, 1.1), np.full(100, 2.5)])

    found = drift(
        normal_days(chance.standard_normal(200), spreads),
        np.ones(200, int),
        {1: reference_of(6)},
    )

    assert "skill" in found.alarms
    assert found.status == "drift"
    assert found.cusum is not None
    assert found.cusum > 1
    # 100 days after 1 January 2020 the spread was doubled.
    assert "2020-04-10" < str(found.since) < "2020-05-20"


def test_losses_that_shrink_raise_none() -> None:
    chance = np.random.default_rng(7)
    reference = reference_of(8, spread=2.0)

    found = drift(normal_days(chance.standard_normal(200)), np.ones(200, int), {1: reference})

    assert (found.status, found.alarms, found.since) == ("steady", (), None)
    assert found.cusum == pytest.approx(0, abs=0.2)


def test_one_wild_day_is_no_drift() -> None:
    chance = np.random.default_rng(9)
    outcomes = chance.standard_normal(60)
    outcomes[-1] = 40

    found = drift(normal_days(outcomes, 0.9), np.ones(60, int), {1: reference_of(10, spread=0.9)})

    assert found.status == "steady"


def test_a_short_test_part_or_one_like_ewma_tells_nothing() -> None:
    chance = np.random.default_rng(11)

    assert skill_reference(normal_days(chance.standard_normal(199), 1.1)) is None
    assert skill_reference(normal_days(chance.standard_normal(200), 1.1)) is not None
    assert skill_reference(normal_days(chance.standard_normal(400), 1.0)) is None
    assert skill_reference(normal_days(chance.standard_normal(900), 1.1, horizon=5)) is None


def test_the_reference_is_the_same_every_time() -> None:
    assert reference_of(12) == reference_of(12)


# --- Both ----------------------------------------------------------------------------------------


def test_a_few_days_tell_nothing_however_bad() -> None:
    days = normal_days(np.full(FEWEST - 1, 9.0))

    found = drift(days, np.ones(FEWEST - 1, int), {1: reference_of(13)})

    assert (found.status, found.alarms, found.n) == ("too_few", (), FEWEST - 1)
    assert (found.pit_stat, found.pit_p, found.since) == (None, None, None)
    found = drift(normal_days(np.full(FEWEST, 9.0)), np.ones(FEWEST, int), {})
    assert found.alarms == ("calibration",)


def test_no_days_at_all() -> None:
    found = drift(normal_days(np.empty(0)), np.empty(0, int), {})

    assert (found.status, found.start, found.n, found.cusum) == ("too_few", None, 0, None)


def test_a_version_without_a_reference_adds_nothing() -> None:
    chance = np.random.default_rng(14)
    outcomes = chance.standard_normal(90)
    versions = np.repeat([1, 2], 45)

    whole = drift(normal_days(outcomes, 1.1), versions, {1: reference_of(15)})
    half = drift(normal_days(outcomes[:45], 1.1), versions[:45], {1: reference_of(15)})

    assert whole.cusum == pytest.approx(half.cusum, abs=1e-12)
    assert drift(normal_days(outcomes), versions, {}).cusum is None


def test_a_new_version_answers_an_alarm() -> None:
    chance = np.random.default_rng(16)
    outcomes = chance.standard_normal(130)
    spreads = np.repeat([0.4, 1.1], [100, 30])
    versions = np.repeat([1, 2], [100, 30])
    references = {1: reference_of(17), 2: reference_of(17)}

    before = drift(normal_days(outcomes[:100], 0.4), versions[:100], references)
    after = drift(normal_days(outcomes, spreads), versions, references)

    assert before.alarms == ("calibration", "skill")
    assert (after.status, after.n) == ("steady", 30)
    assert after.start == "2020-04-10"


def test_a_new_version_without_an_alarm_begins_nothing_anew() -> None:
    chance = np.random.default_rng(18)
    versions = np.repeat([1, 2, 1], 30)

    found = drift(normal_days(chance.standard_normal(90)), versions, {})

    assert (found.status, found.n) == ("steady", 90)


def test_only_the_latest_year_counts() -> None:
    chance = np.random.default_rng(19)
    outcomes = chance.standard_normal(YEAR + 100)
    outcomes[:100] += 5

    found = drift(normal_days(outcomes), np.ones(YEAR + 100, int), {})

    assert (found.status, found.n, found.start) == ("steady", YEAR, "2020-04-10")


def test_spans_that_overlap_are_thinned_out() -> None:
    chance = np.random.default_rng(20)
    outcomes = chance.standard_normal(200)

    found = drift(normal_days(outcomes, horizon=5), np.ones(200, int), {})

    assert found.n == 40
    assert found.pit_p == uniformity(bins_of(outcomes[::5]))[1]
