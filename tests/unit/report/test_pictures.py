"""Pictures are drawn, are always the same, and need no screen."""

import math
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scipy.stats import binom

from stocklstm.core.forecasts.quantiles import ReturnForecasts, available_intervals
from stocklstm.core.scores.evaluation import ScoredDays, evaluate
from stocklstm.core.settings.config import AXES, LEVELS, configure
from stocklstm.core.training.diagnosis import ConstantLosses
from stocklstm.core.training.epochs import EpochRecord
from stocklstm.core.training.search import COMPLETE, DIVERGED, PRUNED, Trial
from stocklstm.report.calibration import calibration_figure
from stocklstm.report.compression import CompressedBar, compression_figure
from stocklstm.report.errors_over_time import errors_figure
from stocklstm.report.fan import fan_figure
from stocklstm.report.figure import DARK, rendered
from stocklstm.report.loss_curves import history_figure
from stocklstm.report.predictions import predictions_figure
from stocklstm.report.trials import trials_figure
from tests.support.figures import (
    LONG_TITLE,
    assert_readable,
    curve,
    drawn_marks,
    made_fan,
    scored_days,
    words,
)

pytestmark = pytest.mark.usefixtures("painted")


CONSTANT = ConstantLosses(0.2, 0.2, is_start=True)


def epochs(first: int, count: int) -> list[EpochRecord]:
    return [
        EpochRecord(n, None if n == 0 else 0.3 / (n + 1), 0.4 / (n + 1), 1e-3, 0.1, n)
        for n in range(first, first + count)
    ]


def size(figure: Figure) -> tuple[int, int]:
    width, height = figure.canvas.get_width_height()
    return width, height


def painted_size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


UNUSUAL = {
    "one": scored_days(1),
    "two": scored_days(2),
    "twenty": scored_days(20),
    "sixty": scored_days(60),
    "many": scored_days(500),
    "flat": scored_days(80, volatility=0.0),
    "index": scored_days(130, price=128_000.0),
    "penny": scored_days(130, price=0.0012),
    "dust": scored_days(130, price=2.5e-9),
    "calm": scored_days(130, price=128_000.0, volatility=1e-6),
    "biased": scored_days(300, bias=-0.05),
    "five-ahead": scored_days(150, horizon=5),
}


@pytest.mark.parametrize("case", UNUSUAL)
def test_scores_are_drawn_readably_whatever_they_are(case: str) -> None:
    days = UNUSUAL[case]
    scores = evaluate(days, 1.0)

    figures = [
        predictions_figure(days, scores, LONG_TITLE, "BRL"),
        errors_figure(days, scores, LONG_TITLE),
        calibration_figure(days, scores, LONG_TITLE),
    ]

    assert [size(figure) for figure in figures] == [(1000, 700), (1000, 700), (1000, 560)]
    for figure in figures:
        assert_readable(figure)
        assert any(LONG_TITLE in text.get_text().replace("\n", " ") for text in words(figure))
    for figure in figures[:2]:
        if len(days.dates) <= 60:
            marks = {mark.get_text() for mark in drawn_marks(figure.axes[-1], "x")}
            assert marks <= set(days.dates.astype(str).tolist())
        said = " ".join(text.get_text().replace("\n", " ") for text in words(figure))
        assert scores.verdict_text in said


FANS = {
    "next": made_fan(60, 1),
    "known": made_fan(60, 1, known=1),
    "partly-known": made_fan(60, 20, known=7),
    "five-learned": made_fan(60, 5, learned=5),
    "year": made_fan(60, 250),
    "several": made_fan(60, 20, price=128_000.0, known=2, asked=(1, 2, 5, 20)),
    "short": made_fan(5, 3),
    "first": made_fan(1, 1),
    "flat": made_fan(60, 1, volatility=0.0),
    "index": made_fan(60, 5, price=128_000.0),
    "penny": made_fan(60, 1, price=0.0012),
    "dust": made_fan(60, 1, price=2.5e-9),
    "calm": made_fan(60, 1, price=128_000.0, volatility=1e-6),
}


