"""Rich tables that lose nothing, on any width."""

import io
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stocklstm.cli.streams import writes_utf8

# Wider than any table: a file or pipe has no edge at which to cut one.
_BOUNDLESS = 400

STYLES = {"better": "green", "no_better": "yellow", "worse": "bold red", "ok": "green"}


def printed(draw: Callable[[Console], None]) -> str:
    """Draw with Rich and give the text, with colours only if stdout takes them."""
    terminal = sys.stdout.isatty()
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        force_terminal=terminal and os.environ.get("TERM") != "dumb",
        width=_width(terminal=terminal),
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
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    return shutil.get_terminal_size().columns if terminal else _BOUNDLESS


def grid(
    console: Console,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    left: Sequence[str] = (),
) -> None:
    """Print a table; where it does not fit, each row becomes a block of lines.

    Args:
        columns: Headings; the first column names the row.
        left: Headings of further columns that hold words rather than figures.
    """
    table = Table(
        box=box.SIMPLE_HEAD if writes_utf8() else box.ASCII2,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for number, heading in enumerate(columns):
        words = number == 0 or heading in left
        table.add_column(heading, justify="left" if words else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    boundless = console.options.update(width=_BOUNDLESS)
    console.print(Text(title, "bold"))
    if console.measure(table, options=boundless).maximum <= console.width:
        console.print(table)
        return
    for row in rows:
        _block(console, columns, row)


def width_of(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Tell how wide a table of such cells is."""
    cells = zip(columns, *rows, strict=True)
    widest = [max(len(line) for cell in each for line in cell.split("\n")) for each in cells]
    return sum(widest) + 2 * (len(widest) - 1)


def _block(console: Console, columns: Sequence[str], row: Sequence[str | Text]) -> None:
    for heading, cell in zip(columns, row, strict=True):
        if not cell:
            continue
        console.print(Text.assemble(f"{heading}: " if heading else "", cell))
    console.print()


def facts(console: Console, title: str, pairs: Sequence[tuple[str, str | Text]]) -> None:
    """Print names and values, one pair a line."""
    console.print(Text(title, "bold"))
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


def paths(console: Console, words: str, places: Iterable[str]) -> None:
    """Print paths, one a line and never broken: whoever reads one wants to copy it."""
    for place in places:
        console.print(f"{words}: {place}", soft_wrap=True)


def sparkline(values: Sequence[float]) -> str:
    """Draw a course in one line, a character a value, lowest to highest."""
    marks = "▁▂▃▄▅▆▇█" if writes_utf8() else "_.-=*#"
    low, high = min(values, default=0.0), max(values, default=0.0)
    span = (high - low) or 1.0
    return "".join(marks[int((value - low) / span * (len(marks) - 1) + 0.5)] for value in values)


def verdict_text(words: str, verdict: str) -> Text:
    """Colour a verdict by what it says."""
    return Text(words, STYLES.get(verdict, ""))
