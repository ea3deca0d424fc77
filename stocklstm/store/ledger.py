"""Every forecast made, once per ticker, session, model version and horizon."""

import json
import sqlite3
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import compress
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from stocklstm.core.records import dataclass
from stocklstm.errors import encodable
from stocklstm.store.checksums import FORECASTS, Checksums, Row, damaged, snapshot
from stocklstm.store.database import database_errors, stored_values, transaction
from stocklstm.store.prices import PriceStore


class LedgerEntry(NamedTuple):
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


@dataclass(frozen=True)
class LedgerColumns:
    """Forecasts of one ticker by one model: in each column a value of each of them, in order.

    The columns are those of `LedgerEntry`; ticker and pool are the same for all.
    """

    ticker: str
    target_session: Sequence[str]
    version: Sequence[int]
    horizon: Sequence[int]
    as_of: Sequence[str]
    last_close: Sequence[float]
    point: Sequence[float]
    quantiles: Sequence[tuple[float, ...]]
    made_at: Sequence[str]
    pool: str

    def __len__(self) -> int:
        """Count the forecasts."""
        return len(self.version)

    @classmethod
    def of(cls, ticker: str, entries: Sequence[LedgerEntry], pool: str = "") -> "LedgerColumns":
        """Put entries of one ticker and one model side by side."""
        values = zip(*entries, strict=True) if entries else [()] * len(_COLUMNS)
        columns: dict[str, Any] = dict(zip(_COLUMNS, values, strict=True))
        return cls(**columns | {"ticker": ticker, "pool": pool})

    def where(self, flags: Sequence[bool]) -> "LedgerColumns":
        """Keep the forecasts that are flagged."""
        columns: dict[str, Any] = {
            name: tuple(compress(getattr(self, name), flags)) for name in _COLUMNS[1:-1]
        }
        return replace(self, **columns)


_COLUMNS = LedgerEntry._fields

_as_summed_up = itemgetter(*(_COLUMNS.index(name) for name in FORECASTS.columns))
"""Puts the values of a row in the order of the checksums."""

_DECODER = msgspec.json.Decoder(tuple[float, ...])

_INSERT = (
    f"INSERT INTO forecasts ({', '.join(_COLUMNS)})"  # noqa: S608 - fixed names
    f" VALUES ({', '.join('?' * len(_COLUMNS))}) ON CONFLICT DO NOTHING"
)


