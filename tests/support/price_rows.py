"""Bars and answers of sources, written down row by row."""

from zoneinfo import ZoneInfo

import numpy as np

from stocklstm.core.prices.answers import Rejection, SourceAnswer
from stocklstm.core.prices.series import Action, Bars, Instrument
from stocklstm.market.tables.price_file import FileForm, PriceFile

PETR4 = Instrument("PETR4.SA", "BRL", "BVMF", "America/Sao_Paulo")


def bars_of_rows(rows: list[tuple]) -> Bars:
    """Make bars of (day, close), or of (day, open, high, low, close, adjusted close, volume)."""
    full = [
        row if len(row) == 7 else (row[0], row[1], row[1] + 1, row[1] - 1, row[1], row[1], 100)
        for row in rows
    ]
    dates = np.array([row[0] for row in full], "datetime64[D]")
    numbers = np.array([row[1:] for row in full], np.float64).reshape(-1, 6)
    return Bars(dates, *numbers.T.copy())


def answer_of(
    rows: list[tuple],
    *,
    instrument: Instrument = PETR4,
    actions: tuple[Action, ...] = (),
    rejections: tuple[Rejection, ...] = (),
) -> SourceAnswer:
    return SourceAnswer(instrument, bars_of_rows(rows), actions, rejections, "csv")


def prices_of(
    content: bytes, ticker: str = "PETR4.SA", **form
) -> tuple[Bars, tuple[Rejection, ...]]:
    """Read the contents of a file as the csv source does: rows in its order, and rejections."""
    file = PriceFile(content, "prices.csv", FileForm(**form))
    found = file.read(ticker, "BVMF", ZoneInfo("America/Sao_Paulo"))
    return found.bars, found.rejections
