"""The picture of what a smaller model saves and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stocklstm.report.figure import LIGHT, Colours, heading, legend_below, side_by_side

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class CompressedBar:
    """One model of the picture.

    Attributes:
        name: Beside its bars.
        kilobytes: Size of its serving file, in units of 1,000 bytes.
        latency_ms: Of one forecast.
        rmse_change_pct: Growth of the error over the parent's, in per cent.
        crps_change_pct: Growth of the score likewise.
    """

    name: str
    kilobytes: float
    latency_ms: float
    rmse_change_pct: float
    crps_change_pct: float


def compression_figure(
    bars: Sequence[CompressedBar],
    tolerance_pct: float,
    title: str,
    words: str,
    colours: Colours = LIGHT,
) -> "Figure":
    """Draw size, time and change of the errors of models, one below the other.

    Args:
        bars: The parent first, the version it is about last.
        tolerance_pct: Most growth of the errors that is allowed, in per cent.
    """
    with side_by_side(colours, 1, 1, 1, inches=2.1 + 0.55 * len(bars)) as (figure, panels):
        size, speed, errors = panels
        _bars(size, colours, [bar.kilobytes for bar in bars], "serving file", "{:,.1f} kB")
        _bars(speed, colours, [bar.latency_ms for bar in bars], "one forecast", "{:.3f} ms")
        size.set_yticks(np.arange(len(bars)), [bar.name for bar in bars])
        size.invert_yaxis()
        _errors(errors, colours, bars, tolerance_pct)
        for axes in panels:
            axes.tick_params(axis="y", length=0)
        legend_below(figure, errors, columns=3)
        heading(figure, title, words)
        return figure


def _bars(axes: "Axes", colours: Colours, values: Sequence[float], label: str, shown: str) -> None:
    """Draw slim bars with their values inside, or behind those that are too short."""
    fills = [colours.grey] * (len(values) - 1) + [colours.blue]
    axes.barh(np.arange(len(values)), values, height=0.42, color=fills)
    longest = max(values) or 1.0
    for place, value in enumerate(values):
        words = shown.format(value)
        if place and values[0] > 0:
            words += f", {100 * value / values[0]:.0f} %"
        inside = value > 0.55 * longest
        axes.text(
            value + (-0.02 if inside else 0.02) * longest,
            place,
            words,
            color=colours.paper if inside else colours.ink,
            ha="right" if inside else "left",
            va="center_baseline",
            fontsize=9,
        )
    axes.set_xlim(0, 1.02 * longest)
    axes.set_xticks([])
    axes.set_xlabel(label)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)


def _errors(
    axes: "Axes", colours: Colours, bars: Sequence[CompressedBar], tolerance_pct: float
) -> None:
    places = np.arange(len(bars))
    kinds = (
        ("RMSE", [bar.rmse_change_pct for bar in bars], colours.blue, "o", -0.12),
        ("CRPS", [bar.crps_change_pct for bar in bars], colours.orange, "s", 0.12),
    )
    for label, changes, colour, marker, shift in kinds:
        axes.plot(
            changes, places + shift, color=colour, marker=marker, linestyle="none", label=label
        )
    axes.axvline(0, color=colours.ink, linewidth=1)
    axes.axvline(
        tolerance_pct,
        color=colours.ink,
        linestyle=":",
        linewidth=1,
        label=f"most that is allowed ({tolerance_pct:g} %)",
    )
    reach = 1.2 * max(
        tolerance_pct, *(abs(value) for _, changes, *_ in kinds for value in changes), 0.01
    )
    axes.set_xlim(-reach, reach)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("change of the error in %\n(to the right is worse)")
