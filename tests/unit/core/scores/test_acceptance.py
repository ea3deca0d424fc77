"""A smaller model is accepted if it loses next to nothing."""

import numpy as np
import pytest
from scipy import stats

from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.scores.acceptance import judge_smaller
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.settings.config import LEVELS

DAYS = 400
ERRORS = np.random.default_rng(0).normal(0, 1, DAYS)
WIDTHS = stats.norm.ppf(LEVELS)


def scored(errors: np.ndarray) -> ScoredDays:
    """Make days whose point forecasts are off by some errors."""
    actuals = np.full(DAYS, 100.0)
    points = actuals - errors
    return ScoredDays(
        dates=np.datetime64("2020-01-01") + np.arange(DAYS),
        last_closes=actuals,
        actuals=actuals,
        forecasts=ReturnForecasts(points, points[:, None] + WIDTHS),
        ewma=np.tile(actuals[:, None], (1, len(LEVELS))),
    )


PARENT = scored(ERRORS)


def test_the_same_forecasts_lose_nothing() -> None:
    judged = judge_smaller(PARENT, PARENT, 0.5)

    assert judged.accepted
    assert (judged.rmse_change_pct, judged.crps_change_pct) == (0, 0)
    assert judged.largest_difference == 0
    assert judged.reason == (
        "RMSE +0.00 %, CRPS +0.00 %: within the 0.5 % allowed; "
        "no loss beyond 0.1 % found in 400 test days"
    )


@pytest.mark.parametrize(
    ("growth", "accepted", "found"),
    [
        (0.0003, True, False),  # every day the same, and nobody's loss
        (0.003, False, True),  # within the tolerance, but certainly there
        (0.02, False, True),
        (-0.02, True, False),
    ],
)
def test_a_loss_of_the_same_share_every_day(growth: float, accepted: bool, found: bool) -> None:
    judged = judge_smaller(scored(ERRORS * (1 + growth)), PARENT, 0.5)

    assert judged.rmse_change_pct == pytest.approx(100 * growth)
    assert judged.squared.found is found
    assert judged.accepted is accepted


def test_a_growth_beyond_the_tolerance_is_refused_even_if_it_could_be_chance() -> None:
    errors = ERRORS.copy()
    errors[np.argmax(np.abs(ERRORS))] *= 1.5

    judged = judge_smaller(scored(errors), PARENT, 0.5)

    assert judged.rmse_change_pct > 0.5
    assert not judged.squared.found
    assert not judged.accepted
    assert "more than the 0.5 % allowed" in judged.reason


def test_without_a_tolerance_any_certain_loss_is_one() -> None:
    judged = judge_smaller(scored(ERRORS * 1.0003), PARENT, 0.0)

    assert judged.squared.found
    assert "RMSE significantly worse" in judged.reason


def test_the_test_is_one_sided_against_the_raised_losses() -> None:
    random = np.random.default_rng(1)
    errors = ERRORS + random.normal(0, 0.1, DAYS)

    judged = judge_smaller(scored(errors), PARENT, 0.5)

    # Diebold-Mariano one session ahead is a t test of the mean but for the divisor n of the
    # variance and the factor of Harvey, Leybourne & Newbold, which undo each other.
    differences = errors**2 - 1.001**2 * ERRORS**2
    expected = stats.ttest_1samp(differences, 0, alternative="greater")
    assert judged.squared.stat == pytest.approx(expected.statistic, rel=1e-9)
    assert judged.squared.p >= expected.pvalue - 1e-12
    assert judged.largest_difference == pytest.approx(np.abs(errors - ERRORS).max())
