"""Prices from a file: Yahoo's own columns, plain Date,Close, or a Brazilian spreadsheet's."""

import sys
from array import array
from datetime import date
from pathlib import Path
from typing import BinaryIO

import numpy as np

from stocklstm.core.prices.answers import Basis, Rejection, SourceAnswer
from stocklstm.core.prices.series import Bars
from stocklstm.errors import ConfigError, NotFoundError, RejectedDataError
from stocklstm.market.csv_table import Table, read_table
from stocklstm.market.instrument import guess_instrument
from stocklstm.market.notation import DateReader, date_reader, decimal_mark, read_number
from stocklstm.market.source import FetchRequest

LARGEST_FILE = 256 * 2**20
"""Bytes. A century of daily prices takes two million."""

_STANDARD_INPUT = Path("-")
_NUMBERS = ("open", "high", "low", "close", "adj_close", "volume")
_EPOCH = date(1970, 1, 1).toordinal()


class CsvSource:
    """Reads the file that the request names."""

    def fetch(self, request: FetchRequest) -> SourceAnswer:
        """Read the file.

        Dates, decimal commas, separators and encoding are recognized from its contents.

        Args:
            request: Needs `file`, where "-" means standard input; `date_format` settles dates
                that can be read in two ways.

        Returns:
            Rows in the file's order. Their basis is `SPLIT_ADJUSTED`, and their adjusted closes
            are NaN, if the file has no adjusted close or nothing in that column.

        Raises:
            ConfigError: No file was named, standard input is closed or a terminal, or days and
                months cannot be told apart.
            NotFoundError: The file does not exist or cannot be opened.
            RejectedDataError: It is too large, or not a table with a date and a close.
        """
        if request.file is None:
            raise ConfigError("the csv source needs a file", hint="name it with --file prices.csv")
        name = "standard input" if request.file == _STANDARD_INPUT else str(request.file)
        bars, rejections = read_prices(_load_file(request.file, name), name, request.date_format)
        basis = Basis.SPLIT_ADJUSTED if np.isnan(bars.adj_closes).all() else Basis.ADJUSTED
        if request.start is not None:
            bars = bars.select(bars.dates >= np.datetime64(request.start, "D"))
        instrument = guess_instrument(request.ticker)
        return SourceAnswer(instrument, bars, (), rejections, "csv", basis)


def _load_file(path: Path, name: str) -> bytes:
    try:
        if path == _STANDARD_INPUT:
            content = _standard_input().read(LARGEST_FILE + 1)
        else:
            with path.open("rb") as file:
                content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise NotFoundError(
            f"there is no file {name}", hint="check the path given with --file"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NotFoundError(
            f"{name} cannot be read: {reason}", hint="check the path given with --file"
        ) from error
    if len(content) > LARGEST_FILE:
        raise RejectedDataError(
            f"{name} is larger than {LARGEST_FILE >> 20} MB",
            hint="give a file with the daily prices of one ticker only",
        )
    return content


def _standard_input() -> BinaryIO:
    # Python leaves None there if it was started with standard input closed.
    if sys.stdin is None or sys.stdin.closed:
        state = "is closed"
    elif sys.stdin.isatty():
        state = "is a terminal"
    else:
        return sys.stdin.buffer
    raise ConfigError(
        f"--file - reads standard input, which {state}; it expects a pipe",
        hint="pipe the prices in, as in: stocklstm fetch --ticker PETR4.SA --file - < prices.csv",
    )


def read_prices(
    content: bytes, name: str, date_format: str | None = None
) -> tuple[Bars, tuple[Rejection, ...]]:
    """Read the contents of a file of prices.

    Args:
        date_format: strptime pattern of its dates; None to find it out.

    Returns:
        The rows in the file's order, and those that could not be read. Cells that are empty or
        say null are NaN, volumes too: an unknown volume is not a volume of zero. So are the
        cells of a column that the file lacks.

    Raises:
        ConfigError: Days and months cannot be told apart, or the pattern is no date pattern.
        RejectedDataError: It is not a table with a date and a close.
    """
    table = read_table(content, name)
    read_date = date_reader((table.cell(row, "date") for row in table.rows()), date_format)
    mark = _find_mark(table)
    # A number takes eight bytes here, and over thirty in a list.
    days, numbers = array("q"), array("d")
    rejections: list[Rejection] = []
    for row in table.rows():
        try:
            day, values = _read_row(table, row, read_date, mark)
        except ValueError as error:
            rejections.append(Rejection(_shown(table.cell(row, "date")), str(error)))
        else:
            days.append(day.toordinal() - _EPOCH)
            numbers.extend(values)
    return _bars(days, numbers), tuple(rejections)


def _find_mark(table: Table) -> str:
    columns = [column for column in _NUMBERS if column in table.columns]
    cells = (table.cell(row, column) for row in table.rows() for column in columns)
    return decimal_mark(cells, otherwise="," if table.portuguese else ".")


def _read_row(
    table: Table, row: list[str], read_date: DateReader, mark: str
) -> tuple[date, list[float]]:
    """Read one row; a ValueError says why it cannot be read."""
    if any(cell.strip() for cell in row[table.width :]):
        raise ValueError(f"{len(row)} cells, but the header names {table.width}")
    text = table.cell(row, "date")
    try:
        day = read_date(text)
    except ValueError as error:
        raise ValueError(f"{_shown(text)!r} is not a date like the others") from error
    values = []
    for column in _NUMBERS:
        text = table.cell(row, column)
        try:
            values.append(read_number(text, mark))
        except ValueError as error:
            label = column.replace("_", " ")
            raise ValueError(f"{label}: {_shown(text)!r} is not a number") from error
    return day, values


def _bars(days: "array[int]", numbers: "array[float]") -> Bars:
    columns = np.frombuffer(numbers, np.float64).reshape(-1, len(_NUMBERS)).T
    dates = np.array(days, np.int64).astype("datetime64[D]")
    return Bars(dates, *(column.copy() for column in columns))


def _shown(text: str) -> str:
    """Shorten a text of the file and escape its control characters."""
    return repr(text if len(text) <= 40 else text[:37] + "...")[1:-1]
