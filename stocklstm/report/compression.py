"""The picture of what a smaller model saves and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stocklstm.report.figure import LIGHT, Colours, heading_across, side_by_side

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
    places = np.arange(len(bars))
    with side_by_side(colours, 1, 1, 1) as (figure, (size, speed, errors)):
        _bars(size, colours, bars, [bar.kilobytes for bar in bars], "serving file in kB", "{:,.1f}")
        _bars(
            speed, colours, bars, [bar.latency_ms for bar in bars], "one forecast in ms", "{:.3f}"
        )
        size.set_yticks(places, [bar.name for bar in bars])
        size.invert_yaxis()
        _errors(errors, colours, bars, tolerance_pct)
        heading_across(figure, title, words)
        return figure


def _bars(
    axes: "Axes",
    colours: Colours,
    bars: Sequence[CompressedBar],
    values: Sequence[float],
    label: str,
    shown: str,
) -> None:
    fills = [colours.grey] * (len(bars) - 1) + [colours.blue]
    drawn = axes.barh(np.arange(len(bars)), values, height=0.6, color=fills)
    axes.bar_label(drawn, [shown.format(value) for value in values], padding=3, fontsize=9)
    axes.set_xlim(0, 1.3 * max(values))
    axes.set_xlabel(label)
    axes.grid(visible=False, axis="y")


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
        tolerance_pct, color=colours.ink, linestyle=":", linewidth=1, label="most that is allowed"
    )
    reach = 1.2 * max(
        tolerance_pct, *(abs(value) for _, changes, *_ in kinds for value in changes), 0.01
    )
    axes.set_xlim(-reach, reach)
    axes.set_xlabel("change of the error in %\n(to the right is worse)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, frameon=False, fontsize=8)
