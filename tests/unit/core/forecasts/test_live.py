"""The short record of live forecasts says what a full evaluation of them says."""

import numpy as np
import pytest

from stocklstm.core.forecasts.live import ClosedForecasts, live_record
from stocklstm.core.scores.evaluation import evaluate
from tests.support.normal_forecasts import normal_days


def closed_of(days, points: np.ndarray) -> ClosedForecasts:
    count = len(days.dates)
    return ClosedForecasts(
        dates=days.dates,
        versions=np.ones(count, int),
        origins=np.arange(count),
        last_closes=days.last_closes,
        actuals=days.actuals,
        points=points,
        quantiles=days.forecasts.quantiles,
    )


@pytest.mark.parametrize("count", [1, 2, 60])
def test_it_is_the_evaluation_in_three_figures(count: int) -> None:
    chance = np.random.default_rng(count)
    days = normal_days(chance.standard_normal(count), 0.8)
    points = 100 + 0.1 * chance.standard_normal(count)
    days.forecasts.points[:] = points

    record = live_record(closed_of(days, points))

    scores = evaluate(days, 1.0)
    assert record is not None
    assert record.n == count
    assert record.skill == scores.point.skill
    assert record.coverage == {f"{c.level:g}": c.share for c in scores.distribution.coverage}


def test_of_nothing_there_is_no_record() -> None:
    assert live_record(closed_of(normal_days(np.empty(0)), np.empty(0))) is None


def test_a_price_that_never_changed_has_no_skill() -> None:
    record = live_record(closed_of(normal_days(np.zeros(5)), np.full(5, 101.0)))

    assert record is not None
    assert record.skill is None
    assert record.coverage == {"0.8": 1.0, "0.95": 1.0}
