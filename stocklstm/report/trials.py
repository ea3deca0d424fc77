"""The picture of a search for settings."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stocklstm.core.settings.config import AXES
from stocklstm.core.training.search import COMPLETE, PRUNED, Trial
from stocklstm.report.figure import LIGHT, Colours, heading_across, side_by_side
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
    with side_by_side(colours, *[1] * len(AXES)) as (figure, panels):
        limit = _limit(trials)
        for axes, name in zip(panels, AXES, strict=True):
            _draw(axes, colours, name, trials, best, start, limit)
        # A trial that was given up may have been lower once than the best was at its end.
        lowest = min(trial.loss for trial in trials)
        panels[0].set_ylim(lowest - 0.08 * (limit - lowest), limit + 0.04 * (limit - lowest))
        panels[0].set_ylabel(f"validation: {LOSS_UNITS[loss]}")
        figure.legend(
            *panels[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=4,
            frameon=False,
            fontsize=9,
        )
        heading_across(figure, f"Search for settings: {title}, {len(trials)} trials", words)
        return figure


def _limit(trials: Sequence[Trial]) -> float:
    """Return where to cut the axis, so that a few hopeless trials do not flatten all others."""
    losses = sorted(trial.loss for trial in trials if math.isfinite(trial.loss))
    low, middle, high = losses[0], float(np.median(losses)), losses[-1]
    limit = min(high, middle + 3 * (middle - low))
    return limit if limit > low else low + (abs(low) or 1.0) * 1e-3


def _draw(
    axes: "Axes",
    colours: Colours,
    name: str,
    trials: Sequence[Trial],
    best: Trial,
    start: Trial,
    limit: float,
) -> None:
    marks = (
        (COMPLETE, colours.blue, "o", "complete"),
        (PRUNED, colours.grey, "v", "given up (lowest loss so far)"),
    )
    for status, colour, marker, label in marks:
        some = [trial for trial in trials if trial.status == status and trial.loss <= limit]
        axes.plot(
            [trial.settings[name] for trial in some],
            [trial.loss for trial in some],
            color=colour,
            marker=marker,
            markersize=4,
            alpha=0.7,
            linestyle="none",
            label=label if some else None,
        )
    beyond = [trial for trial in trials if not trial.loss <= limit]
    axes.plot(
        [trial.settings[name] for trial in beyond],
        [limit] * len(beyond),
        color=colours.orange,
        marker="^",
        linestyle="none",
        label="higher than shown, or diverged" if beyond else None,
    )
    if math.isfinite(start.loss):
        axes.axhline(start.loss, color=colours.ink, linestyle=":", linewidth=1, label="start")
    axes.plot(
        [best.settings[name]],
        [best.loss],
        color=colours.ink,
        marker="D",
        markersize=7,
        markerfacecolor="none",
        linestyle="none",
        label="best",
    )
    if name in {"learning_rate", "batch_size"}:
        axes.set_xscale("log")
    axes.set_xticks(AXES[name], [f"{value:g}" for value in AXES[name]])
    axes.minorticks_off()
    axes.margins(x=0.15)
    axes.set_xlabel(_NAMES[name])
