"""Stored prices: merged, never thinned out."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from stocklstm.core.series import Action, Bars, Dates, Floats, Instrument
from stocklstm.errors import NoPricesError
from stocklstm.store.database import database_errors, stored_values, transaction

_COLUMNS = ("open", "high", "low", "close", "adj_close", "volume")

_ROW = np.dtype([("date", "U10"), *((name, np.float64) for name in _COLUMNS)])

# Yahoo's adjusted closes jitter in the seventh digit from one identical call to the next.
_SAME = 1e-5


@dataclass(frozen=True)
class MergeResult:
    """What storing an answer changed.

    Attributes:
        added: Dates that were not there.
        revised: Dates whose values differ by more than jitter.
        unchanged: True if nothing at all was written to the ticker's data.
    """

    added: int
    revised: int
    unchanged: bool


class PriceStore:
    """Bars, actions and instruments of all tickers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use an open database."""
        self._connection = connection

    def tickers(self) -> list[str]:
        """List every ticker that has prices, in order."""
        with database_errors():
            rows = self._connection.execute(
                "SELECT ticker FROM instruments WHERE EXISTS"
                " (SELECT 1 FROM prices WHERE prices.ticker = instruments.ticker) ORDER BY ticker"
            )
            return [ticker for (ticker,) in rows]

    def instrument(self, ticker: str) -> Instrument:
        """Look up currency and exchange.

        Raises:
            NoPricesError: The ticker was never fetched.
        """
        with database_errors():
            row = self._connection.execute(
                "SELECT currency, exchange, time_zone FROM instruments WHERE ticker = ?", (ticker,)
            ).fetchone()
        if row is None:
            raise _no_prices(ticker)
        return Instrument(ticker, *row)

    def bars(self, ticker: str) -> Bars:
        """Read every stored session, oldest first.

        Raises:
            NoPricesError: The ticker was never fetched, or there was nothing to store.
        """
        self.instrument(ticker)
        bars = self._read(ticker)
        if not len(bars):
            raise _no_prices(ticker)
        return bars

    def _read(self, ticker: str) -> Bars:
        with stored_values():
            rows = self._connection.execute(
                f"SELECT date, {', '.join(_COLUMNS)} FROM prices WHERE ticker = ? ORDER BY date",  # noqa: S608 - fixed names
                (ticker,),
            )
            # Row by row into one array, so that a long history is never held as Python objects.
            # NULL becomes NaN.
            table = np.fromiter(rows, _ROW)
            dates = _increasing(table["date"].astype("datetime64[D]"))
        return Bars(dates, *(np.ascontiguousarray(table[name]) for name in _COLUMNS))

    def sources(self, ticker: str) -> list[str]:
        """List the sources that gave the stored rows, in order."""
        with database_errors():
            rows = self._connection.execute(
                "SELECT DISTINCT source FROM prices WHERE ticker = ? ORDER BY source", (ticker,)
            )
            return [source for (source,) in rows]

    def actions(self, ticker: str) -> tuple[Action, ...]:
        """Read dividends and splits, oldest first."""
        with database_errors():
            rows = self._connection.execute(
                "SELECT date, kind, value FROM actions WHERE ticker = ? ORDER BY date, kind",
                (ticker,),
            )
            return tuple(Action(*row) for row in rows)

    def merge(
        self,
        instrument: Instrument,
        bars: Bars,
        actions: tuple[Action, ...],
        *,
        source: str,
        at: str,
        check: Callable[[Bars], None] = lambda _: None,
    ) -> MergeResult:
        """Add new dates and revise changed ones in one transaction; delete none.

        A value that is missing never replaces one that is stored.

        Args:
            instrument: Replaces what was known.
            bars: Clean rows, oldest first, no date twice.
            actions: Added to, or replacing, those of the same day and kind.
            source: Kept with each row that is written.
            at: UTC timestamp, kept likewise.
            check: Given the whole series as it would be; by raising it keeps the old one.
        """
        ticker = instrument.ticker
        with transaction(self._connection):
            stored = self._read(ticker)
            bars = _completed(bars, stored)
            new, changed = _differences(stored, bars)
            fresh_actions = set(actions) - set(self.actions(ticker))
            self._write_instrument(instrument, source, at)
            self._write_bars(ticker, bars.select(new | changed), source, at)
            check(self._read(ticker))
            self._connection.executemany(
                "INSERT OR REPLACE INTO actions VALUES (?, ?, ?, ?)",
                [(ticker, a.date, a.kind, a.value) for a in sorted(fresh_actions, key=str)],
            )
        added, revised = int(new.sum()), int(changed.sum())
        return MergeResult(added, revised, not (added or revised or fresh_actions))

    def _write_instrument(self, instrument: Instrument, source: str, at: str) -> None:
        self._connection.execute(
            "INSERT INTO instruments VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (ticker) DO UPDATE SET"
            " currency = excluded.currency, exchange = excluded.exchange,"
            " time_zone = excluded.time_zone, source = excluded.source,"
            " fetched_at = excluded.fetched_at",
            (
                instrument.ticker,
                instrument.currency,
                instrument.exchange,
                instrument.time_zone,
                source,
                at,
            ),
        )

    def _write_bars(self, ticker: str, bars: Bars, source: str, at: str) -> None:
        # SQLite stores NaN as NULL by itself.
        columns = [getattr(bars, f"{name}s").tolist() for name in _COLUMNS]
        dates = np.datetime_as_string(bars.dates, unit="D").tolist()
        self._connection.executemany(
            "INSERT OR REPLACE INTO prices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(ticker, day, *row, source, at) for day, *row in zip(dates, *columns, strict=True)],
        )


def _increasing(dates: Dates) -> Dates:
    # The primary key promises it; everything after reading relies on it.
    if not np.all(dates[1:] > dates[:-1]):
        raise ValueError("stored dates are out of order")
    return dates


def _no_prices(ticker: str) -> NoPricesError:
    return NoPricesError(
        f"there are no prices of {ticker} in the store", hint=f"stocklstm fetch --ticker {ticker}"
    )


def _differences(stored: Bars, given: Bars) -> tuple[np.ndarray, np.ndarray]:
    """Tell which given rows are new and which differ, each (N,) bool over the given rows."""
    _, in_given, in_stored = np.intersect1d(
        given.dates, stored.dates, assume_unique=True, return_indices=True
    )
    new = np.ones(len(given), dtype=bool)
    new[in_given] = False
    changed = np.zeros(len(given), dtype=bool)
    changed[in_given] = ~_same(_matrix(given)[in_given], _matrix(stored)[in_stored]).all(axis=1)
    return new, changed


def _completed(given: Bars, stored: Bars) -> Bars:
    """Fill what the given rows lack with what is stored for the same days."""
    _, in_given, in_stored = np.intersect1d(
        given.dates, stored.dates, assume_unique=True, return_indices=True
    )
    columns = {}
    for name in (f"{column}s" for column in _COLUMNS):
        values = getattr(given, name).copy()
        known = getattr(stored, name)[in_stored]
        values[in_given] = np.where(np.isnan(values[in_given]), known, values[in_given])
        columns[name] = values
    return replace(given, **columns)


def _matrix(bars: Bars) -> Floats:
    return np.column_stack([getattr(bars, f"{name}s") for name in _COLUMNS])


def _same(left: Floats, right: Floats) -> np.ndarray:
    return np.isclose(left, right, rtol=_SAME, atol=0, equal_nan=True)
