"""Comma-separated values: rows as text in a style, and rows added to a file that grows."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from stocklstm.core.clock import is_day
from stocklstm.errors import ConfigError

Cell = str | float | int | bool | None


class CsvStyle(NamedTuple):
    """How rows are written.

    Attributes:
        name: As typed.
        delimiter: Stands between two cells.
        decimal: Stands before the decimals of a number.
        mark: Begins the file.
        end: Ends each line.
    """

    name: str
    delimiter: str
    decimal: str
    mark: str
    end: str


PLAIN = CsvStyle("plain", ",", ".", "", "\n")
"""What programs read: a decimal point, whatever the locale."""

# By its mark Excel knows UTF-8; Brazilian settings ask for the rest.
STYLES = {style.name: style for style in (PLAIN, CsvStyle("excel-br", ";", ",", "\ufeff", "\r\n"))}


class Table(NamedTuple):
    """Rows to be written.

    Attributes:
        columns: Their names.
        key: Names of the columns that tell one row from the others.
        days: Those of them that hold ISO days.
        rows: A cell a column.
        kinds: What columns hold whose cells may all be missing.
    """

    columns: tuple[str, ...]
    key: tuple[str, ...]
    days: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    kinds: Mapping[str, type] = MappingProxyType({})


def csv_style(name: str) -> CsvStyle:
    """Find a style by its name.

    Raises:
        ConfigError: There is none.
    """
    try:
        return STYLES[name.strip().lower()]
    except KeyError as error:
        raise ConfigError(
            f"there is no style {name[:30]!a} of --csv-style",
            hint=f"take {' or '.join(STYLES)}",
        ) from error


def csv_text(table: Table, style: CsvStyle) -> str:
    """Write a table with its header, numbers in whole precision."""
    return style.mark + _lines([table.columns, *_written(table, style)], style)


def with_rows(found: bytes, table: Table, style: CsvStyle, name: str) -> bytes:
    """Add the rows that a file does not have yet at its end; what it has stays as it is.

    Args:
        found: Content of the file; empty for a new one.
        table: Rows to add.
        style: Of the file.
        name: What to call the file in an error.

    Raises:
        ConfigError: The file is of another kind or style, or was changed so that its rows
            can no longer be told apart.
    """
    if not found.strip():
        found = csv_text(table._replace(rows=()), style).encode()
    places = [table.columns.index(column) for column in table.key]
    new: dict[tuple[str, ...], list[str]] = {}
    for row in _written(table, style):
        new.setdefault(tuple(row[place] for place in places), row)
    for key in _keys(found, table, style, name):
        new.pop(key, None)
    added = list(new.values())
    # Lines end as they do in the file, which a spreadsheet may have written.
    end = "\r\n" if b"\r\n" in found[: found.find(b"\n") + 1] else "\n"
    gap = "" if found.endswith(b"\n") else end
    return found + f"{gap}{_lines(added, style._replace(end=end))}".encode() if added else found


def _keys(found: bytes, table: Table, style: CsvStyle, name: str) -> Iterator[tuple[str, ...]]:
    """Read which rows a file has; it may have grown for years."""
    # Spreadsheets put a mark before the header.
    text = io.TextIOWrapper(io.BytesIO(found), encoding="utf-8-sig", newline="")
    known_days: set[str] = set()
    try:
        lines = csv.reader(text, delimiter=style.delimiter)
        header = next(lines, [])
        if tuple(header) != table.columns:
            raise _other_file(found, table, name)
        places = [header.index(column) for column in table.key]
        days = [header.index(column) for column in table.days]
        for row in lines:
            if not any(row):
                continue
            if len(row) != len(header) or not all(_is_day(row[at], known_days) for at in days):
                raise ConfigError(
                    f"line {lines.line_num} of {name} is no row of forecasts any more: "
                    f"{style.delimiter.join(row)[:60]!a}",
                    hint="mend that line, or name a new file with --csv: nothing was written",
                )
            yield tuple(row[place] for place in places)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"{name} is no text file of forecasts, so nothing was added to it",
            hint="name another file with --csv",
        ) from error


def _is_day(text: str, known: set[str]) -> bool:
    if text not in known:
        if not is_day(text):
            return False
        known.add(text)
    return True


def _other_file(found: bytes, table: Table, name: str) -> ConfigError:
    """Say what a file is in the place of the one to add to."""
    first = found.partition(b"\n")[0].decode("utf-8-sig").strip()
    for style in STYLES.values():
        header = tuple(next(csv.reader([first], delimiter=style.delimiter), ()))
        if header == table.columns:
            return ConfigError(
                f"{name} is of the style {style.name}, so nothing was added to it",
                hint=f"add --csv-style {style.name}, or name another file with --csv",
            )
        if _without_bounds(header) == _without_bounds(table.columns):
            levels = ",".join(f"{float(at[6:]) / 100:g}" for at in header if at[:6] == "lower_")
            return ConfigError(
                f"{name} has other intervals, so nothing was added to it",
                hint=f"--levels {levels} as in the file, or name another file with --csv",
            )
    return ConfigError(
        f"{name} holds something else, so nothing was added to it: it begins with {first[:60]!a}",
        hint="name another file with --csv",
    )


def _without_bounds(columns: Sequence[str]) -> list[str]:
    return [name for name in columns if not re.fullmatch(r"(lower|upper)_\d+(\.\d+)?", name)]


def _written(table: Table, style: CsvStyle) -> Iterable[list[str]]:
    return ([_cell(cell, style) for cell in row] for row in table.rows)


def _cell(cell: Cell, style: CsvStyle) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, str):
        # Excel takes what begins with a sign for a formula: +b3@v1 is b3@v1 there.
        return cell if style is PLAIN else cell.removeprefix("+")
    return repr(cell).replace(".", style.decimal)


def _lines(rows: Iterable[Sequence[str]], style: CsvStyle) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=style.delimiter, lineterminator=style.end).writerows(rows)
    return text.getvalue()