class Ledger:
    """The forecasts table."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.checksums = Checksums(connection)

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
            found: list[LedgerEntry | None] = []
            written: dict[str, list[Row]] = {}
            for entry in entries:
                # In one statement each: how many rows it wrote tells which were there.
                values = _values(entry)
                if self.connection.execute(_INSERT, values).rowcount == 1:
                    written.setdefault(entry.ticker, []).append(_as_summed_up(values))
                    found.append(None)
                else:
                    found.append(self._earlier(entry))
            for ticker, rows in written.items():
                self.checksums.renew_after(FORECASTS, ticker, rows)
            return found

    def _earlier(self, entry: LedgerEntry) -> LedgerEntry:
        (row,) = self.connection.execute(
            f"SELECT {', '.join(FORECASTS.columns)} FROM forecasts"  # noqa: S608 - fixed names
            " WHERE ticker = ? AND target_session = ? AND version = ? AND horizon = ? AND pool = ?",
            (entry.ticker, entry.target_session, entry.version, entry.horizon, entry.pool),
        )
        with stored_values():
            return _entry(entry.ticker, row)

    def rename(self, old: str, new: str) -> int:
        """Put the forecasts of a ticker on record under another name; tell how many there are.

        Those of its own models are marked as of that name's, since the models stay where they are
        and the new name numbers its own from 1.
        """
        with transaction(self.connection):
            for ticker in (old, new):
                self.checksums.require(FORECASTS, ticker)
            moved = self.connection.execute(
                "UPDATE forecasts SET ticker = ?2, pool = CASE pool WHEN '' THEN ?1 WHEN ?2 THEN ''"
                " ELSE pool END WHERE ticker = ?1",
                (old, new),
            )
            for ticker in (old, new):
                self.checksums.renew(FORECASTS, ticker)
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
        return sorted(self._checked(ticker, pool), key=_by_session)

    def tickers(self) -> list[str]:
        """List the tickers that have forecasts."""
        with database_errors():
            rows = self.connection.execute("SELECT DISTINCT ticker FROM forecasts ORDER BY ticker")
            return [ticker for (ticker,) in rows]

    def has(self, ticker: str) -> bool:
        """Tell whether a ticker, or whatever was typed for one, has forecasts."""
        with database_errors():
            found = self.connection.execute(
                "SELECT 1 FROM forecasts WHERE ticker = ? LIMIT 1", (encodable(ticker),)
            )
            return found.fetchone() is not None

    def with_any(self, tickers: Sequence[str]) -> AbstractSet[str]:
        """Tell which of some tickers that have prices have forecasts, too."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT ticker FROM instruments"  # noqa: S608 - placeholders
                f" WHERE ticker IN ({', '.join('?' * len(tickers))}) AND EXISTS"
                " (SELECT 1 FROM forecasts WHERE forecasts.ticker = instruments.ticker)",
                tickers,
            )
            return {ticker for (ticker,) in rows}

    def since(self, ticker: str, day: str) -> list[LedgerEntry]:
        """Read the forecasts of sessions from a day on, whoever made them, oldest first."""
        entries = [e for e in self._checked(ticker, first=day) if e.target_session >= day]
        return sorted(
            entries, key=lambda e: (e.target_session, e.made_at, e.version, e.horizon, e.pool)
        )

    def latest(
        self, ticker: str, horizon: int, until: str, count: int, pool: str = ""
    ) -> LedgerColumns:
        """Read the latest forecasts of sessions up to a day, oldest first.

        Args:
            until: ISO day: the last target wanted.
            pool: Name of the pooled model that made them; empty for the ticker's own.
        """
        with stored_values(), snapshot(self.connection):
            among = _among(pool, horizon)
            sums = self.checksums.stored(FORECASTS, ticker, among, f"{among}{until[:7]}")
            # Of the last month some are of later sessions: nearly always those forecast last.
            closed, reached = list[Row](), -horizon
            for period in [*list(sums)[:0:-1], ""]:
                reached += sums[period][0] if period else 0
                if period and reached < count:
                    continue
                # In the end whatever is there, also of months that have no checksum.
                rows = self._rows(ticker, pool, horizon, period[-7:], until)
                stored = {each: sums[each] for each in sums if each >= period}
                self.checksums.compare(FORECASTS, ticker, FORECASTS.sums(rows, among), stored)
                # The first column is the session; of whole months not all are wanted.
                closed = [row for row in rows if row[0] <= until]
                if len(closed) >= count:
                    break
            return _columns(ticker, closed[-count:], pool)

    def page(
        self, ticker: str, count: int, offset: int = 0, horizon: int | None = None
    ) -> list[LedgerEntry]:
        """Read some forecasts, the latest sessions first, after skipping offset of them.

        Args:
            horizon: Sessions ahead; None for all.
        """
        with stored_values(), snapshot(self.connection):
            rows = self.connection.execute(
                f"SELECT {', '.join(FORECASTS.columns)} FROM forecasts"  # noqa: S608 - fixed names
                " WHERE ticker = ? AND horizon = coalesce(?, horizon) ORDER BY target_session DESC,"
                " made_at DESC, version DESC, horizon DESC LIMIT ? OFFSET ?",
                (ticker, horizon, count, offset),
            ).fetchall()
            periods = {period for row in rows for period, _ in FORECASTS.periods([row])}
            if faults := self.checksums.faults(FORECASTS, ticker, periods):
                raise damaged(FORECASTS, ticker, faults)
            return [_entry(ticker, row) for row in rows]

    def _checked(
        self,
        ticker: str,
        pool: str | None = None,
        horizon: int | None = None,
        *,
        first: str = "",
        last: str = "",
    ) -> list[LedgerEntry]:
        """Read the forecasts of whole months; see `_checked_rows`."""
        with stored_values():
            rows = self._checked_rows(ticker, pool, horizon, first=first, last=last)
            return [_entry(ticker, row) for row in rows]

    def _checked_rows(
        self, ticker: str, pool: str | None, horizon: int | None, *, first: str, last: str
    ) -> list[Row]:
        """Read the rows of whole months, and compare them with their checksums.

        Args:
            pool: Whose models made them, "" for the ticker's own; None for all.
            horizon: Sessions ahead; None for all. With a pool only.
            first: ISO day of the first month; "" for the earliest.
            last: ISO day of the last one; "" for the latest.

        Returns:
            In the order of their sessions, and then of pool, version and horizon.
        """
        with stored_values(), snapshot(self.connection):
            rows = self._rows(ticker, pool, horizon, first, last)
            first, last = first[:7], f"{last[:7]}~"
            if pool is None or horizon is None:
                among = ""
                stored = {
                    period: sums
                    for period, sums in self.checksums.stored(FORECASTS, ticker).items()
                    if first <= period[-7:] < last
                    and (pool is None or period.rsplit("/", 2)[0] == pool)
                }
            else:
                among = _among(pool, horizon)
                stored = self.checksums.stored(FORECASTS, ticker, among + first, among + last)
            self.checksums.compare(FORECASTS, ticker, FORECASTS.sums(rows, among), stored)
            return rows

    def _rows(
        self, ticker: str, pool: str | None, horizon: int | None, first: str, last: str
    ) -> list[Row]:
        """Read the rows of whole months as they are; see `_checked_rows`."""
        return self.connection.execute(
            f"SELECT {', '.join(FORECASTS.columns)} FROM forecasts"  # noqa: S608 - fixed names
            " WHERE ticker = ?1 AND target_session >= ?2 AND target_session < ?3"
            " AND pool = coalesce(?4, pool) AND horizon = coalesce(?5, horizon)"
            " ORDER BY target_session, pool, version, horizon",
            (ticker, first[:7], f"{last[:7]}~", pool, horizon),
        ).fetchall()


