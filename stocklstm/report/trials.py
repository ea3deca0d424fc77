"""The picture of a search for settings."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stocklstm.core.settings.config import AXES
from stocklstm.core.training.search import COMPLETE, PRUNED, Trial
from stocklstm.core.wording import counted
from stocklstm.report.figure import LIGHT, Colours, heading, legend_below, side_by_side
from stocklstm.report.loss_curves import LOSS_UNITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMES = {
    "learning_rate": "learning rate",
    "hidden_size": "hidden size\n(units)",
    "num_layers": "LSTM layers",
    "dropout": "dropout\n(share)",
    "batch_size": "batch size\n(windows)",
}


def trials_figure(
    trials: Sequence[Trial],
    best: Trial,
    start: Trial,
    loss: str,
    title: str,
    words: str,
    colours: Colours = LIGHT,
) -> "Figure":
    """Draw the validation loss of every trial over each of its settings.

    Args:
        trials: At least one with a finite loss.
        start: The one with the settings that the search started from.
    """
    if not 0 < start.loss < math.inf:
        unit = f"{LOSS_UNITS[loss][0]}\n({LOSS_UNITS[loss][1]})"
    else:
        unit = f"{LOSS_UNITS[loss][0]},\n% of that of the start"
        trials = [_against(trial, start) for trial in trials]
        best, start = _against(best, start), _against(start, start)
    values = {
        name: sorted({*AXES[name], *(trial.settings[name] for trial in trials)}) for name in AXES
    }
    widths = [max(9.0, sum(len(f"{value:g}") + 1.5 for value in values[name])) for name in AXES]
    with side_by_side(colours, *widths) as (figure, panels):
        limit = _limit(trials)
        for axes, name in zip(panels, AXES, strict=True):
            _draw(
                axes,
                colours,
                [(values[name].index(one.settings[name]), one) for one in trials],
                limit,
            )
            _mark_chosen(axes, colours, values[name].index(best.settings[name]), best, start)
            axes.set_xticks(
                range(len(values[name])), [f"{value:g}" for value in values[name]], fontsize=9
            )
            axes.set_xlim(-0.6, len(values[name]) - 0.4)
            axes.set_xlabel(_NAMES[name])
        # A trial that was given up may have been lower once than the best was at its end.
        lowest = min(trial.loss for trial in trials)
        panels[0].set_ylim(lowest - 0.08 * (limit - lowest), limit + 0.04 * (limit - lowest))
        panels[0].set_ylabel(f"validation: {unit}")
        legend_below(figure, panels[0], columns=5)
        heading(figure, f"Search for settings: {title}, {counted(len(trials), 'trial')}", words)
        return figure


def _against(trial: Trial, start: Trial) -> Trial:
    """Give a trial with its loss in per cent of that of the start."""
    return replace(trial, loss=100 * (trial.loss / start.loss))


def _limit(trials: Sequence[Trial]) -> float:
    """Return where to cut the axis, so that a few hopeless trials do not flatten all others."""
    losses = sorted(trial.loss for trial in trials if math.isfinite(trial.loss))
    low, middle, high = losses[0], float(np.median(losses)), losses[-1]
    limit = min(high, middle + 3 * (middle - low))
    return limit if limit > low else low + (abs(low) or 1.0) * 1e-3


def _draw(
    axes: "Axes", colours: Colours, placed: Sequence[tuple[int, Trial]], limit: float
) -> None:
    """Draw the loss of each trial over the rank of its setting, so that names have room."""
    marks = (
        (COMPLETE, colours.blue, "o", "complete"),
        (PRUNED, colours.grey, "v", "given up (lowest loss so far)"),
    )
    for status, colour, marker, label in marks:
        some = [(place, one) for place, one in placed if one.status == status and one.loss <= limit]
        axes.plot(
            [place for place, _ in some],
            [trial.loss for _, trial in some],
            color=colour,
            marker=marker,
            markersize=4,
            alpha=0.7,
            linestyle="none",
            label=label if some else None,
        )
    beyond = [place for place, trial in placed if not trial.loss <= limit]
    axes.plot(
        beyond,
        [limit] * len(beyond),
        color=colours.orange,
        marker="^",
        linestyle="none",
        label="higher than shown, or diverged" if beyond else None,
    )


def _mark_chosen(axes: "Axes", colours: Colours, place: int, best: Trial, start: Trial) -> None:
    if math.isfinite(start.loss):
        axes.axhline(start.loss, color=colours.ink, linestyle=":", linewidth=1, label="start")
    axes.plot(
        [place],
        [best.loss],
        color=colours.ink,
        marker="D",
        markersize=7,
        markerfacecolor="none",
        linestyle="none",
        label="best",
    )