@pytest.mark.parametrize("case", FANS)
def test_a_fan_is_drawn_readably_whatever_it_is(case: str) -> None:
    wide = case in {"partly-known", "index", "several"}
    levels = available_intervals() if wide else (0.8, 0.95)
    words_of_verdict = "NO BETTER THAN YESTERDAY'S CLOSE: error 0.1 % smaller (p = 0.13). " * 3

    figure = fan_figure(FANS[case], levels, LONG_TITLE, words_of_verdict, "BRL")

    assert size(figure) == (1000, 560)
    assert_readable(figure)
    shown = [text.get_text() for text in words(figure)]
    assert "close in R$" in shown
    assert str(FANS[case].sessions[-1]) in shown
    assert any(text.startswith("NO BETTER THAN YESTERDAY'S CLOSE") for text in shown)


def predictions_of(days: ScoredDays) -> list[Axes]:
    scores = evaluate(days, 1.0)
    return predictions_figure(days, scores, "x", "BRL").axes


def errors_of(days: ScoredDays) -> list[Axes]:
    scores = evaluate(days, 1.0)
    return errors_figure(days, scores, "x").axes


def calibration_of(days: ScoredDays) -> list[Axes]:
    scores = evaluate(days, 1.0)
    return calibration_figure(days, scores, "x").axes


def test_the_change_that_was_forecast_is_beside_the_one_that_came() -> None:
    days = scored_days(130)

    closes, changes = predictions_of(days)

    np.testing.assert_array_equal(curve(closes, "outcome"), days.actuals[10:])
    np.testing.assert_array_equal(curve(closes, "point forecast"), days.forecasts.points[10:])
    for label, prices in (("that came", days.actuals), ("that was", days.forecasts.points)):
        expected = [
            100 * (price - last) / last
            for price, last in zip(prices[10:], days.last_closes[10:], strict=True)
        ]
        np.testing.assert_allclose(curve(changes, f"change {label}"), expected, atol=1e-12)
    assert changes.get_ylabel() == "change from\nyesterday's close, %"


def test_a_forecast_of_no_change_is_a_line_at_zero() -> None:
    days = scored_days(130)
    naive = replace(days, forecasts=ReturnForecasts(days.last_closes, days.forecasts.quantiles))

    closes, changes = predictions_of(naive)

    # Above it is the price itself, a day late; only below can it be seen for what it is.
    drawn = curve(closes, "point forecast")
    np.testing.assert_array_equal(drawn[1:], curve(closes, "outcome")[:-1])
    assert not curve(changes, "change that was forecast").any()


def test_marks_are_on_the_outcomes_outside() -> None:
    days = scored_days(120, bias=-0.03)
    lower, upper = days.forecasts.quantiles[:, 1], days.forecasts.quantiles[:, -2]
    assert (LEVELS[1], LEVELS[-2]) == (0.025, 0.975)

    closes, _ = predictions_of(days)

    outside = [
        actual
        for actual, low, high in zip(days.actuals, lower, upper, strict=True)
        if not low <= actual <= high
    ]
    assert 5 < len(outside) < 115
    drawn = curve(closes, f"outside the 95 % interval ({len(outside)} of 120)")
    np.testing.assert_array_equal(drawn, outside)


def test_errors_over_time_end_at_what_the_scores_say() -> None:
    days = scored_days(200, bias=-0.004)
    scores = evaluate(days, 1.0)

    gains, ratios = errors_of(days)

    assert scores.point.rmse_ratio is not None
    assert scores.distribution.crps_ratio is not None
    saved = 100 * (1 - scores.point.rmse_ratio**2)
    assert curve(gains, "squared error of the point")[-1] == pytest.approx(saved)
    saved = 100 * (1 - scores.distribution.crps_ratio)
    assert curve(gains, "CRPS")[-1] == pytest.approx(saved)
    latest = evaluate(days.select(np.arange(200) >= 140), 1.0)
    assert curve(ratios, "RMSE")[-1] == pytest.approx(latest.point.rmse_ratio)
    assert curve(ratios, "CRPS")[-1] == pytest.approx(latest.distribution.crps_ratio)
    assert len(curve(ratios, "RMSE")) == 200 - 59


