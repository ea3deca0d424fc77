"""Prices from a file: of a vendor, a spreadsheet or pandas, of one ticker or of many."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from stocklstm.core.prices.answers import Basis, SourceAnswer
from stocklstm.core.prices.local_time import zone_or_utc
from stocklstm.core.reading import open_to_read
from stocklstm.errors import ConfigError, NotFoundError, RejectedDataError
from stocklstm.market.calendar import time_zone_of
from stocklstm.market.instrument import guess_instrument, stated_currency
from stocklstm.market.source import FetchRequest
from stocklstm.market.tables.price_file import FileForm, PriceFile
from stocklstm.market.tables.shown import STANDARD_INPUT
from stocklstm.market.tables.tickers import yahoo_name

LARGEST_FILE = 256 * 2**20
"""Bytes. A century of daily prices takes two million."""

_STANDARD_INPUT = Path("-")


class CsvSource:
    """Reads the file that the request names; it is read once for many tickers."""

    def __init__(self) -> None:
        """Begin without a file."""
        self._opened: tuple[Path, FileForm, PriceFile] | None = None

    def tickers(self, request: FetchRequest) -> list[str]:
        """List the tickers that the file names, as Yahoo has them; none if it names none.

        Raises:
            StockLstmError: As `fetch`.
        """
        return [yahoo_name(name) for name in self._open(request).instruments()]

    def fetch(self, request: FetchRequest) -> SourceAnswer:
        """Read the prices of a ticker.

        Columns, dates, decimal commas, separators and encoding are recognized from the contents.

        Args:
            request: Needs `file`, where "-" means standard input.

        Returns:
            Rows in the file's order. Their basis is `SPLIT_ADJUSTED`, and their adjusted closes
            are NaN, if the file has no adjusted close or nothing in that column.

        Raises:
            ConfigError: No file was named, standard input is closed or a terminal, or the file
                can be read in two ways and the request does not say in which.
            NotFoundError: The file does not exist or cannot be opened.
            RejectedDataError: It is too large, not a table with a date and a close, of other
                tickers only, or not of daily prices.
        """
        file = self._open(request)
        named = guess_instrument(request.ticker)
        exchange, zone = named.exchange, named.time_zone
        if request.exchange is not None:
            exchange, zone = request.exchange, time_zone_of(request.exchange) or zone
        found = file.read(request.ticker, exchange, zone_or_utc(zone))
        bars = found.bars
        basis = Basis.SPLIT_ADJUSTED if np.isnan(bars.adj_closes).all() else Basis.ADJUSTED
        if request.start is not None:
            bars = bars.select(bars.dates >= np.datetime64(request.start, "D"))
        currency = stated_currency(found.currency, named.currency)
        return SourceAnswer(
            replace(named, currency=currency or named.currency),
            bars,
            found.splits,
            found.rejections,
            "csv",
            basis,
            notes=found.notes,
            stated=("currency",) if currency else (),
            intraday=found.intraday,
        )

    def _open(self, request: FetchRequest) -> PriceFile:
        if request.file is None:
            raise ConfigError("the csv source needs a file", hint="name it with --file prices.csv")
        form = FileForm(
            request.date_format, request.decimal, request.columns, request.accept_spacing
        )
        if self._opened is None or self._opened[:2] != (request.file, form):
            name = STANDARD_INPUT if request.file == _STANDARD_INPUT else str(request.file)
            file = PriceFile(_load_file(request.file, name), name, form)
            self._opened = (request.file, form, file)
        return self._opened[2]


def _load_file(path: Path, name: str) -> bytes:
    try:
        if path == _STANDARD_INPUT:
            content = _standard_input().read(LARGEST_FILE + 1)
        else:
            with open_to_read(path) as file:
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
