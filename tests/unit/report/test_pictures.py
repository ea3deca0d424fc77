"""Pictures are drawn, are always the same, and need no screen."""

import math
import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from stocklstm.core.axes import AXES
from stocklstm.core.config import configure
from stocklstm.core.diagnosis import ConstantLosses
from stocklstm.core.evaluation import ScoredDays, evaluate
from stocklstm.core.history import EpochRecord
from stocklstm.core.levels import LEVELS
from stocklstm.core.scaling import ReturnForecasts
from stocklstm.core.search import COMPLETE, DIVERGED, PRUNED, Trial
from stocklstm.report.forecasts import predictions_png
from stocklstm.report.training import history_png
from stocklstm.report.tuning import trials_png


def scored_days(count: int) -> ScoredDays:
    random = np.random.default_rng(0)
    last = 30 + random.standard_normal(count).cumsum() / 5
    spread = np.asarray(LEVELS) - 0.5
    quantiles = last[:, None] + spread[None, :]
    return ScoredDays(
        dates=np.datetime64("2024-01-01", "D") + np.arange(count),
        last_closes=last,
        actuals=last + random.standard_normal(count) / 5,
        forecasts=ReturnForecasts(last, quantiles),
        ewma=quantiles,
    )


def epochs(first: int, count: int) -> list[EpochRecord]:
    return [
        EpochRecord(n, None if n == 0 else 0.3 / (n + 1), 0.4 / (n + 1), 1e-3, 0.1, n)
        for n in range(first, first + count)
    ]


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize("count", [1, 2, 119, 500])
def test_forecasts_are_drawn_for_any_number_of_days(count: int) -> None:
    days = scored_days(count)

    assert size(predictions_png(days, evaluate(days, 1.0), "PETR4.SA@v1", "BRL")) == (1000, 560)


@pytest.mark.parametrize("loss", ["pinball", "mse", "mae", "huber"])
@pytest.mark.parametrize(("first", "count"), [(0, 1), (0, 20), (1, 1), (1, 100)])
@pytest.mark.parametrize("lowest_rate", [1e-3, 1e-6, 0.0])
def test_a_history_is_drawn_for_any_number_of_epochs(
    loss: str, first: int, count: int, lowest_rate: float
) -> None:
    history = epochs(first, count)
    history[-1] = replace(history[-1], learning_rate=lowest_rate)
    config = configure("calibrated" if loss == "pinball" else "paper", loss=loss)
    constant = ConstantLosses(0.2, 0.2, is_start=first == 0)

    drawn = history_png(history, constant, config, history[-1].epoch, "PETR4.SA", "words")

    assert size(drawn) == (1000, 560)


def tried(number: int, loss: float, status: str = COMPLETE) -> Trial:
    settings = {axis: values[number % len(values)] for axis, values in AXES.items()}
    if number == 0:
        # A search may start where none of its values lie.
        settings |= {"learning_rate": 3e-5, "hidden_size": 7, "dropout": 0.0, "batch_size": 999}
    return Trial(number, settings, status, loss, (loss,), 1, np.empty(0), 0.1)


@pytest.mark.parametrize(
    "trials",
    [
        [tried(number, 0.2 + number / 1000) for number in range(16)],
        [tried(0, 0.2)],
        [tried(0, 0.0)],
        [tried(number, 0.2) for number in range(9)],
        [tried(0, math.inf, DIVERGED), tried(1, 0.2), tried(2, 0.3, PRUNED)],
        [tried(0, 0.2), tried(1, math.inf, DIVERGED), tried(2, 0.1, PRUNED), tried(3, 1e9)],
        [tried(0, 0.2), tried(1, 1e300), tried(2, 5e-324), tried(3, 0.2)],
        [
            tried(number, 0.2 + number % 7 / 100, PRUNED if number % 3 else COMPLETE)
            for number in range(433)
        ],
    ],
    ids=["complete", "single", "zero", "equal", "diverged-start", "mixed", "far", "grid"],
)
def test_a_search_is_drawn_whatever_became_of_its_trials(trials: list[Trial]) -> None:
    best = min((one for one in trials if one.status == COMPLETE), key=lambda one: one.loss)

    drawn = trials_png(trials, best, trials[0], "mse", "PETR4.SA", "words " * 60)

    assert size(drawn) == (1000, 560)


def test_the_same_trials_give_the_same_picture() -> None:
    trials = [tried(number, 0.2 + number / 1000) for number in range(3)]

    first, second = (trials_png(trials, trials[0], trials[0], "mae", "x", "y") for _ in range(2))

    assert first == second


def test_the_same_figures_give_the_same_picture() -> None:
    days = scored_days(50)

    first, second = (predictions_png(days, evaluate(days, 1.0), "x", "BRL") for _ in range(2))

    assert first == second


def test_importing_the_pictures_does_not_import_matplotlib() -> None:
    code = (
        "import stocklstm.report.forecasts, stocklstm.report.training, stocklstm.report.tuning;"
        "import sys;"
        "sys.exit('matplotlib' in sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