def test_the_histogram_counts_every_outcome_once() -> None:
    days = scored_days(200, bias=-0.01)
    # The edges of the bars are quantiles of the grid.
    tenths = days.forecasts.quantiles[:, [3, 4, 5, 6, 7, 8, 9, 10, 11]]
    assert [LEVELS[place] for place in (3, 4, 7, 11)] == [0.1, 0.2, 0.5, 0.9]

    falls, shares = calibration_of(days)

    heights = [bar.get_height() for bar in falls.containers[0]]
    places = (days.actuals[:, None] > tenths).sum(axis=1)
    expected = [100 * sum(places == place) / 200 for place in range(10)]
    assert heights == pytest.approx(expected)
    assert sum(heights) == pytest.approx(100)
    for place in range(len(LEVELS)):
        below = sum(days.actuals <= days.forecasts.quantiles[:, place])
        assert curve(shares, "this forecast")[place] == pytest.approx(100 * below / 200)


@pytest.mark.parametrize(("horizon", "independent"), [(1, 200), (5, 40)])
def test_the_bands_of_calibration_are_binomial(horizon: int, independent: int) -> None:
    falls, _ = calibration_of(scored_days(200, horizon=horizon))

    (band,) = falls.patches[:1]
    low, high = (100 * binom.ppf(tail, independent, 0.1) / independent for tail in (0.005, 0.995))
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((low, high))


def test_a_forecast_without_spread_has_no_histogram() -> None:
    falls, _ = calibration_of(UNUSUAL["flat"])

    assert not falls.containers
    assert "single price" in falls.texts[0].get_text()


def test_a_fan_marks_every_session_that_was_asked_for() -> None:
    fan = made_fan(60, 5, asked=(1, 3, 5))

    figure = fan_figure(fan, (0.8, 0.95), "x", "y", "BRL")

    line = next(line for line in figure.axes[1].lines if str(line.get_label()).startswith("fore"))
    assert line.get_markevery() == [1, 3, 5]
    # The figures in the legend are of the farthest, and say so.
    low, high = (fan.forecasts.quantiles[-1][LEVELS.index(level)] for level in (0.025, 0.975))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert f"95 %, 5 ahead: {low:.2f} to {high:.2f}" in labels


def test_a_fan_says_in_numbers_what_it_draws() -> None:
    fan = made_fan(60, 4, known=2)

    figure = fan_figure(fan, (0.8, 0.95), "x", "y", "BRL")

    past, ahead = figure.axes
    np.testing.assert_array_equal(past.lines[0].get_ydata(), fan.closes)
    # The latest are there again, beside the forecast and on its scale.
    np.testing.assert_array_equal(ahead.lines[0].get_ydata(), fan.closes[-6:])
    np.testing.assert_array_equal(ahead.lines[0].get_xdata(), range(-5, 1))
    np.testing.assert_array_equal(curve(ahead, "forecast"), fan.forecasts.points)
    np.testing.assert_array_equal(curve(ahead, "what came"), [fan.closes[-1], *fan.outcomes])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    last = fan.forecasts.quantiles[-1]
    for level, low, high in ((0.95, 0.025, 0.975), (0.8, 0.1, 0.9), (0.6, 0.2, 0.8)):
        bounds = (last[LEVELS.index(low)], last[LEVELS.index(high)])
        assert f"{100 * level:.0f} %: {bounds[0]:.2f} to {bounds[1]:.2f}" in labels
    assert f"last close, {fan.sessions[0]}: R$ {fan.closes[-1]:.2f}" in labels
    assert f"what came: R$ {fan.outcomes[-1]:.2f}" in labels
    # The widest first: else it would cover the others.
    drawn = [patch.get_paths()[0].get_extents().height for patch in ahead.collections]
    assert drawn == sorted(drawn, reverse=True)
    assert drawn[0] == pytest.approx(last[LEVELS.index(0.975)] - last[LEVELS.index(0.025)])


