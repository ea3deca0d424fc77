"""Every forecast made, once per ticker, session, model version and horizon."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import msgspec

from stocklstm.core.records import dataclass
from stocklstm.store.database import database_errors, stored_values, transaction
from stocklstm.store.prices import PriceStore


@dataclass(frozen=True)
class LedgerEntry:
    """A forecast as it was given.

    Attributes:
        ticker: Ticker that is forecast.
        target_session: ISO day that was forecast.
        version: Model version that made it; numbers of a pooled model are its own.
        horizon: Sessions ahead.
        as_of: ISO day of the last close it saw.
        last_close: That close, in currency.
        point: Forecast close.
        quantiles: Forecast closes over the quantile grid.
        made_at: UTC timestamp.
        pool: Whose model made it, if not the ticker's own: the name of a pooled one, or the name
            that the ticker had then.
    """

    ticker: str
    target_session: str
    version: int
    horizon: int
    as_of: str
    last_close: float
    point: float
    quantiles: tuple[float, ...]
    made_at: str
    pool: str = ""


_COLUMNS = tuple(field.name for field in fields(LedgerEntry))

_GRID = _COLUMNS.index("quantiles")
_DECODER = msgspec.json.Decoder(tuple[float, ...])

_INSERT = (
    f"INSERT INTO forecasts ({', '.join(_COLUMNS)})"  # noqa: S608 - fixed names
    f" VALUES ({', '.join('?' * len(_COLUMNS))}) ON CONFLICT DO NOTHING"
)


class Ledger:
    """The forecasts table."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def record(self, entry: LedgerEntry) -> LedgerEntry | None:
        """Write a forecast unless one of the same key is there, which is then returned."""
        (earlier,) = self.record_all([entry])
        return earlier

    def record_all(self, entries: Sequence[LedgerEntry]) -> list[LedgerEntry | None]:
        """Record several forecasts in one transaction: all of them or none.

        Returns for each the one that was there already, or None where it was written.
        """
        prices = PriceStore(self.connection)
        with transaction(self.connection):
            # A ticker may have been renamed since its prices were read.
            names = {ticker: prices.current_name(ticker) for ticker in {e.ticker for e in entries}}
            entries = [_under(names[entry.ticker], entry) for entry in entries]
            # In one statement each: how many rows it wrote tells which were there.
            return [
                None
                if self.connection.execute(_INSERT, _values(entry)).rowcount == 1
                else self._earlier(entry)
                for entry in entries
            ]

    def _earlier(self, entry: LedgerEntry) -> LedgerEntry:
        (earlier,) = self._read(
            "target_session = ? AND version = ? AND horizon = ? AND pool = ?",
            (entry.ticker, entry.target_session, entry.version, entry.horizon, entry.pool),
        )
        return earlier

    def rename(self, old: str, new: str) -> int:
        """Put the forecasts of a ticker on record under another name; tell how many there are.

        Those of its own models are marked as of that name's, since the models stay where they are
        and the new name numbers its own from 1.
        """
        with transaction(self.connection):
            moved = self.connection.execute(
                "UPDATE forecasts SET ticker = ?2, pool = CASE pool WHEN '' THEN ?1 WHEN ?2 THEN ''"
                " ELSE pool END WHERE ticker = ?1",
                (old, new),
            )
        return moved.rowcount

    def made_by(self, ticker: str, owner: str) -> int:
        """Count the forecasts of a ticker that another owner's models made."""
        with database_errors():
            (count,) = self.connection.execute(
                "SELECT count(*) FROM forecasts WHERE ticker = ? AND pool = ?", (ticker, owner)
            ).fetchone()
        return int(count)

    def unknown_tickers(self) -> list[str]:
        """List the tickers that have forecasts but no prices."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT ticker FROM forecasts EXCEPT SELECT ticker FROM instruments ORDER BY ticker"
            )
            return [ticker for (ticker,) in rows]

    def entries(self, ticker: str, pool: str = "") -> list[LedgerEntry]:
        """Read all forecasts of a ticker, by its own models or one pool's, oldest first."""
        return self._read("pool = ?", (ticker, pool))

    def tickers(self) -> list[str]:
        """List the tickers that have forecasts."""
        with database_errors():
            rows = self.connection.execute("SELECT DISTINCT ticker FROM forecasts ORDER BY ticker")
            return [ticker for (ticker,) in rows]

    def has(self, ticker: str) -> bool:
        """Tell whether a ticker has forecasts."""
        with database_errors():
            found = self.connection.execute(
                "SELECT 1 FROM forecasts WHERE ticker = ? LIMIT 1", (ticker,)
            )
            return found.fetchone() is not None

    def since(self, ticker: str, day: str) -> list[LedgerEntry]:
        """Read the forecasts of sessions from a day on, whoever made them, oldest first."""
        return self._read(
            "target_session >= ?", (ticker, day), "target_session, made_at, version, horizon, pool"
        )

    def latest(
        self, ticker: str, horizon: int, until: str, count: int, pool: str = ""
    ) -> list[LedgerEntry]:
        """Read the latest forecasts of sessions up to a day, oldest first.

        Args:
            until: ISO day: the last target wanted.
            pool: Name of the pooled model that made them; empty for the ticker's own.
        """
        entries = self._read(
            "horizon = ? AND target_session <= ? AND pool = ?",
            (ticker, horizon, until, pool, count),
            "target_session DESC, version DESC LIMIT ?",
        )
        return entries[::-1]

    def page(
        self, ticker: str, count: int, offset: int = 0, horizon: int | None = None
    ) -> list[LedgerEntry]:
        """Read some forecasts, the latest sessions first, after skipping offset of them.

        Args:
            horizon: Sessions ahead; None for all.
        """
        return self._read(
            "horizon = coalesce(?, horizon)",
            (ticker, horizon, count, offset),
            "target_session DESC, made_at DESC, version DESC, horizon DESC LIMIT ? OFFSET ?",
        )

    def _read(
        self,
        condition: str,
        values: tuple[str | int | None, ...],
        order: str = "target_session, version, horizon",
    ) -> list[LedgerEntry]:
        with stored_values():
            cursor = self.connection.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM forecasts"  # noqa: S608 - fixed names
                f" WHERE ticker = ? AND {condition} ORDER BY {order}",
                values,
            )
            return [_entry(row) for row in cursor]


def _under(name: str, entry: LedgerEntry) -> LedgerEntry:
    """Put a forecast under another name of its ticker, as `Ledger.rename` does."""
    if entry.ticker == name:
        return entry
    return replace(entry, ticker=name, pool=entry.pool or entry.ticker)


def _entry(row: tuple[Any, ...]) -> LedgerEntry:
    # By place, and with the faster decoder: an evening may read many thousands.
    values = list(row)
    values[_GRID] = _DECODER.decode(values[_GRID])
    return LedgerEntry(*values)


def _values(entry: LedgerEntry) -> tuple[str | int | float, ...]:
    values = {name: getattr(entry, name) for name in _COLUMNS}
    return tuple((values | {"quantiles": json.dumps(entry.quantiles)}).values())
