"""Rich tables that lose nothing, on any width."""

import io
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style
from rich.table import Table
from rich.text import Text

from stocklstm.cli.streams import writes_utf8
from stocklstm.core.language import retold, say

# Wider than any table: a file or pipe has no edge at which to cut one.
_BOUNDLESS = 400

_HEIGHT = 25

STYLES = {"better": "green", "no_better": "yellow", "worse": "bold red", "ok": "green"}


def printed(draw: Callable[[Console], None]) -> str:
    """Draw with Rich and give the text, with colours only if stdout takes them."""
    terminal = sys.stdout.isatty()
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        force_terminal=terminal and os.environ.get("TERM") != "dumb",
        width=_width(terminal=terminal),
        # Nothing is cut at it; without one Rich reads COLUMNS and LINES itself, and trusts them.
        height=_HEIGHT,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
    )
    draw(console)
    lines = (line.rstrip() for line in buffer.getvalue().splitlines())
    return "".join(f"{line}\n" for line in lines)


def _width(*, terminal: bool) -> int:
    columns = os.environ.get("COLUMNS", "")
    # Python refuses to read thousands of digits, and no line needs more than a few.
    if columns.isdecimal() and len(columns) < 6 and int(columns) > 0:
        return int(columns)
    return shutil.get_terminal_size().columns if terminal else _BOUNDLESS


def grid(
    console: Console,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    left: Sequence[str] = (),
    verbatim: Sequence[str] = (),
) -> None:
    """Print a table; where it does not fit, each row becomes a block of lines.

    It looks like one of Rich, which takes a millisecond for each row.

    Args:
        title: In the language that is spoken, as the headings are.
        columns: Headings; the first column names the row.
        rows: In English: figures, days and known words are shown in the language.
        left: Headings of further columns that hold words rather than figures.
        verbatim: Headings of columns that hold what is typed, such as settings; tickers and
            aliases are known to be.
    """
    names = {*verbatim, say("Ticker"), say("Aliases")}
    exact = [heading in names for heading in columns]
    rows = [
        [cell if as_is else told(cell) for cell, as_is in zip(row, exact, strict=True)]
        for row in rows
    ]
    cells = [[_lines(cell) for cell in row] for row in rows]
    heads = [_lines(Text(heading, "bold")) for heading in columns]
    columns_of = zip(heads, *cells, strict=True)
    widths = [max(_width_of(line) for cell in each for line in cell) for each in columns_of]
    console.print(Text(title, "bold"))
    if sum(widths) + 2 * (len(widths) - 1) > console.width:
        for row in rows:
            _block(console, columns, row)
        return
    rule, crossing, gap = ("─", "──", "  ") if writes_utf8() else ("-", "-+", " |")
    places = [
        (width, n == 0 or heading in left)
        for n, (heading, width) in enumerate(zip(columns, widths, strict=True))
    ]
    tallest = max(map(len, heads))
    # Headings stand on the line below them, and cells hang from the first line of their row.
    low: list[Sequence[str | Text]] = [[*[""] * (tallest - len(head)), *head] for head in heads]
    under = Segment(f"{crossing.join(rule * width for width in widths)}\n")
    drawn = [*_row(console, low, places, gap), under]
    for each in cells:
        drawn += _row(console, each, places, gap)
    console.print(Segments(drawn), end="", crop=False)


def told(cell: str | Text) -> str | Text:
    """Tell a cell in the language that is spoken, line by line."""
    if isinstance(cell, str):
        return "\n".join(map(retold, cell.split("\n"))) if "\n" in cell else retold(cell)
    # What has more than one style is shown as it is.
    return cell if cell.spans else Text(retold(cell.plain), cell.style)


def _lines(cell: str | Text) -> Sequence[str | Text]:
    """Break a cell into its lines; text with a style, or with more than letters, is Rich's."""
    if isinstance(cell, str):
        if cell.isprintable():
            return (cell,)
        cell = Text(cell)
    elif cell.plain.isprintable():
        return (cell,)
    lines = list(cell.split("\n", allow_blank=True))
    for line in lines:
        line.expand_tabs(8)
    return lines


def _width_of(line: str | Text) -> int:
    words = line if isinstance(line, str) else line.plain
    return len(words) if words.isascii() and words.isprintable() else cell_len(words)


