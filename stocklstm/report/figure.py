"""What all pictures share: size, colours, axes, headings, and how one becomes a file.

The other files draw: each gives a figure, on light or on dark paper. `rendered` makes a PNG or an
SVG of one.
"""

import io
import logging
import os
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from stocklstm.core.language import currency_symbol
from stocklstm.core.operating_system import system
from stocklstm.core.packages import PICTURES, require_packages
from stocklstm.core.prices.series import Dates, Floats
from stocklstm.core.settings.config import PICTURE_FORMS, PICTURE_VARIABLE
from stocklstm.core.wording import price_digits
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PictureKind = Literal["png", "svg"]


@dataclass(frozen=True)
class Colours:
    """What a picture is drawn in: Okabe & Ito's palette, distinct for colour-blind readers.

    Attributes:
        paper: Behind everything.
        ink: Words, and what came.
        grey: What is less important.
        blue: What was forecast.
        orange: What must be seen.
    """

    paper: str
    ink: str
    grey: str
    blue: str
    orange: str


LIGHT = Colours(paper="#FFFFFF", ink="#000000", grey="#666666", blue="#0072B2", orange="#D55E00")
DARK = Colours(paper="#1B1F25", ink="#E7E9EC", grey="#A3ABB5", blue="#56B4E9", orange="#E69F00")

HEIGHT_INCHES = 5.6

_SMALL = 1e-6

Days = NDArray[np.object_]


@dataclass(frozen=True)
class PictureForm:
    """What a picture is written as.

    Attributes:
        kind: Of the file.
        dark: On dark paper.
    """

    kind: PictureKind = "png"
    dark: bool = False

    @classmethod
    def chosen(cls) -> "PictureForm":
        """Read `STOCKLSTM_PICTURE_FORMAT`, which `--picture-format` sets for a command.

        Raises:
            ConfigError: It is none of `PICTURE_FORMS`.
        """
        word = os.environ.get(PICTURE_VARIABLE) or PICTURE_FORMS[0]
        form = word.strip().casefold()
        if form not in PICTURE_FORMS:
            raise ConfigError(
                f"{PICTURE_VARIABLE} is {word[:50]!a}, and not one of {', '.join(PICTURE_FORMS)}",
                hint=system().set_variable(PICTURE_VARIABLE, PICTURE_FORMS[1]),
            )
        return cls("svg" if form.startswith("svg") else "png", form.endswith("-dark"))

    @property
    def colours(self) -> Colours:
        """What it is drawn in."""
        return DARK if self.dark else LIGHT

    def named(self, stem: str) -> str:
        """Name a file of this form: a dark picture lies beside the light one."""
        return f"{stem}{'-dark' if self.dark else ''}.{self.kind}"


@contextmanager
def canvas(colours: Colours = LIGHT) -> Iterator[tuple["Figure", "Axes"]]:
    """Open a figure 1000 pixels wide that needs no screen."""
    with _figure(colours) as figure:
        yield figure, _with_grid(figure.add_subplot(), colours)


@contextmanager
def stacked(
    colours: Colours, *heights: float, inches: float = HEIGHT_INCHES
) -> Iterator[tuple["Figure", list["Axes"]]]:
    """Open such a figure with panels one below the other, over the same horizontal axis.

    Args:
        heights: Of the panels, as shares of each other.
        inches: Height of the figure; an inch has 100 pixels.
    """
    with _figure(colours, inches) as figure:
        rows = figure.subplots(len(heights), sharex=True, height_ratios=heights, squeeze=False)
        yield figure, [_with_grid(axes, colours) for axes in rows[:, 0]]


@contextmanager
def side_by_side(
    colours: Colours, *widths: float, same_unit: bool = True, inches: float = HEIGHT_INCHES
) -> Iterator[tuple["Figure", list["Axes"]]]:
    """Open such a figure with panels beside each other.

    Args:
        widths: Of the panels, as shares of each other.
        same_unit: Over the same vertical axis.
        inches: Height of the figure; an inch has 100 pixels.
    """
    with _figure(colours, inches) as figure:
        columns = figure.subplots(
            1, len(widths), sharey=same_unit, width_ratios=widths, squeeze=False
        )
        yield figure, [_with_grid(axes, colours) for axes in columns[0]]


@contextmanager
def _figure(colours: Colours, inches: float = HEIGHT_INCHES) -> Iterator["Figure"]:
    with _style(colours):
        from matplotlib.figure import Figure

        # A figure of its own, not pyplot's: no global state, no window, nothing to close.
        yield Figure(figsize=(10, inches), dpi=100, layout="constrained")


@contextmanager
def _style(colours: Colours) -> Iterator[None]:
    """Draw the same picture for everybody, whatever their own matplotlibrc says."""
    # Where no home directory can be written it makes a temporary one, and would say so every time.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    require_packages("a picture", PICTURES)
    _keep_fonts()
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rc("figure", facecolor=colours.paper)
        mpl.rc("axes", facecolor=colours.paper, edgecolor=colours.grey, labelcolor=colours.ink)
        mpl.rc("text", color=colours.ink)
        # Else the names inside an SVG are others each time.
        mpl.rc("svg", hashsalt="stocklstm")
        yield


