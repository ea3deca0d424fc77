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
    with _figure() as figure:
        yield figure, _with_grid(figure.add_subplot())


@contextmanager
def stacked(*heights: float) -> Iterator[tuple["Figure", list["Axes"]]]:
    """Open such a figure with panels one below the other, over the same horizontal axis.

    Args:
        heights: Of the panels, as shares of each other.
    """
    with _figure() as figure:
        rows = figure.subplots(len(heights), sharex=True, height_ratios=heights, squeeze=False)
        yield figure, [_with_grid(axes) for axes in rows[:, 0]]


@contextmanager
def side_by_side(count: int) -> Iterator[tuple["Figure", list["Axes"]]]:
    """Open such a figure with panels beside each other, over the same vertical axis.

    Args:
        count: Panels.
    """
    with _figure() as figure:
        columns = figure.subplots(1, count, sharey=True, squeeze=False)
        yield figure, [_with_grid(axes) for axes in columns[0]]


@contextmanager
def _figure() -> Iterator["Figure"]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        # The same picture for everybody, whatever their own matplotlibrc says.
        mpl.rcdefaults()
        # A figure of its own, not pyplot's: no global state, no window, nothing to close.
        yield Figure(figsize=(10, 5.6), dpi=100, layout="constrained")


def _with_grid(axes: "Axes") -> "Axes":
    axes.set_axisbelow(True)
    axes.grid(alpha=0.3)
    return axes


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


def heading_across(figure: "Figure", title: str, words: str) -> None:
    """Put the same above panels that stand side by side."""
    lines = textwrap.wrap(words, 135)
    top = 1 - 0.075 - 0.035 * len(lines)
    # A new engine, as the rectangle that is left for the panels is known only now.
    figure.set_layout_engine("constrained", rect=(0, 0, 1, top))
    figure.text(0.01, 0.975, title, fontsize=12, fontweight="bold", va="top")
    figure.text(0.01, 0.925, "\n".join(lines), fontsize=9, va="top")
