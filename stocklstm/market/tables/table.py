"""A text file as a table of prices, of one instrument or of many."""

import csv
import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from stocklstm.core.wording import first_few, quoted
from stocklstm.errors import ConfigError, RejectedDataError
from stocklstm.market.tables.columns import (
    NUMBERS,
    Columns,
    Layout,
    closes_of,
    find_layout,
    find_pairs,
    has_columns,
    is_name,
)
from stocklstm.market.tables.dates import is_date
from stocklstm.market.tables.shown import STANDARD_INPUT, shown
from stocklstm.market.tables.text import decode, line_number, lines
from stocklstm.market.tables.tickers import (
    codes_of_b3,
    is_code_of_b3,
    is_named,
    looks_like_ticker,
    yahoo_name,
)

_SEPARATORS = ";\t,|"

# Excel writes the separator it used into a line of its own.
_SEPARATOR_LINE = re.compile(r"(?i)\s*sep=.\s*")

# So many lines may stand above the header.
_MOST_LINES_ABOVE = 40

# A century of eighty tickers; each row takes hundreds of bytes by the time it is judged.
_MOST_ROWS = 2_000_000

# How a row begins that stands where the header should.
_DATED = re.compile(r"\s*\"?\d{4}[-./]?\d\d[-./]?\d\d|\s*\"?\d{1,2}[-./]\d{1,2}[-./]\d{2,4}")

# So many names are listed in an error.
_FEW = 8

# What pandas and pandas-datareader write into the first cells of two header lines.
_CORNERS = {"price", "ticker", "attributes", "symbols", "date", ""}


class Row(NamedTuple):
    """One row.

    Attributes:
        place: Where its line begins in the text.
        cells: As written.
    """

    place: int
    cells: Sequence[str]


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a file below its header, taken from its text whenever they are asked for.

    Attributes:
        name: The file's name, for messages.
        text: All of it.
        separator: What stands between the cells of a line.
        layout: What its columns hold.
        start: Where the rows begin.
        above: What lines above the header say, such as {"security": "PETR4 BZ Equity"}.
        places: By instrument, as written, where its lines begin; one key "" if the rows name none.
    """

    name: str
    text: str
    separator: str
    layout: Layout
    start: int
    above: Mapping[str, str]
    places: "dict[str, array[int]]" = field(default_factory=dict)

    @property
    def torn(self) -> int | None:
        """Where the last line begins if it has no end, as where a download broke off."""
        last = max(self.text.rfind("\n"), self.text.rfind("\r")) + 1
        return last if last < len(self.text) else None

    @property
    def quoted(self) -> bool:
        """Tell whether cells are in quotation marks, and may hold the separator."""
        return '"' in self.text

    def instruments(self) -> list[str]:
        """List the names of all instruments, as written; none if the file names none."""
        if self.layout.own:
            return list(self.layout.own)
        if not self.layout.complete:
            return list(self._closes())
        named = [name for name in self.places if name]
        if named:
            return named
        return [self.above["ticker"]] if "ticker" in self.above else []

    def find(self, ticker: str) -> str:
        """Find what the file calls a ticker; "" if it names no instrument.

        Raises:
            RejectedDataError: It holds other instruments only.
        """
        names = self.instruments()
        if not names:
            return ""
        same = [name for name in names if yahoo_name(name) == ticker]
        if found := same or [name for name in names if is_named(name, ticker)]:
            if len(found) > 1:
                raise RejectedDataError(
                    f"{self.name} has {ticker} under {len(found)} names: "
                    + ", ".join(map(shown, found[:_FEW])),
                    hint="give all its rows one name, or put those of one into another file",
                )
            return found[0]
        if len(names) == 1 and not _may_be_ticker(names[0], ticker):
            return names[0]
        file = "-" if self.name == STANDARD_INPUT else quoted(self.name)
        hint = f"stocklstm fetch --file {file} --ticker {yahoo_name(shown(names[0]))}"
        if len(names) > 1:
            hint += "; --all-tickers takes all, each under its own name"
        elif self._closes():
            hint += f"; if that column is the closes of {ticker}: --columns close={names[0]}"
        raise RejectedDataError(
            f"{self.name} has no prices of {ticker}, but of {_listed(names)}", hint=hint
        )

    def columns(self, instrument: str) -> Columns:
        """Return the place of each column of an instrument's prices."""
        own = self.layout.own or self._closes()
        return {**self.layout.shared, **own.get(instrument, {})}

    def _closes(self) -> Mapping[str, Columns]:
        """Take the columns of a table of closes alone, each named by its ticker."""
        return {} if self.layout.complete else closes_of(self.layout)

    def rows(self, instrument: str | None = None) -> Iterator[Row]:
        """Yield the rows of one instrument, or of all, in the order of the file."""
        if instrument is None or instrument not in self.places:
            for place, line in lines(self.text, self.name, self.start):
                cells = _split(line, self.separator)
                if not _is_empty(cells):
                    yield Row(place, cells)
            return
        for place in self.places[instrument]:
            _, line = next(lines(self.text, self.name, place))
            yield Row(place, _split(line, self.separator))