def _keep_fonts() -> None:
    """Let the list of fonts lie in `STOCKLSTM_CACHE`, if that is set, and be made once.

    Where no place can be written every process makes it anew: seconds, if there are many fonts.
    """
    cache = os.environ.get("STOCKLSTM_CACHE")
    if not cache or "MPLCONFIGDIR" in os.environ or "matplotlib" in sys.modules:
        return
    os.environ["MPLCONFIGDIR"] = str(Path(cache) / "matplotlib")
    try:
        import matplotlib.font_manager  # noqa: F401 - the list is read or made as it is imported
    finally:
        del os.environ["MPLCONFIGDIR"]


def _with_grid(axes: "Axes", colours: Colours) -> "Axes":
    axes.set_axisbelow(True)
    axes.grid(color=colours.grey, alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    # Ticks are made later, where other colours may hold.
    axes.tick_params(colors=colours.ink)
    return axes


def calendar_days(dates: Dates) -> Days:
    """Convert sessions to the dates that a date axis takes."""
    days: Days = dates.astype("datetime64[D]").astype(object)
    return days


def date_axis(axes: "Axes", days: Days, *, narrow: bool = False) -> None:
    """Set the limits of the horizontal axis to these days, with few enough ticks to be read.

    Args:
        narrow: The panel shares the figure's width with another.
    """
    if narrow or len(days) <= 60:
        # The library would mark each of twenty days, one label touching the next.
        last, count = len(days) - 1, 3 if narrow else 6
        edge = last // 7 if narrow else 0
        marked = days[np.unique(np.linspace(edge, last - edge, count).astype(int))]
        axes.set_xticks(marked, [day.isoformat() for day in marked])
    # Not what was drawn on it: that may be nothing.
    room = timedelta(days=max(1, (days[-1] - days[0]).days // 100))
    axes.set_xlim(days[0] - room, days[-1] + room)


def price_axis(axes: "Axes", label: str, currency: str) -> None:
    """Label the vertical axis, and write each price in full: neither 1.2e-3 nor an offset.

    What is drawn on it must be there already.
    """
    from matplotlib.ticker import FuncFormatter, ScalarFormatter

    low, high = axes.get_ylim()
    if abs(high) < _SMALL:
        # The library ends at ten decimals.
        digits = price_digits(high - low)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda price, _: f"{price:.{digits}f}"))
    else:
        formatter = ScalarFormatter(useOffset=False)
        formatter.set_scientific(False)
        axes.yaxis.set_major_formatter(formatter)
    axes.set_ylabel(f"{label} in {currency_symbol(currency)}")


def band(
    axes: "Axes",
    colours: Colours,
    places: NDArray[Any],
    lower: Floats,
    upper: Floats,
    *,
    depth: float,
    label: str,
) -> None:
    """Fill the area between two curves; at a single place, which has no width, a thick line.

    Bands that lie inside others are drawn after them, and look as they do in the legend.

    Args:
        places: n >= 1 sessions, or numbers.
        lower: (n,) lower bounds.
        upper: (n,) upper bounds.
        depth: Of the blue, from 0 (paper) to 1.
    """
    from matplotlib.colors import to_rgb

    mixed = zip(to_rgb(colours.paper), to_rgb(colours.blue), strict=True)
    colour = tuple(paper + depth * (blue - paper) for paper, blue in mixed)
    # The grid shows on the band, which is opaque, and not on the curves.
    axes.set_axisbelow("line")
    if len(places) == 1:
        axes.vlines(places, lower, upper, linewidth=14, color=colour, label=label)
    else:
        axes.fill_between(places, lower, upper, linewidth=0, color=colour, label=label)


def rendered(figure: "Figure", kind: PictureKind = "png") -> bytes:
    """Make a file of a figure; the same figure gives the same bytes.

    Returns:
        A PNG, 1000 pixels wide, or an SVG that needs no fonts.
    """
    buffer = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with _style(LIGHT):
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def self_showing(figure: "Figure") -> "Figure":
    """Let a notebook show a figure that pyplot does not know."""
    figure._repr_png_ = partial(rendered, figure)  # type: ignore[attr-defined]
    return figure


def heading(figure: "Figure", title: str, words: str) -> None:
    """Put a bold title and, below it, what the picture shows above all panels."""
    height = figure.get_figheight()
    place = 1 - 0.14 / height
    for text, wide, size, line, weight in (
        (title, 88, 12, 0.22, "bold"),
        (words, 135, 9, 0.175, "normal"),
    ):
        lines = textwrap.wrap(text, wide, break_on_hyphens=False)
        figure.text(0.01, place, "\n".join(lines), fontsize=size, fontweight=weight, va="top")
        place -= (0.08 + line * len(lines)) / height
    # A new engine, as the rectangle that is left for the panels is known only now.
    figure.set_layout_engine("constrained", rect=(0, 0, 1, place))


def legend_below(figure: "Figure", *panels: "Axes", columns: int) -> None:
    """Say below the panels what is drawn in them, where it covers nothing."""
    drawn = [
        pair for axes in panels for pair in zip(*axes.get_legend_handles_labels(), strict=True)
    ]
    figure.legend(
        [handle for handle, _ in drawn],
        [label for _, label in drawn],
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=9,
    )
