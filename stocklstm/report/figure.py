"""What all pictures share: size, colours and the way to bytes."""

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's palette: distinct for colour-blind readers and in grey print.
BLACK, BLUE, ORANGE, GREY = "#000000", "#0072B2", "#D55E00", "#666666"


@contextmanager
def canvas() -> Iterator[tuple["Figure", "Axes"]]:
    """Open a figure 1000 pixels wide that no screen is needed for."""
    with panels(1) as (figure, axes):
        yield figure, axes[0]


@contextmanager
def panels(*heights: float) -> Iterator[tuple["Figure", list["Axes"]]]:
    """Open such a figure with panels one below the other, over the same horizontal axis.

    Args:
        heights: Of the panels, as shares of each other.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        # The same picture for everybody, whatever their own matplotlibrc says.
        mpl.rcdefaults()
        # A figure of its own, not pyplot's: no global state, no window, nothing to close.
        figure = Figure(figsize=(10, 5.6), dpi=100, layout="constrained")
        grid = figure.subplots(len(heights), sharex=True, height_ratios=heights, squeeze=False)
        axes = list(grid[:, 0])
        for each in axes:
            each.set_axisbelow(True)
            each.grid(alpha=0.3)
        yield figure, axes


def png(figure: "Figure") -> bytes:
    """Draw a figure; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def heading(axes: "Axes", title: str, words: str) -> None:
    """Put a bold title and, below it, a sentence that says what the picture shows."""
    lines = textwrap.wrap(words, 125)
    axes.set_title(title, loc="left", fontweight="bold", pad=12 + 13 * len(lines))
    axes.text(
        0, 1.015, "\n".join(lines), transform=axes.transAxes, fontsize=9, va="bottom", wrap=False
    )
