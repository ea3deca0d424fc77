"""Scored days and forecasts to be drawn, and a look at the figure of a picture."""

from itertools import combinations, pairwise
from statistics import NormalDist

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from stocklstm.core.forecasts.fan import Fan, fan_out
from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.settings.config import LEVELS

NORMAL = np.array([NormalDist().inv_cdf(level) for level in LEVELS])

# As long as the name of a pool can be, and a preset's.
LONG_TITLE = f"{'abcdefgh-' * 7}x@v1234, 1234 tickers, preset calibrated-50"


def scored_days(
    count: int,
    *,
    price: float = 36.0,
    volatility: float = 0.02,
    bias: float = 0.0,
    horizon: int = 1,
) -> ScoredDays:
    random = np.random.default_rng(count)
    path = price * np.exp(volatility * random.standard_normal(count + 1).cumsum())
    points = bias + 0.1 * volatility * random.standard_normal(count)
    returns = ReturnForecasts(points, points[:, None] + volatility * NORMAL)
    return ScoredDays(
        dates=np.busday_offset("2024-01-02", np.arange(count), roll="forward"),
        last_closes=path[:-1],
        actuals=path[1:],
        forecasts=returns.closes(path[:-1]),
        ewma=path[:-1, None] * np.exp(1.2 * volatility * NORMAL),
        horizon=horizon,
    )


def made_fan(
    closes: int,
    horizon: int,
    *,
    price: float = 36.0,
    volatility: float = 0.02,
    learned: int = 1,
    known: int = 0,
    asked: tuple[int, ...] = (),
) -> Fan:
    random = np.random.default_rng(closes)
    path = price * np.exp(volatility * random.standard_normal(closes + known).cumsum())
    dates = np.busday_offset("2024-01-02", np.arange(closes + horizon), roll="forward")
    target = ReturnForecasts(
        np.array([0.2 * volatility]), volatility * (0.2 + horizon**0.5 * NORMAL[None])
    )
    last = np.repeat(path[closes - 1], horizon + 1)
    return Fan(
        dates=dates[:closes],
        closes=path[:closes],
        sessions=dates[closes - 1 :],
        forecasts=fan_out(target, horizon, learned).closes(last),
        outcomes=path[closes:],
        horizons=asked or (horizon,),
    )


def assert_readable(figure: Figure) -> None:
    """Check that no word is cut off, none is tiny, no mark of a day touches the next one."""
    figure.draw_without_rendering()
    width, height = figure.canvas.get_width_height()
    for text in words(figure):
        box = text.get_window_extent()
        assert box.x0 >= -1, text
        assert box.y0 >= -1, text
        assert box.x1 <= width + 1, text
        assert box.y1 <= height + 1, text
        assert text.get_fontsize() >= 9, text
    said = [(text, text.get_window_extent()) for text in words(figure)]
    for (one, left), (other, right) in combinations(said, 2):
        assert not left.overlaps(right), (one, other)
    marks = [mark for axes in figure.axes for mark in drawn_marks(axes, "x")]
    boxes = sorted((mark.get_window_extent() for mark in marks), key=lambda box: box.x0)
    for left, right in pairwise(boxes):
        assert left.x1 < right.x0, [mark.get_text() for mark in marks]
    for axes in figure.axes:
        assert axes.get_ylabel() or not any(drawn_marks(axes, "y"))
        if legend := axes.get_legend():
            panel, box = axes.get_window_extent(), legend.get_window_extent()
            assert panel.x0 <= box.x0, "the legend does not fit its panel"
            assert box.x1 <= panel.x1, "the legend does not fit its panel"
        # Neither 1.2e-3 nor a number to be added to all others.
        assert not axes.yaxis.get_offset_text().get_text()
        named = [mark.get_text() for mark in drawn_marks(axes, "y")]
        assert axes.get_ylabel() == "learning rate" or not any("e" in name for name in named)
        assert len(set(named)) == len(named), named


def words(figure: Figure) -> list[Text]:
    shown = [*figure.texts]
    for axes in figure.axes:
        shown += [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        shown += [*drawn_marks(axes, "x"), *drawn_marks(axes, "y")]
        shown += axes.get_legend().get_texts() if axes.get_legend() else []
    for legend in figure.legends:
        shown += legend.get_texts()
    return [text for text in shown if text.get_text().strip()]


def drawn_marks(axes: Axes, which: str) -> list[Text]:
    axis, (low, high) = (
        (axes.xaxis, axes.get_xlim()) if which == "x" else (axes.yaxis, axes.get_ylim())
    )
    return [
        tick.label1
        for tick in axis.get_major_ticks()
        if tick.label1.get_visible() and tick.label1.get_text() and low <= tick.get_loc() <= high
    ]


def curve(axes: Axes, label: str) -> np.ndarray:
    """Give what was drawn under a label that begins so."""
    (line,) = [line for line in axes.lines if str(line.get_label()).startswith(label)]
    return np.asarray(line.get_ydata(), np.float64)
