"""Prices from a file: Yahoo's own columns, plain Date,Close, or a Brazilian spreadsheet's."""

from datetime import date
from pathlib import Path

import numpy as np

from stocklstm.core.series import Bars, Rejection, SourceAnswer
from stocklstm.errors import ConfigError, NotFoundError
from stocklstm.market.instrument import guess_instrument
from stocklstm.market.notation import DateReader, date_reader, decimal_mark, read_number
from stocklstm.market.source import FetchRequest
from stocklstm.market.table import Table, read_table

_NUMBERS = ("open", "high", "low", "close", "adj_close", "volume")


class CsvSource:
    """Reads the file that the request names."""

    def fetch(self, request: FetchRequest) -> SourceAnswer:
        """Read the file.

        Dates, decimal commas, separators and encoding are found out from its contents.

        Args:
            request: Needs `file`; `date_format` settles dates that can be read in two ways.

        Raises:
            ConfigError: No file was named, or days and months cannot be told apart.
            NotFoundError: The file does not exist or cannot be opened.
            RejectedDataError: It is not a table with a date and a close.
        """
        if request.file is None:
            raise ConfigError("the csv source needs a file", hint="name it with --file prices.csv")
        content = _load_file(request.file)
        bars, rejections = read_prices(content, str(request.file), request.date_format)
        if request.start is not None:
            bars = bars.select(bars.dates >= np.datetime64(request.start, "D"))
        instrument = guess_instrument(request.ticker)
        return SourceAnswer(instrument, bars, (), rejections, "csv")


def _load_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(
            f"there is no file {path}", hint="check the path given with --file"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NotFoundError(
            f"{path} cannot be read: {reason}", hint="check the path given with --file"
        ) from error


def read_prices(
    content: bytes, name: str, date_format: str | None = None
) -> tuple[Bars, tuple[Rejection, ...]]:
    """Read the contents of a file of prices.

    Args:
        content: The whole file.
        name: Its name, for messages.
        date_format: strptime pattern of its dates; None to find it out.

    Returns:
        The rows in the file's order, and those that could not be read. Cells that are empty or
        say null are NaN, volumes too: an unknown volume is not a volume of zero. Without an
        adjusted close the close stands in for it.

    Raises:
        ConfigError: Days and months cannot be told apart, or the pattern is no date pattern.
        RejectedDataError: It is not a table with a date and a close.
    """
    table = read_table(content, name)
    read_date = date_reader([table.cell(row, "date") for row in table.rows], date_format)
    mark = _find_mark(table)
    dates: list[date] = []
    numbers: list[list[float]] = []
    rejections: list[Rejection] = []
    for row in table.rows:
        try:
            day, values = _read_row(table, row, read_date, mark)
        except ValueError as error:
            rejections.append(Rejection(_shown(table.cell(row, "date")), str(error)))
        else:
            dates.append(day)
            numbers.append(values)
    return _bars(dates, numbers), tuple(rejections)


def _find_mark(table: Table) -> str:
    columns = [column for column in _NUMBERS if column in table.columns]
    cells = (table.cell(row, column) for row in table.rows for column in columns)
    return decimal_mark(cells, otherwise="," if table.portuguese else ".")


def _read_row(
    table: Table, row: list[str], read_date: DateReader, mark: str
) -> tuple[date, list[float]]:
    """Read one row, or say in a ValueError's message why it cannot be."""
    if any(cell.strip() for cell in row[table.width :]):
        raise ValueError(f"{len(row)} cells, but the header names {table.width}")
    text = table.cell(row, "date")
    try:
        day = read_date(text)
    except ValueError as error:
        raise ValueError(f"{_shown(text)!r} is not a date like the others") from error
    return day, [_read_cell(table, row, column, mark) for column in _NUMBERS]


def _read_cell(table: Table, row: list[str], column: str, mark: str) -> float:
    if column == "adj_close" and column not in table.columns:
        column = "close"
    text = table.cell(row, column)
    try:
        return read_number(text, mark)
    except ValueError as error:
        label = column.replace("_", " ")
        raise ValueError(f"{label}: {_shown(text)!r} is not a number") from error


def _bars(dates: list[date], numbers: list[list[float]]) -> Bars:
    columns = np.array(numbers, np.float64).reshape(-1, len(_NUMBERS)).T
    return Bars(np.array(dates, "datetime64[D]"), *(column.copy() for column in columns))


def _shown(text: str) -> str:
    """Shorten what a file said, and keep control characters off a person's terminal."""
    return repr(text if len(text) <= 40 else text[:37] + "...")[1:-1]
