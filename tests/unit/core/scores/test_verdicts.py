"""Scores become a verdict, and its words."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from stocklstm.core.forecasts.live import FEWEST
from stocklstm.core.inputs.scaling import AnchorScaling
from stocklstm.core.scores.baselines import Baselines, naive_error
from stocklstm.core.scores.evaluation import (
    IntervalFault,
    ScoredDays,
    _interval_words,
    _verdict,
    _verdict_words,
    evaluate,
    interval_faults,
    score_days,
)
from stocklstm.core.scores.scores import Coverage, DistributionScores, Evaluation, PointScores
from stocklstm.core.settings.config import PRESETS, SIGNIFICANT
from tests.support.made_prices import bars_of
from tests.support.normal_forecasts import GRID, days_of, normal_days, random_days
from tests.support.portuguese import english_left


def point_of(ratio: float | None, p: float) -> PointScores:
    naive = 1.0 if ratio is not None else 0.0
    return PointScores(
        rmse=ratio if ratio is not None else 1.0,
        mae=1.0,
        rmse_naive=naive,
        mae_naive=naive,
        rmse_ratio=ratio,
        mae_ratio=None,
        skill=None,
        mase=None,
        dm_stat=None,
        dm_p=p,
        skill_low=None,
        skill_high=None,
        cw_stat=None,
        cw_p=1.0,
        mape=1.0,
        smape=1.0,
        r2=None,
        r2_naive=None,
    )


@pytest.mark.parametrize(
    ("ratio", "p", "verdict", "words"),
    [
        (1.09, 0.002, "worse", "WORSE THAN YESTERDAY'S CLOSE: error 9.0 % larger (p = 0.002)"),
        (5.18, 1e-9, "worse", "WORSE THAN YESTERDAY'S CLOSE: error 418 % larger (p < 0.001)"),
        (99.4, 0.0, "worse", "WORSE THAN YESTERDAY'S CLOSE: error 9,840 % larger (p < 0.001)"),
        (2e12, 0.0, "worse", "WORSE THAN YESTERDAY'S CLOSE: error more than 100 times larger (p"),
        (0.999, 0.37, "no_better", "NO BETTER THAN YESTERDAY'S CLOSE: error 0.1 % smaller"),
        (1.001, 0.37, "no_better", "NO BETTER THAN YESTERDAY'S CLOSE: error 0.1 % larger"),
        (0.8, 0.0512, "no_better", "NO BETTER THAN YESTERDAY'S CLOSE: error 20 % smaller"),
        (0.95, 0.012, "better", "BETTER THAN YESTERDAY'S CLOSE: error 5.0 % smaller (p = 0.012)"),
        (1.0, 1.0, "no_better", "NO BETTER THAN YESTERDAY'S CLOSE: the same error."),
        (1.0, 0.0, "no_better", "NO BETTER THAN YESTERDAY'S CLOSE: the same error."),
    ],
)
def test_the_verdict_in_words(ratio, p, verdict, words):
    point = point_of(ratio, p)
    assert _verdict(point) == verdict
    text = _verdict_words(verdict, point, 1)
    assert text.startswith(words)
    assert ("do not use" in text) == (verdict == "worse")
    assert text.endswith(".")
    assert english_left(text) == []


def test_the_whole_of_each_verdict():
    assert _verdict_words("worse", point_of(1.09, 0.002), 1) == (
        "WORSE THAN YESTERDAY'S CLOSE: error 9.0 % larger (p = 0.002); do not use."
    )
    assert _verdict_words("no_better", point_of(0.999, 0.37), 1) == (
        "NO BETTER THAN YESTERDAY'S CLOSE: error 0.1 % smaller (p = 0.37)."
    )
    assert "NO BETTER THAN THE CLOSE 5 SESSIONS BEFORE: error 0.1 %" in _verdict_words(
        "no_better", point_of(0.999, 0.37), 5
    )
    assert _verdict_words("better", point_of(0.95, 0.0004), 1) == (
        "BETTER THAN YESTERDAY'S CLOSE: error 5.0 % smaller (p < 0.001)."
    )


@pytest.mark.parametrize(("p", "verdict"), [(SIGNIFICANT, "no_better"), (0.0499, "better")])
def test_significant_is_below_five_in_a_hundred(p, verdict):
    assert _verdict(point_of(0.9, p)) == verdict


@pytest.mark.parametrize(("error", "verdict"), [(0.5, "better"), (2.0, "worse")])
def test_verdicts_of_days(error, verdict):
    evaluation = evaluate(random_days(300, 4, error=error), 1.0)
    assert evaluation.verdict == verdict
    assert evaluation.verdict_text.startswith(f"{verdict.upper()} THAN YESTERDAY'S CLOSE: error ")
    assert (evaluation.point.rmse_ratio < 1) == (verdict == "better")


def test_chance_is_no_verdict():
    verdicts = [evaluate(random_days(100, seed), 1.0).verdict for seed in range(400)]
    assert 0.9 < np.mean([verdict == "no_better" for verdict in verdicts]) < 0.99


def test_one_day_gives_no_verdict():
    evaluation = evaluate(days_of([10], [11], [11]), 1.0)
    assert (evaluation.n, evaluation.start, evaluation.end) == (1, "2024-01-01", "2024-01-01")
    assert evaluation.verdict == "no_better"
    assert evaluation.verdict_text == (
        "NO BETTER THAN YESTERDAY'S CLOSE: error 100 % smaller (p = 1). "
        "Intervals: 95 % covered 100.0 % (expected 0–100 %): consistent."
    )


def test_a_price_that_never_changed():
    last = np.full(40, 10.0)
    evaluation = evaluate(days_of(last, last, last), 0.0)
    point = evaluation.point
    assert (point.rmse, point.rmse_naive, point.dm_stat, point.dm_p) == (0, 0, 0, 1)
    assert (point.rmse_ratio, point.mae_ratio, point.skill, point.mase) == (None,) * 4
    assert evaluation.verdict == "no_better"
    assert evaluation.verdict_text.startswith(
        "NO BETTER THAN YESTERDAY'S CLOSE: the price never changed on these days. Intervals: "
    )


def test_a_model_that_was_wrong_about_a_price_that_never_changed():
    last = np.full(40, 10.0)
    evaluation = evaluate(days_of(last, last, last + np.resize([0.5, 1.0], 40)), 0.0)
    assert evaluation.verdict == "worse"
    assert evaluation.verdict_text.startswith(
        "WORSE THAN YESTERDAY'S CLOSE: the price never changed on these days. Intervals: "
    )


def test_a_dead_share_from_bars_to_verdict():
    bars = bars_of(np.full(200, 7.0))
    baseline, scaling = (
        Baselines.fit(bars, 150),
        AnchorScaling.fit(bars, 150, PRESETS["calibrated"]),
    )
    origins = np.arange(150, 199)
    forecasts = scaling.forecasts(np.tile(GRID, (49, 1)), bars, origins)
    evaluation = evaluate(score_days(bars, origins, forecasts, baseline), naive_error(bars, 150))
    assert evaluation.verdict == "no_better"
    assert evaluation.direction.n == 0
    assert evaluation.distribution.crps == evaluation.distribution.crps_ewma == 0
    assert evaluation.distribution.crps_ratio is None
    assert "the price never changed" in evaluation.verdict_text


def distribution_of(
    share: float, *, ratio: float | None = 1.0, p: float = 1.0
) -> DistributionScores:
    unused = Coverage(0.8, 0.8, 0.7, 0.9, 1.0, 1.0, 1.0, 1.0)
    widest = Coverage(0.95, share, 0.92, 0.97, 1.0, 1.0, 1.0, 1.0)
    return DistributionScores(1.0, 1.0, ratio, None, p, (unused, widest), ())


NARROW, WIDE = IntervalFault("too narrow", 0.024), IntervalFault("too wide", 1e-9)
RUNS = IntervalFault("misses in runs", 0.002)
REGULAR = IntervalFault("misses too regular", 0.04)


@pytest.mark.parametrize(
    ("share", "of_80", "of_95", "words"),
    [
        (0.953, [], [], "95 % covered 95.3 % (expected 92–97 %): consistent."),
        (0.93, [], [NARROW], "95 % covered 93.0 %: TOO NARROW (p = 0.024)."),
        (
            *(0.93, [], [NARROW, RUNS]),
            "95 % covered 93.0 %: TOO NARROW (p = 0.024) and MISSES COME IN RUNS (p = 0.002).",
        ),
        (
            *(0.999, [REGULAR], [WIDE]),
            "80 % covered 80.0 %: MISSES COME TOO REGULARLY (p = 0.04); 95 % covered 99.9 %: {}.",
        ),
        (0.95, [RUNS], [], "80 % covered 80.0 %: MISSES COME IN RUNS (p = 0.002)."),
    ],
)
def test_the_intervals_in_words(share, of_80, of_95, words):
    said = _interval_words(distribution_of(share), [of_80, of_95])
    assert said == "Intervals: " + words.format("TOO WIDE (p < 0.001)")


@pytest.mark.parametrize(
    ("ratio", "p", "words"),
    [
        (0.975, 0.003, " Distribution: 2.5 % better than EWMA (p = 0.003)."),
        (1.8, 1e-5, " Distribution: 80 % worse than EWMA (p < 0.001)."),
        (2e12, 0.0, " Distribution: more than 100 times worse than EWMA (p < 0.001)."),
        (0.975, SIGNIFICANT, ""),
        (None, 0.0, ""),
    ],
)
def test_the_distribution_in_words_if_it_differs(ratio, p, words):
    consistent = "Intervals: 95 % covered 95.0 % (expected 92–97 %): consistent."
    assert _interval_words(distribution_of(0.95, ratio=ratio, p=p), [[], []]) == consistent + words


def days_with(misses: np.ndarray, spread: float | np.ndarray = 1.0) -> ScoredDays:
    """Make days of which some lie outside both intervals, and the others in the middle."""
    return normal_days(np.where(misses, 4.0, 0.0), spread)


def faults_of(days: ScoredDays, level: float) -> list[tuple[str, float]]:
    coverage = next(c for c in evaluate(days, 1.0).distribution.coverage if c.level == level)
    return [(fault.kind, round(fault.p, 4)) for fault in interval_faults(days, coverage)]


def kupiec_p(days: int, misses: int, level: float) -> float:
    seen = misses / days
    ratio = stats.binom.logpmf(misses, days, seen) - stats.binom.logpmf(misses, days, 1 - level)
    return round(float(stats.chi2.sf(2 * ratio, 1)), 4)


def test_a_level_is_judged_by_itself():
    # 60 of 300 days: as many as 80 % allow, spread at random, and four times those of 95 %.
    days = days_with(np.isin(np.arange(300), np.random.default_rng(5).permutation(300)[:60]))

    assert faults_of(days, 0.8) == []
    assert faults_of(days, 0.95) == [("too narrow", 0.0)]
    assert "Intervals: 95 % covered 80.0 %: TOO NARROW (p < 0.001)." in (
        evaluate(days, 1.0).verdict_text
    )


def test_a_share_that_is_off_is_named_though_its_band_holds_it():
    # README's 93 %: within what 99 of 100 right intervals show, and off at 5 % by Kupiec's test.
    days = days_with(np.isin(np.arange(687), np.random.default_rng(1).permutation(687)[:48]))
    coverage = evaluate(days, 1.0).distribution.coverage[-1]

    assert coverage.consistent
    assert ("too narrow", kupiec_p(687, 48, 0.95)) in faults_of(days, 0.95)


def test_misses_in_a_row_are_no_question_of_width():
    # 15 of 300, as 95 % want it, one after the other.
    days = days_with(np.arange(300) < 15)

    # Christoffersen's statistic by hand: after a miss 14 of 15 days missed, after a hit none of
    # 284; promised was 5 % of each.
    free = 14 * math.log(14 / 15) + math.log(1 / 15)
    promised = 14 * math.log(0.05) + 285 * math.log(0.95)
    p = round(math.exp(promised - free), 4)
    assert faults_of(days, 0.95) == [("misses in runs", p)]
    assert (
        "95 % covered 95.0 %: MISSES COME IN RUNS (p < 0.001)" in evaluate(days, 1.0).verdict_text
    )


def test_misses_that_keep_their_distance_come_too_regularly():
    # Every fifth day of 300, never two at once, where 80 % promise one after another now and then.
    days = days_with(np.arange(300) % 5 == 0)

    (fault,) = faults_of(days, 0.8)
    assert fault[0] == "misses too regular"


def test_a_width_that_is_off_explains_no_more_than_itself():
    # Far too many misses, at random: Christoffersen's test rejects, too, but not for their order.
    days = days_with(np.random.default_rng(3).random(300) < 0.4)

    assert [kind for kind, _ in faults_of(days, 0.8)] == ["too narrow"]


def test_of_nineteen_days_a_share_has_to_be_beyond_its_range():
    # 4 misses are 1 in 49 at 95 %; a right interval shows so many less than once in a hundred times
    # only from 5 on.
    assert stats.binom.sf(3, 19, 0.05) > 0.005 > stats.binom.sf(4, 19, 0.05)

    assert kupiec_p(19, 4, 0.95) < 0.05
    assert faults_of(days_with(np.arange(19) % 5 == 0), 0.95) == []
    five = days_with(np.arange(19) % 4 == 0)
    assert faults_of(five, 0.95) == [("too narrow", kupiec_p(19, 5, 0.95))]


def test_overlapping_spans_are_judged_by_one_day_in_so_many():
    missed = np.arange(100) % 5 == 0
    apart = normal_days(np.where(missed, 4.0, 0.0), horizon=5)

    # All of the twenty days that do not overlap were missed.
    assert faults_of(apart, 0.95) == [("too narrow", 0.0)]
    assert faults_of(normal_days(np.where(~missed, 4.0, 0.0), horizon=5), 0.95) == []


def test_of_a_single_price_nothing_is_too_wide():
    days = normal_days(np.zeros(300), 0.0)

    assert (faults_of(days, 0.8), faults_of(days, 0.95)) == ([], [])
    assert " Intervals: each a single price." in evaluate(days, 1.0).verdict_text


@pytest.mark.parametrize(
    ("spread", "words"),
    [(0.4, "TOO NARROW (p < 0.001)."), (1.0, "consistent."), (4.0, "TOO WIDE (p < 0.001).")],
)
def test_intervals_of_days(spread, words):
    assert words in evaluate(random_days(300, 6, spread=spread), 1.0).verdict_text


def test_a_right_interval_is_called_wrong_by_two_tests_of_two_levels():
    days = [random_days(300, seed) for seed in range(300)]
    texts = [evaluate(each, 1.0).verdict_text for each in days]
    wrong = ["consistent" not in text for text in texts]

    # Each test errs once in twenty times, and the two of a level often together.
    assert 0.05 < np.mean(wrong) < 0.2
    assert [text for text in texts if english_left(text)] == []


def test_a_verdict_of_several_tickers_counts_them():
    def ticker(seed: int, error: float) -> Evaluation:
        return evaluate(random_days(300, seed, error=error), 1.0)

    # Two are better and one is worse by any test; the others are what chance gives.
    tickers = [ticker(1, 0.5), ticker(2, 0.6), ticker(3, 2.0), *(ticker(n, 1.0) for n in (4, 5))]

    words = evaluate(random_days(300, 7), 1.0, tickers).verdict_text

    assert "). Ticker by ticker: better for 2 of 5 after Holm, worse for 1. Intervals: " in words
    assert english_left(words) == []


def test_the_count_is_corrected_for_the_number_of_tickers():
    def ticker(p: float) -> Evaluation:
        point = point_of(0.9, p)
        return replace(evaluate(random_days(30, 1), 1.0), point=point, verdict=_verdict(point))

    # Holm: 0.012 · 4 = 0.048 is below 5 %, and then 0.02 · 3 = 0.06 is not.
    tickers = [ticker(p) for p in (0.02, 0.012, 0.03, 0.9)]

    assert [each.verdict for each in tickers] == [*(["better"] * 3), "no_better"]
    assert "better for 1 of 4 after Holm, worse for 0." in (
        evaluate(random_days(30, 7), 1.0, tickers).verdict_text
    )


@pytest.mark.parametrize("spread", [0.6, 0.75, 1.6])
def test_intervals_found_wrong_are_said_to_hold_once_they_follow_their_hits(spread):
    wrong = evaluate(random_days(600, 1, spread=spread), 1.0).distribution.coverage
    right = evaluate(random_days(600, 1), 1.0).distribution.coverage

    for each in wrong:
        assert each.kupiec_p < SIGNIFICANT
        # The wider one learns slowly, and ends where the grid ends.
        left = 0.4 if each.level == 0.8 else 0.8
        assert abs(each.adaptive_share - each.level) < left * abs(each.share - each.level)
        assert (each.adaptive_level > each.level) == (spread < 1)
    assert {(each.adaptive_share, each.adaptive_level) for each in right} == {(None, None)}


def test_intervals_of_spans_that_overlap_or_of_few_days_follow_nothing():
    overlapping = replace(random_days(600, 1, spread=0.6), horizon=5)
    for days in (overlapping, random_days(FEWEST - 1, 1, spread=0.01)):
        for each in evaluate(days, 1.0).distribution.coverage:
            assert each.kupiec_p < SIGNIFICANT
            assert (each.adaptive_share, each.adaptive_level) == (None, None)
