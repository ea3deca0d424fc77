"""Every forecast made, once per ticker, session, version and horizon."""

import json
import sqlite3
from dataclasses import dataclass, fields

from stocklstm.store.database import database_errors, stored_values, transaction


@dataclass(frozen=True)
class LedgerEntry:
    """A forecast as it was given.

    Attributes:
        ticker: Whose.
        target_session: ISO day that was forecast.
        version: Model version that made it.
        horizon: Sessions ahead.
        as_of: ISO day of the last close it saw.
        last_close: That close, in currency.
        point: Forecast close.
        quantiles: Forecast closes over the quantile grid.
        made_at: UTC timestamp.
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


_COLUMNS = tuple(field.name for field in fields(LedgerEntry))


@dataclass(frozen=True)
class Ledger:
    """The forecasts table.

    Attributes:
        connection: An open database.
    """

    connection: sqlite3.Connection

    def record(self, entry: LedgerEntry) -> LedgerEntry | None:
        """Write a forecast unless one of the same key is there; the first one stands.

        Returns:
            The one that was there; None if this one was written.
        """
        with transaction(self.connection):
            cursor = self.connection.execute(
                "INSERT INTO forecasts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    entry.ticker,
                    entry.target_session,
                    entry.version,
                    entry.horizon,
                    entry.as_of,
                    entry.last_close,
                    entry.point,
                    json.dumps(entry.quantiles),
                    entry.made_at,
                ),
            )
            if cursor.rowcount == 1:
                return None
        (earlier,) = self._read(
            "target_session = ? AND version = ? AND horizon = ?",
            (entry.ticker, entry.target_session, entry.version, entry.horizon),
        )
        return earlier

    def strangers(self) -> list[str]:
        """Name tickers that have forecasts though nothing else is known of them."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT ticker FROM forecasts EXCEPT SELECT ticker FROM instruments ORDER BY ticker"
            )
            return [ticker for (ticker,) in rows]

    def entries(self, ticker: str) -> list[LedgerEntry]:
        """Read all forecasts of a ticker, oldest target first."""
        return self._read("TRUE", (ticker,))

    def latest(self, ticker: str, horizon: int, until: str, count: int) -> list[LedgerEntry]:
        """Read the latest forecasts of days up to one, oldest target first.

        Args:
            ticker: Whose.
            horizon: Sessions ahead.
            until: ISO day: the last target wanted.
            count: How many at most.
        """
        entries = self._read(
            "horizon = ? AND target_session <= ?",
            (ticker, horizon, until, count),
            "target_session DESC, version DESC LIMIT ?",
        )
        return entries[::-1]

    def page(self, ticker: str, count: int, offset: int = 0) -> list[LedgerEntry]:
        """Read some forecasts, those of the latest sessions first.

        Args:
            ticker: Whose.
            count: How many at most.
            offset: How many later ones to pass over.
        """
        return self._read(
            "TRUE",
            (ticker, count, offset),
            "target_session DESC, made_at DESC, version DESC, horizon DESC LIMIT ? OFFSET ?",
        )

    def _read(
        self,
        condition: str,
        values: tuple[str | int, ...],
        order: str = "target_session, version, horizon",
    ) -> list[LedgerEntry]:
        with stored_values():
            cursor = self.connection.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM forecasts"  # noqa: S608 - fixed names
                f" WHERE ticker = ? AND {condition} ORDER BY {order}",
                values,
            )
            records = [dict(zip(_COLUMNS, row, strict=True)) for row in cursor]
            return [
                LedgerEntry(**record | {"quantiles": tuple(json.loads(record["quantiles"]))})
                for record in records
            ]
