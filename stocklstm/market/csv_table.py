"""A text file as a table whose columns have the program's names."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from stocklstm.errors import RejectedDataError

# What each column may be called, the best name first, letters and digits only, no accents.
_NAMES = {
    "date": ("date", "data", "datetime", "datahora", "dia", "day", "pregao", "datadopregao"),
    "open": ("open", "abertura", "abert", "opening", "precodeabertura"),
    "high": ("high", "maxima", "maximo", "max", "precomaximo"),
    "low": ("low", "minima", "minimo", "min", "precominimo"),
    "close": (
        *("close", "fechamento", "fech", "precodefechamento", "closelast"),
        *("ultimo", "precoultimo", "ultimopreco", "last", "price", "preco"),
    ),
    "adj_close": (
        *("adjclose", "adjustedclose", "closeadj", "closeadjusted", "adjustedprice"),
        *("fechamentoajustado", "fechamentoajust", "fechamentoaj", "fechajustado", "fechaj"),
    ),
    "volume": ("volume", "vol", "volumenegociado", "quantidade"),
}
_PORTUGUESE = {"data", "fechamento", "ultimo", "abertura", "maxima", "minima", "pregao"}
_SEPARATORS = ";\t,|"

# Excel writes the separator it used into a line of its own.
_SEPARATOR_LINE = re.compile(r"(?i)sep=.\s*")

# `yfinance.download(...).to_csv()` names the ticker and the date below its header.
_SECOND_HEADERS = {"Ticker", "Date"}

# Tab, line feed and carriage return are the only control characters a table has a use for.
_JUNK = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")

# As much as the csv module accepts in one cell; a row of prices has a hundred characters.
_LONGEST_LINE = 131_072

# A century of eighty tickers; each row takes hundreds of bytes by the time it is judged.
_MOST_ROWS = 2_000_000

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Table:
    """Cells as text, read anew from the bytes each time: as text they need ten times the memory.

    Attributes:
        encoding: How its bytes are to be read.
        name: The file's name, for messages.
        columns: Place of each known column: date, close, and those others there are.
        width: Cells in the header.
        portuguese: True if the header is written in Portuguese.
    """

    content: bytes
    encoding: str
    name: str
    separator: str
    columns: dict[str, int]
    width: int
    portuguese: bool

    def rows(self) -> Iterator[list[str]]:
        """Yield the cells of each line below the header; a line may be too short or too long."""
        lines = _lines(self.content, self.encoding, self.name)
        _header_line(lines)
        for number, line in enumerate(lines):
            if number == _MOST_ROWS:
                raise RejectedDataError(
                    f"{self.name} has more than {_MOST_ROWS:,} rows",
                    hint="give a file with the daily prices of one ticker only",
                )
            row = _split(line, self.separator)
            if any(map(str.strip, row)) and row[0].strip() not in _SECOND_HEADERS:
                yield row

    def cell(self, row: list[str], column: str) -> str:
        """Return one cell without surrounding blanks; "" where the row or the column has none."""
        place = self.columns.get(column, len(row))
        return row[place].strip() if place < len(row) else ""


def read_table(content: bytes, name: str) -> Table:
    """Read a table of prices with any usual separator and encoding.

    Raises:
        RejectedDataError: It is empty or no text, or has no header with a date and a close, or
            nothing below it.
    """
    encoding = _find_encoding(content, name)
    line = _header_line(_lines(content, encoding, name))
    if not line:
        raise RejectedDataError(f"{name} is empty", hint="give a file with a header and prices")
    separator = max(_SEPARATORS, key=lambda mark: len(_columns(_split(line, mark))))
    header = _split(line, separator)
    columns = _columns(header)
    _require_columns(columns, header, name)
    portuguese = not _PORTUGUESE.isdisjoint(map(_plain, header))
    table = Table(content, encoding, name, separator, columns, len(header), portuguese)
    if next(table.rows(), None) is None:
        raise RejectedDataError(
            f"{name} has a header but no prices", hint="give a file with rows below its header"
        )
    return table


def _find_encoding(content: bytes, name: str) -> str:
    # Windows-1252 is what spreadsheets still write; five bytes mean nothing in it, and any
    # byte means something in Latin-1.
    marked = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            junk = any(_JUNK.search(text) for text in _chunks(content, encoding))
        except UnicodeError:
            continue
        if not junk:
            return encoding
        break
    raise RejectedDataError(
        f"{name} is not a text file", hint="export the prices as CSV (UTF-8) and give that file"
    )


def _open(content: bytes, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding, newline="")


def _chunks(content: bytes, encoding: str) -> Iterator[str]:
    file = _open(content, encoding)
    return iter(lambda: file.read(_CHUNK), "")


def _lines(content: bytes, encoding: str, name: str) -> Iterator[str]:
    """Yield the lines one by one; refuse one that is longer than any row of prices."""
    for line in _open(content, encoding):
        if len(line) > _LONGEST_LINE:
            raise RejectedDataError(
                f"{name} is not a table of prices: a line has {len(line):,} characters",
                hint="export the prices as CSV, one line for each day",
            )
        yield line


def _header_line(lines: Iterator[str]) -> str:
    """Read up to the header and return it; "" if there is none."""
    return next(
        (line for line in lines if line.strip() and not _SEPARATOR_LINE.fullmatch(line)), ""
    )


def _split(line: str, separator: str) -> list[str]:
    # By itself, because prices hold no line breaks: a quotation mark that is left open would
    # swallow the lines that follow.
    if '"' in line:
        return next(csv.reader([line], delimiter=separator))
    return line.split(separator)


def _plain(text: str) -> str:
    """Reduce a column's name to lower-case letters and digits, without accents."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalnum())


def _columns(header: list[str]) -> dict[str, int]:
    names = [_plain(text) for text in header]
    if names[:1] == ["price"] and "close" in names:
        # What `yfinance.download(...).to_csv()` writes.
        names[0] = "date"
    found = {}
    for column, aliases in _NAMES.items():
        place = next((names.index(alias) for alias in aliases if alias in names), None)
        if place is not None:
            found[column] = place
    return found


def _require_columns(columns: dict[str, int], header: list[str], name: str) -> None:
    for column, examples in (("date", "Date or Data"), ("close", "Close or Fechamento")):
        if column not in columns:
            shown = repr(", ".join(header)[:60])
            raise RejectedDataError(
                f"{name} has no {column} column: its first line is {shown}",
                hint=f"the first line must name the columns, among them {examples}",
            )
    names = [_plain(text) for text in header]
    for column, place in columns.items():
        if names.count(names[place]) > 1:
            raise RejectedDataError(
                f"{name} has more than one {column.replace('_', ' ')} column",
                hint="give a file with the prices of one ticker only",
            )