def cell(row: Row, place: int | None) -> str:
    """Return one cell without surrounding blanks; "" where the row or the table has none."""
    if place is None or place >= len(row.cells):
        return ""
    return row.cells[place].strip()


def read_table(content: bytes, name: str, named: Mapping[str, str]) -> Table:
    """Read a table of prices with any usual separator and encoding.

    Args:
        content: The whole file.
        name: Of the file, for messages.
        named: Columns that the user named, by what they hold.

    Raises:
        ConfigError: A column that was named is not there.
        RejectedDataError: It is empty or no text, or has no header with a date and a close, or
            nothing below it.
    """
    text = decode(content, name)
    head = [
        (place, line)
        for (place, line), _ in zip(lines(text, name), range(_MOST_LINES_ABOVE), strict=False)
        if line.strip() and not _SEPARATOR_LINE.fullmatch(line)
    ]
    if not head:
        raise RejectedDataError(f"{name} is empty", hint="give a file with a header and prices")
    separator, layout, above, below = _find_header(head, name, named)
    if column := layout.doubled():
        raise RejectedDataError(
            f"{name} has more than one {column.replace('_', ' ')} column",
            hint=f"say which one counts, with --columns {column}=NAME, or delete the others",
        )
    start = head[below][0] if below < len(head) else len(text)
    layout = _with_tickers(layout, [_split(line, separator) for place, line in head[below:]])
    facts = _facts([line for _, line in head[:above]], separator)
    table = Table(name, text, separator, layout, start, facts)
    _index(table)
    if not any(table.places.values()):
        raise RejectedDataError(
            f"{name} has a header but no prices", hint="give a file with rows below its header"
        )
    return table


def _find_header(
    head: Sequence[tuple[int, str]], name: str, named: Mapping[str, str]
) -> tuple[str, Layout, int, int]:
    """Find the separator, the header, and how many lines stand above it and with it."""
    for number, (_, line) in enumerate(head):
        for separator in _by_count(line):
            header = _split(line, separator)
            following = [_split(text, separator) for _, text in head[number + 1 : number + 3]]
            if len(following) == 2 and _names_instruments(header, following[0]):
                pairs = find_pairs(header, following[0])
                if pairs:
                    return separator, pairs, number, number + (3 if _is_index(following[1]) else 2)
            if has_columns(header, named.values()):
                layout = find_layout(header, named)
                if layout.complete or _has_closes(layout):
                    return separator, layout, number, number + 1
    raise _no_header(head, name, named)


def _by_count(line: str) -> list[str]:
    """Put the separators in order, first the one that divides a line into most cells."""
    return sorted(_SEPARATORS, key=lambda mark: -len(_split(line, mark)))


def _names_instruments(first: Sequence[str], second: Sequence[str]) -> bool:
    """Tell whether two lines may be the header of a DataFrame of prices by ticker."""
    begins = {first[0].strip().casefold(), second[0].strip().casefold()}
    return len(first) == len(second) > 1 and begins <= _CORNERS


def _is_index(cells: Sequence[str]) -> bool:
    return cells[0].strip() in {"Date", "Datetime"} and not any(map(str.strip, cells[1:]))


def _has_closes(layout: Layout) -> bool:
    """Tell whether a table may be of closes alone, a column for each ticker."""
    known = set(layout.shared.values())
    others = [text for place, text in enumerate(layout.header) if place not in known and text]
    numbers = any(column in layout.shared for column in NUMBERS)
    return "date" in layout.shared and not numbers and 0 < len(others) == len(closes_of(layout))


def _may_be_ticker(written: str, ticker: str) -> bool:
    """Tell whether a file's name for its one instrument speaks of a ticker.

    The name of a company does not, nor does a vendor's own number for it.
    """
    if written.isdigit() and not ticker.partition(".")[0].isdigit():
        return False
    return looks_like_ticker(written) or " Equity" in written


def _no_header(
    head: Sequence[tuple[int, str]], name: str, named: Mapping[str, str]
) -> ConfigError | RejectedDataError:
    """Say what is missing, by the line that looks most like a header."""
    tables = [
        [text.strip() for text in _split(line, mark)]
        for _, line in head
        for mark in _by_count(line)[:1]
    ]
    following = [*tables[1:], []]
    header, row = next(
        (
            (cells, after)
            for cells, after in zip(tables, following, strict=True)
            if len(cells) > 1 and len(after) == len(cells)
        ),
        (tables[0], following[0]),
    )
    listed = shown(", ".join(header)) if len(header) == 1 else _listed(header)
    if named:
        lacking = [text for text in named.values() if not has_columns(header, [text])]
        if lacking:
            return ConfigError(
                f"{name} has no column {shown(lacking[0])!r}; its columns are {listed}",
                hint="name them as they are in the file: --columns close=NAME,date=NAME",
            )
    if _DATED.match(head[0][1]):
        return RejectedDataError(
            f"{name} has no date column: its first line is {shown(head[0][1])!r}, no header",
            hint="put a line above it that names the columns: Date,Open,High,Low,Close,Volume",
        )
    layout = find_layout(header, named)
    closes = "close" in layout.shared
    missing = "close" if "date" in layout.shared and not closes else "date"
    if len(header) < 2:
        return RejectedDataError(
            f"{name} has no {missing} column: its first line is {shown(header[0])!r}",
            hint="the first line must name the columns, among them Date or Data and Close or "
            "Fechamento",
        )
    chosen = {
        "close": _guess(layout, "close", row, _is_number),
        "date": _guess(layout, "date", row, is_date),
    }
    said = ",".join(f"{column}={text}" for column, text in chosen.items())
    return RejectedDataError(
        f"{name} has no {missing} column; its columns are {listed}",
        hint=f'say which one it is: --columns "{said}"',
    )


