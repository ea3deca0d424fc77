"""Bytes of a text file to a table whose columns are named as the program names them."""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass

from stocklstm.errors import RejectedDataError

# What each column may be called, the best name first, letters and digits only, no accents.
_NAMES = {
    "date": ("date", "data", "datetime", "datahora", "dia", "day", "pregao", "datadopregao"),
    "open": ("open", "abertura", "abert", "opening", "precodeabertura"),
    "high": ("high", "maxima", "maximo", "max", "precomaximo"),
    "low": ("low", "minima", "minimo", "min", "precominimo"),
    "close": ("close", "fechamento", "fech", "closelast", "ultimo", "last", "price", "preco"),
    "adj_close": (
        *("adjclose", "adjustedclose", "closeadj", "closeadjusted", "adjustedprice"),
        *("fechamentoajustado", "fechamentoajust", "fechamentoaj", "fechajustado", "fechaj"),
    ),
    "volume": ("volume", "vol", "volumenegociado", "quantidade"),
}
_PORTUGUESE = {"data", "fechamento", "ultimo", "abertura", "maxima", "minima", "pregao"}
_SEPARATORS = ";\t,"

# Tab, line feed and carriage return are the only control characters a table has a use for.
_JUNK = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True)
class Table:
    """Cells as text.

    Attributes:
        columns: Place of each known column: date, close, and those others there are.
        rows: Cells of each line below the header; lines may be too short or too long.
        width: Cells in the header.
        portuguese: True if the header is written in Portuguese.
    """

    columns: dict[str, int]
    rows: list[list[str]]
    width: int
    portuguese: bool

    def cell(self, row: list[str], column: str) -> str:
        """Give one cell without surrounding blanks; "" where the row or the column has none."""
        place = self.columns.get(column, len(row))
        return row[place].strip() if place < len(row) else ""


def read_table(content: bytes, name: str) -> Table:
    """Read a table of prices, whichever separator and encoding it uses.

    Args:
        content: The whole file.
        name: The file's name, for messages.

    Raises:
        RejectedDataError: It is empty or no text, or has no header with a date and a close, or
            nothing below it.
    """
    lines = _decode(content, name).splitlines(keepends=True)
    # Excel writes the separator it used into a line of its own.
    lines = [line for line in lines if line.strip() and not re.fullmatch(r"(?i)sep=.\s*", line)]
    if not lines:
        raise RejectedDataError(f"{name} is empty", hint="give a file with a header and prices")
    separator = max(_SEPARATORS, key=lambda mark: len(_columns(_split(lines[0], mark, name))))
    header = _split(lines[0], separator, name)
    columns = _columns(header)
    _require_columns(columns, header, name)
    try:
        rows = list(csv.reader(io.StringIO("".join(lines[1:]), newline=""), delimiter=separator))
    except csv.Error as error:
        raise RejectedDataError(f"{name} is not a table: {error}") from error
    rows = [row for row in rows if any(map(str.strip, row)) and not _is_second_header(row)]
    if not rows:
        raise RejectedDataError(
            f"{name} has a header but no prices", hint="give a file with rows below its header"
        )
    portuguese = not _PORTUGUESE.isdisjoint(map(_plain, header))
    return Table(columns, rows, len(header), portuguese)


def _decode(content: bytes, name: str) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        # What spreadsheets of the Portuguese-speaking world still write.
        text = content.decode("latin-1")
    if _JUNK.search(text):
        raise RejectedDataError(
            f"{name} is not a text file", hint="export the prices as CSV and give that file"
        )
    return text


def _split(line: str, separator: str, name: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error as error:
        raise RejectedDataError(f"{name} is not a table: {error}") from error


def _plain(text: str) -> str:
    """Reduce a column's name to lower-case letters and digits, without accents."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalnum())


def _columns(header: list[str]) -> dict[str, int]:
    names = [_plain(text) for text in header]
    if names[:1] == ["price"] and "close" in names:
        # What `yfinance.download(...).to_csv()` writes: its second and third line name the
        # ticker and the date.
        names[0] = "date"
    found = {}
    for column, aliases in _NAMES.items():
        place = next((names.index(alias) for alias in aliases if alias in names), None)
        if place is not None:
            found[column] = place
    return found


def _is_second_header(row: list[str]) -> bool:
    return row[0].strip() in {"Ticker", "Date"}


def _require_columns(columns: dict[str, int], header: list[str], name: str) -> None:
    for column, examples in (("date", "Date or Data"), ("close", "Close or Fechamento")):
        if column not in columns:
            shown = repr(", ".join(header)[:60])
            raise RejectedDataError(
                f"{name} has no {column} column: its first line is {shown}",
                hint=f"the first line must name the columns, among them {examples}",
            )