# Every pair of a loss with a length, and of either with a rate.
@pytest.mark.parametrize(
    ("loss", "first", "count", "lowest_rate"),
    [
        (loss, first, count, (1e-3, 1e-6, 0.0)[(row + column) % 3])
        for row, loss in enumerate(("pinball", "mse", "mae", "huber"))
        for column, (first, count) in enumerate([(0, 1), (0, 20), (1, 1), (1, 1000)])
    ],
)
def test_a_history_is_drawn_for_any_number_of_epochs(
    loss: str, first: int, count: int, lowest_rate: float
) -> None:
    history = epochs(first, count)
    history[-1] = replace(history[-1], learning_rate=lowest_rate)
    config = configure("calibrated" if loss == "pinball" else "paper", loss=loss)
    constant = ConstantLosses(0.2, 0.2, is_start=first == 0)

    figure = history_figure(history, constant, config, history[-1].epoch, LONG_TITLE, "words")

    assert size(figure) == (1000, 560)
    assert_readable(figure)
    trained = [record for record in history if record.train_loss is not None]
    assert len(figure.axes) == (2 if len({record.learning_rate for record in trained}) > 1 else 1)
    assert all(mark.get_text().strip("−").isdecimal() for mark in drawn_marks(figure.axes[-1], "x"))


def test_losses_are_in_per_cent_of_those_of_a_constant_forecast() -> None:
    history, config = epochs(0, 20), configure("calibrated")

    # Other days: the same forecast loses twice as much on those of training.
    figure = history_figure(history, ConstantLosses(0.4, 0.2, is_start=True), config, 7, "x", "y")

    (losses,) = figure.axes
    train = [100 * (record.train_loss or 0) / 0.4 for record in history[1:]]
    np.testing.assert_allclose(curve(losses, "training"), train)
    np.testing.assert_allclose(
        curve(losses, "validation"), [500 * record.val_loss for record in history]
    )
    assert curve(losses, "constant forecast (validation 0.2)").tolist() == [100, 100]
    assert curve(losses, "kept: epoch 7, validation 0.05").tolist() == [500 * history[7].val_loss]
    assert losses.get_xlabel().endswith("learning rate 0.001 throughout")


def test_losses_stand_for_themselves_where_a_constant_forecast_has_none() -> None:
    history, config = epochs(0, 20), configure("calibrated")

    figure = history_figure(history, ConstantLosses(0.0, 0.0, is_start=True), config, 7, "x", "y")

    (losses,) = figure.axes
    assert curve(losses, "validation").tolist() == [record.val_loss for record in history]
    assert losses.get_ylabel() == "mean pinball loss\n(in expected volatilities)"


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
        [tried(number, 0.2 + number / 1000) for number in range(60)],
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
    ids=["complete", "single", "sixty", "zero", "equal", "diverged-start", "mixed", "far", "grid"],
)
def test_a_search_is_drawn_whatever_became_of_its_trials(trials: list[Trial]) -> None:
    best = min((one for one in trials if one.status == COMPLETE), key=lambda one: one.loss)

    figure = trials_figure(trials, best, trials[0], "mse", LONG_TITLE, "words " * 60)

    assert size(figure) == (1000, 560)
    assert_readable(figure)