def _under(name: str, entry: LedgerEntry) -> LedgerEntry:
    """Put a forecast under another name of its ticker, as `Ledger.rename` does."""
    if entry.ticker == name:
        return entry
    return entry._replace(ticker=name, pool=entry.pool or entry.ticker)


def _among(pool: str, horizon: int) -> str:
    """Name the periods of such forecasts but for their months; see `FORECASTS`."""
    return f"{pool}/{horizon}/"


def _by_session(entry: LedgerEntry) -> tuple[str, int, int]:
    return entry.target_session, entry.version, entry.horizon


def _entry(ticker: str, row: Row) -> LedgerEntry:
    # By place, and with the faster decoder: an evening may read many thousands.
    target, pool, version, horizon, as_of, last_close, point, quantiles, made_at = row
    grid = _DECODER.decode(quantiles)
    return LedgerEntry(
        ticker, target, version, horizon, as_of, last_close, point, grid, made_at, pool
    )


def _columns(ticker: str, rows: Sequence[Row], pool: str) -> LedgerColumns:
    nothing: Sequence[Row] = [()] * len(FORECASTS.columns)
    target, _, version, horizon, as_of, last_close, point, quantiles, made_at = (
        zip(*rows, strict=True) if rows else nothing
    )
    grids = tuple(map(_DECODER.decode, quantiles))
    return LedgerColumns(
        ticker, target, version, horizon, as_of, last_close, point, grids, made_at, pool
    )


def _values(entry: LedgerEntry) -> Row:
    *before, quantiles, made_at, pool = entry
    return *before, json.dumps(quantiles), made_at, pool