def _row(
    console: Console,
    cells: Sequence[Sequence[str | Text]],
    places: Sequence[tuple[int, bool]],
    gap: str,
) -> Iterator[Segment]:
    """Lay out a row, in as few parts as its styles allow.

    Args:
        places: Of each column its width, and whether its cells begin at the left.
    """
    for line in zip_longest(*cells, fillvalue=""):
        plain = ""
        for number, (part, (width, left)) in enumerate(zip(line, places, strict=True)):
            room = " " * (width - _width_of(part))
            plain += (gap if number else "") + ("" if left else room)
            if isinstance(part, str):
                plain += part
            elif part.spans:
                yield Segment(plain)
                # Only of a part of a text does Rich give the style here.
                yield from Text.assemble(part, end="").render(console)
                plain = ""
            else:
                yield Segment(plain)
                yield Segment(part.plain, console.get_style(part.style) if part.style else None)
                plain = ""
            plain += room if left else ""
        yield Segment(f"{plain}\n")


def width_of(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Tell how wide a table of such cells is, in the language that is spoken."""
    cells = zip(columns, *([f"{told(cell)}" for cell in row] for row in rows), strict=True)
    widest = [max(len(line) for cell in each for line in cell.split("\n")) for each in cells]
    return sum(widest) + 2 * (len(widest) - 1)


def _block(console: Console, columns: Sequence[str], row: Sequence[str | Text]) -> None:
    for heading, cell in zip(columns, row, strict=True):
        if not cell:
            continue
        console.print(Text.assemble(f"{heading}: " if heading else "", cell))
    console.print()


def facts(
    console: Console,
    title: str,
    pairs: Sequence[tuple[str, str | Text]],
    *,
    verbatim: Sequence[str] = (),
) -> None:
    """Print names and values, one pair a line.

    Args:
        title: In the language that is spoken, as the names are.
        pairs: Values in English, as those of `grid` are.
        verbatim: Names of values that are shown as they are; aliases and paths always are.
    """
    console.print(Text(title, "bold"))
    names = {*verbatim, say("aliases"), say("path")}
    pairs = [(name, value if name in names else told(value)) for name, value in pairs]
    if console.width < 60:
        for name, value in pairs:
            console.print(Text.assemble((f"{name}: ", "dim"), value))
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(f"  {name}", value)
    console.print(table)


class Line(NamedTuple):
    """A line of text.

    Attributes:
        words: What it says.
        style: Of Rich, "" for none.
        whole: True if it is never broken.
        link: Address that a click opens, in terminals that can; "" for none.
    """

    words: str
    style: str = ""
    whole: bool = False
    link: str = ""

    @property
    def look(self) -> Style | None:
        """How Rich prints it; None for as it is."""
        style = Style.parse(self.style) if self.style else None
        return Style.combine([style or Style(), Style(link=self.link)]) if self.link else style


def lines(console: Console, each: Iterable[Line]) -> None:
    """Print lines as Rich does, which takes a sixth of a millisecond for each; it breaks long ones.

    Thousands of tickers have some each.
    """
    drawn: list[Segment] = []
    for line in each:
        if line.words.isprintable() and (line.whole or cell_len(line.words) <= console.width):
            drawn += [Segment(line.words, line.look), Segment("\n")]
            continue
        console.print(Segments(drawn), end="", crop=False)
        drawn = []
        console.print(Text(line.words, line.look or ""), soft_wrap=line.whole)
    console.print(Segments(drawn), end="", crop=False)


def paths(console: Console, words: str, places: Iterable[str]) -> None:
    """Print paths, one a line and never broken: whoever reads one wants to copy it, or to click."""
    lines(console, (path_line(words, place) for place in places))


def path_line(words: str, place: str) -> Line:
    """Name a path in a line, which leads to it in terminals that can (OSC 8)."""
    return Line(f"{words}: {place}", whole=True, link=Path(place).absolute().as_uri())


def sparkline(values: Sequence[float]) -> str:
    """Draw a course in one line, a character a value, lowest to highest."""
    marks = "▁▂▃▄▅▆▇█" if writes_utf8() else "_.-=*#"
    low, high = min(values, default=0.0), max(values, default=0.0)
    span, top = (high - low) or 1.0, len(marks) - 1
    return "".join([marks[int((value - low) / span * top + 0.5)] for value in values])


def verdict_text(words: str, verdict: str) -> Text:
    """Colour a verdict, told in the language that is spoken, by what it says."""
    return Text(*verdict_line(words, verdict)[:2])


def verdict_line(words: str, verdict: str) -> Line:
    """Say a verdict in a line, in the colour of what it says."""
    return Line(retold(words), STYLES.get(verdict, ""))
