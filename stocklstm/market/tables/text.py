"""The bytes of a file as text, and its lines."""

import re
from collections.abc import Iterator

from stocklstm.core.wording import quoted
from stocklstm.errors import RejectedDataError

# Tab, line feed and carriage return are the only control characters a table has a use for.
_JUNK = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")

_LINE = re.compile(r"[^\r\n]+")

# As much as the csv module accepts in one cell; a row of prices has a hundred characters.
_LONGEST_LINE = 131_072

# How B3's own files begin; in a ZIP it is the name of the file within.
_COTAHIST = b"COTAHIST"

# How files begin that people take for tables.
_KINDS = {
    b"PK\x03\x04": ("is a ZIP archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    b"\xd0\xcf\x11\xe0": ("is an Excel workbook", "save the sheet as CSV (UTF-8)"),
    b"\x1f\x8b": ("is compressed", "unpack it with gunzip"),
    b"PAR1": ("is a Parquet file", "write it as CSV: DataFrame.to_csv('prices.csv')"),
    b"\x89HDF": ("is an HDF5 file", "write it as CSV: DataFrame.to_csv('prices.csv')"),
    b"\x80": ("is a pickle, and pickles are never loaded", "write it as CSV: to_csv('prices.csv')"),
    b"{": ("is JSON", "write it as CSV, with a line for each day"),
    b"[": ("is JSON", "write it as CSV, with a line for each day"),
    b"<!doctype": ("is a web page", "download the table itself, as CSV"),
    b"<html": ("is a web page", "download the table itself, as CSV"),
}


def decode(content: bytes, name: str) -> str:
    """Decode a file that may have been written by any spreadsheet.

    Raises:
        RejectedDataError: It is no text.
    """
    if _COTAHIST in content[:200]:
        raise RejectedDataError(
            f"{name} is a file of B3, not a table",
            hint=f"stocklstm fetch --source b3 --file {quoted(name)} --ticker PETR4.SA",
        )
    start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, (words, hint) in _KINDS.items():
        # The pickle's byte is the euro sign of Windows; another control byte follows it.
        if start.startswith(beginning.lower()) and (beginning != b"\x80" or start[1:2] < b"\x10"):
            raise RejectedDataError(f"{name} {words}, not a table in a text file", hint=hint)
    # Windows-1252 is what spreadsheets still write; five bytes mean nothing in it, and any
    # byte means something in Latin-1.
    marked = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            text = content.decode(encoding)
        except UnicodeError:
            continue
        if not _JUNK.search(text):
            return text
        break
    raise RejectedDataError(
        f"{name} is not a text file", hint="export the prices as CSV (UTF-8) and give that file"
    )


def lines(text: str, name: str, start: int = 0) -> Iterator[tuple[int, str]]:
    """Yield each line that is not empty with the place where it begins.

    Args:
        text: Of the whole file.
        name: Of the file, for messages.
        start: Where to begin.

    Raises:
        RejectedDataError: A line is longer than any row of prices.
    """
    for match in _LINE.finditer(text, start):
        length = match.end() - match.start()
        if length > _LONGEST_LINE:
            raise RejectedDataError(
                f"{name} is not a table of prices: a line has {length:,} characters",
                hint="export the prices as CSV, one line for each day",
            )
        yield match.start(), match[0]


def line_number(text: str, place: int) -> int:
    """Count the lines up to a place, from 1; any of the three line ends counts."""
    before = text[:place]
    return 1 + before.count("\n") + before.replace("\r\n", "\n").count("\r")