def test_the_losses_of_a_search_are_in_per_cent_of_the_start() -> None:
    trials = [tried(number, 0.2 - number / 100) for number in range(5)]

    figure = trials_figure(trials, trials[4], trials[0], "mae", "x", "y")

    for axes, name in zip(figure.axes, AXES, strict=True):
        np.testing.assert_allclose(curve(axes, "complete"), [100, 95, 90, 85, 80])
        assert curve(axes, "start").tolist() == [100, 100]
        assert curve(axes, "best") == pytest.approx([80])
        named = [mark.get_text() for mark in drawn_marks(axes, "x")]
        assert {f"{trial.settings[name]:g}" for trial in trials} <= set(named)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_what_a_smaller_model_saves_is_written_in_its_bars(count: int) -> None:
    bars = [
        CompressedBar("pruned at once, then int8"[: 2 + 4 * n], 6.6 / (n + 1), 0.2 * n, n / 10, -n)
        for n in range(count)
    ]

    figure = compression_figure(bars, 0.5, f"pruned-int8 of {LONG_TITLE}", "Accepted. " * 20)

    assert_readable(figure)
    size, speed, _ = figure.axes
    assert [bar.get_width() for bar in size.patches] == [bar.kilobytes for bar in bars]
    assert all(bar.get_height() < 0.5 for bar in size.patches)
    shown = [text.get_text() for text in size.texts]
    assert shown[0] == "6.6 kB"
    assert shown[1:2] == ["3.3 kB, 50 %"][: count - 1]
    for axes in (size, speed):
        left, right = axes.get_window_extent().x0, axes.get_window_extent().x1
        for text in axes.texts:
            assert left - 1 <= text.get_window_extent().x0
            assert text.get_window_extent().x1 <= right + 1


def test_the_same_figures_give_the_same_picture() -> None:
    days = scored_days(50)
    trials = [tried(number, 0.2 + number / 1000) for number in range(3)]
    config = configure("calibrated")

    scores = evaluate(days, 1.0)
    for height, draw in (
        (700, lambda: errors_figure(days, scores, "x")),
        (560, lambda: trials_figure(trials, trials[0], trials[0], "mae", "x", "y")),
        (560, lambda: history_figure(epochs(0, 20), CONSTANT, config, 19, "x", "y")),
    ):
        painted = rendered(draw())
        assert painted == rendered(draw())
        assert painted_size(painted) == (1000, height)


def test_a_picture_is_an_svg_on_request_and_always_the_same() -> None:
    made = rendered(fan_figure(FANS["next"], (0.8,), "A & B <c>", "y", "BRL"), "svg")

    assert made == rendered(fan_figure(FANS["next"], (0.8,), "A & B <c>", "y", "BRL"), "svg")
    assert ET.fromstring(made).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own
    assert b"<text" not in made  # no font of the reader's is asked for


def test_on_dark_paper_every_word_can_be_read() -> None:
    days = scored_days(130)
    scores = evaluate(days, 1.0)

    for figure in (
        predictions_figure(days, scores, "x", "BRL", DARK),
        errors_figure(days, scores, "x", DARK),
        calibration_figure(days, scores, "x", DARK),
        fan_figure(FANS["known"], (0.8, 0.95), "x", "y", "BRL", DARK),
        history_figure(epochs(0, 20), CONSTANT, configure("calibrated"), 19, "x", "y", DARK),
        trials_figure([tried(0, 0.2)], tried(0, 0.2), tried(0, 0.2), "mae", "x", "y", DARK),
    ):
        figure.draw_without_rendering()
        assert to_hex(figure.get_facecolor()).upper() == DARK.paper
        assert all(to_hex(axes.get_facecolor()).upper() == DARK.paper for axes in figure.axes)
        inks = {to_hex(text.get_color()).upper() for text in words(figure)}
        assert inks <= {DARK.ink, DARK.grey}


def test_importing_the_pictures_does_not_import_matplotlib() -> None:
    code = (
        "from stocklstm.report import predictions, loss_curves, trials, compression;"
        "from stocklstm.report import calibration, fan, errors_over_time;"
        "import stocklstm.workflows.pictures, sys;"
        "sys.exit('matplotlib' in sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_who_has_no_home_is_not_told_of_matplotlibs(tmp_path: Path) -> None:
    """As cron runs it for users such as nobody: whatever it says would be mailed every evening."""
    draw = (
        "from stocklstm.report.figure import canvas, rendered\n"
        "with canvas() as (figure, _): rendered(figure)"
    )
    done = subprocess.run(
        [sys.executable, "-c", draw],
        env={**os.environ, "HOME": "/proc/nobody", "MPLCONFIGDIR": "", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
