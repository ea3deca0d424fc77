"""Scores become a verdict, and its words."""

import numpy as np
import pytest

from stocklstm.core.inputs.scaling import AnchorScaling
from stocklstm.core.scores.baselines import Baselines, naive_error
from stocklstm.core.scores.evaluation import (
    _interval_words,
    _verdict,
    _verdict_words,
    evaluate,
    score_days,
)
from stocklstm.core.scores.scores import Coverage, DistributionScores, PointScores
from stocklstm.core.settings.config import PRESETS, SIGNIFICANT
from tests.support.made_prices import bars_of
from tests.support.normal_forecasts import GRID, days_of, random_days


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
        (0.999, 0.37, "no_better", "NO BETTER THAN YESTERDAY'S CLOSE: error 0.1 % smaller"),
        (1.001, 0.37, "no_better", "NO BETTER THAN YESTERDAY'S CLOSE: error 0.1 % larger"),
        (0.8, 0.0512, "no_better", "NO BETTER THAN YESTERDAY'S CLOSE: error 20 % smaller"),
        (0.95, 0.012, "better", "BETTER THAN YESTERDAY'S CLOSE: error 5.0 % smaller (p = 0.012)"),
        (1.0, 1.0, "no_better", "NO BETTER THAN YESTERDAY'S CLOSE: error 0.0 %"),
        (1.0, 0.0, "no_better", "NO BETTER THAN YESTERDAY'S CLOSE: error 0.0 %"),
    ],
)
def test_the_verdict_in_words(ratio, p, verdict, words):
    point = point_of(ratio, p)
    assert _verdict(point) == verdict
    text = _verdict_words(verdict, point, 1)
    assert text.startswith(words)
    assert ("do not use" in text) == (verdict == "worse")
    assert text.endswith(".")


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
    unused = Coverage(0.8, 0.0, 0.7, 0.9, 1.0, 1.0, 1.0, 1.0)
    widest = Coverage(0.95, share, 0.92, 0.97, 1.0, 1.0, 1.0, 1.0)
    return DistributionScores(1.0, 1.0, ratio, None, p, (unused, widest), ())


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.953, "Intervals: 95 % covered 95.3 % (expected 92–97 %): consistent."),
        (0.92, "Intervals: 95 % covered 92.0 % (expected 92–97 %): consistent."),
        (0.97, "Intervals: 95 % covered 97.0 % (expected 92–97 %): consistent."),
        (0.017, "Intervals: 95 % covered 1.7 % (expected 92–97 %): TOO NARROW."),
        (0.999, "Intervals: 95 % covered 99.9 % (expected 92–97 %): TOO WIDE."),
    ],
)
def test_the_intervals_in_words(share, words):
    assert _interval_words(distribution_of(share)) == words


@pytest.mark.parametrize(
    ("ratio", "p", "words"),
    [
        (0.975, 0.003, " Distribution: 2.5 % better than EWMA (p = 0.003)."),
        (1.8, 1e-5, " Distribution: 80 % worse than EWMA (p < 0.001)."),
        (0.975, SIGNIFICANT, ""),
        (None, 0.0, ""),
    ],
)
def test_the_distribution_in_words_if_it_differs(ratio, p, words):
    consistent = "Intervals: 95 % covered 95.0 % (expected 92–97 %): consistent."
    assert _interval_words(distribution_of(0.95, ratio=ratio, p=p)) == consistent + words


@pytest.mark.parametrize(
    ("spread", "words"), [(0.4, "TOO NARROW."), (1.0, "consistent."), (4.0, "TOO WIDE.")]
)
def test_intervals_of_days(spread, words):
    evaluation = evaluate(random_days(300, 6, spread=spread), 1.0)
    assert f"): {words}" in evaluation.verdict_text
    assert evaluation.distribution.coverage[-1].consistent == (words == "consistent.")


def test_a_right_interval_is_called_wrong_once_in_a_hundred_times():
    wrong = [
        not evaluate(random_days(300, seed), 1.0).distribution.coverage[-1].consistent
        for seed in range(600)
    ]
    assert np.mean(wrong) < 0.025