def _guess(layout: Layout, column: str, row: Sequence[str], fits: Callable[[str], bool]) -> str:
    """Name the column of a kind, or the one unknown column whose cell may be of it."""
    if column in layout.shared:
        return layout.header[layout.shared[column]]
    # Of adjusted closes alone the user has to say that they shall do.
    known = {place for name, place in layout.shared.items() if name != "adj_close"}
    fitting = [
        text
        for place, (text, cell_text) in enumerate(zip(layout.header, row, strict=False))
        if place not in known and text and fits(cell_text)
    ]
    return fitting[0] if len(fitting) == 1 else "NAME"


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\D{0,3}\d[\d.,']*\D{0,3}", text)) and not is_date(text)


def _listed(texts: Sequence[str]) -> str:
    names = [shown(text) for text in texts if text]
    return first_few(names, _FEW)


def _facts(above: Sequence[str], separator: str) -> dict[str, str]:
    """Read the lines above the header that name an instrument or a currency."""
    found: dict[str, str] = {}
    for line in above:
        cells = [
            text.strip().strip('"')
            for text in re.split(rf"[{re.escape(separator)}:=]", line, maxsplit=1)
        ]
        if len(cells) != 2:
            continue
        value = cells[1].strip(f" {separator}")
        if not value or separator in value:
            continue
        label = find_layout([cells[0], ""], {}).shared
        if label.get("ticker") == 0:
            found.setdefault("ticker", value)
        elif label.get("currency") == 0:
            found.setdefault("currency", value)
    titles = {code for line in above for code in codes_of_b3(line)}
    if "ticker" not in found and len(titles) == 1:
        found["ticker"] = titles.pop()
    return found


def _with_tickers(layout: Layout, rows: Sequence[Sequence[str]]) -> Layout:
    """Find a column of tickers that has another name: all its cells are codes of B3."""
    if "ticker" in layout.shared or layout.own:
        return layout
    for place in range(len(layout.header)):
        cells = [row[place].strip() for row in rows if place < len(row)]
        if cells and all(map(is_code_of_b3, cells)):
            return replace(layout, shared={**layout.shared, "ticker": place})
    return layout


def _index(table: Table) -> None:
    """Note where the lines of each instrument begin."""
    place_of_name = table.layout.shared.get("ticker")
    date = table.layout.shared["date"]
    nameless = array("q")
    for rows, row in enumerate(table.rows(), start=1):
        text = cell(row, date)
        # No name begins with a digit, and to reduce a million cells takes longer than all else.
        if not text[:1].isdigit() and is_name(text):
            _require_same_header(table, row)
            continue
        if rows > _MOST_ROWS:
            raise RejectedDataError(
                f"{table.name} has more than {_MOST_ROWS:,} rows",
                hint="give a file with fewer tickers, or of fewer years",
            )
        name = cell(row, place_of_name)
        if not name and place_of_name is not None and is_date(text):
            nameless.append(row.place)
        table.places.setdefault(name, array("q")).append(row.place)
    _require_names(table, nameless)


def _require_names(table: Table, nameless: "array[int]") -> None:
    """Refuse rows without a ticker among rows that have one: whose they are is not known."""
    if nameless and any(table.places):
        raise RejectedDataError(
            f"{table.name} has {len(nameless):,} rows without a ticker, the first in line "
            f"{line_number(table.text, nameless[0])}",
            hint="write the ticker into every row",
        )


def _require_same_header(table: Table, row: Row) -> None:
    """Refuse a second header that names other columns, as where two files were put together."""
    names = [text.strip() for text in row.cells]
    if names != list(table.layout.header):
        raise RejectedDataError(
            f"{table.name} has a second header with other columns in line "
            f"{line_number(table.text, row.place)}: {_listed(names)}",
            hint="give the two parts as two files, one after the other",
        )


def _is_empty(cells: Sequence[str]) -> bool:
    return not any(map(str.strip, cells)) or _is_index(cells)


def _split(line: str, separator: str) -> list[str]:
    # By itself, because prices hold no line breaks: a quotation mark that is left open would
    # swallow the lines that follow.
    if '"' in line:
        return next(csv.reader([line], delimiter=separator))
    return line.split(separator)
