"""Checksums of the database's rows: what is read is what was written.

They are written in the transaction that writes the rows, and compared by whatever reads them. A
checksum is of all rows of an owner and a month, so that a forecast need not read a whole history.
CRC-32 finds what a failing disk or a slip of the hand did; who means harm can write a new one.
"""

import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import msgspec
import numpy as np

from stocklstm.core.prices.series import Dates, Floats
from stocklstm.errors import SchemaError

if TYPE_CHECKING:
    from stocklstm.core.prices.price_days import DaysRow

Row = tuple[Any, ...]

Sums = dict[str, tuple[int, int]]
"""Number of rows and CRC-32 of them, by period."""

_encode = msgspec.msgpack.Encoder().encode

# After every month of a year, and every day of a month.
_AFTER = "~"


class Part(NamedTuple):
    """Rows that are summed up together.

    Attributes:
        name: What the table of checksums calls it.
        words: What messages call it.
        table: Where its rows are.
        owner: Column of the ticker or the exchange that they are of.
        columns: Columns that are summed up; those that put the rows of an owner in order first.
        order: How many columns that takes.
        day: Column by whose month the rows are divided; "" if they are not.
        also: Columns that divide them further.
        quickly: Sums up rows in another way, if it can; None for the usual one.
        mend: What makes them anew, given the owner.
        schema: That from which on the database has them.
        derive: Reads what they must be, given the owner, from the rows of `origin`; None if they
            follow from no others.
        origin: Part that they follow from.
    """

    name: str
    words: str
    table: str
    owner: str
    columns: tuple[str, ...]
    order: int = 1
    day: str = ""
    also: tuple[str, ...] = ()
    quickly: Callable[[Sequence[Row]], Sums | None] | None = None
    mend: str = ""
    schema: int = 7
    derive: Callable[[sqlite3.Connection, str], Sequence[Row]] | None = None
    origin: "Part | None" = None

    def periods(self, rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
        """Divide the rows of an owner into periods, in the order of these."""
        if not self.day:
            if rows:
                yield "", list(rows)
            return
        if not self.also:
            yield from self._months(rows, "")
            return
        day = self.columns.index(self.day)
        also = itemgetter(*(self.columns.index(name) for name in self.also))
        # Rows are many and periods few: only these are given their names.
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            groups.setdefault((also(row), row[day][:7]), []).append(row)
        named = {"/".join(map(str, (*way, month))): group for (way, month), group in groups.items()}
        yield from sorted(named.items(), key=itemgetter(0))

    def _months(self, rows: Sequence[Row], among: str) -> Iterator[tuple[str, list[Row]]]:
        day, start = itemgetter(self.columns.index(self.day)), 0
        while start < len(rows):
            month = day(rows[start])[:7]
            # Rows are in the order of their days: fewer of them are looked at than there are.
            end = max(start + 1, bisect_left(rows, f"{month}{_AFTER}", start, key=day))
            yield f"{among}{month}", list(rows[start:end])
            start = end

    def sums(self, rows: Sequence[Row], among: str = "") -> Sums:
        """Sum up the rows of an owner, which are in order.

        Args:
            among: What the names of their periods begin with, if all begin with it and only the
                months differ; "" if that is not known.
        """
        if self.quickly is not None and (sums := self.quickly(rows)) is not None:
            return sums
        groups = self._months(rows, among) if among else self.periods(rows)
        return {name: (len(group), crc32(_encode(group))) for name, group in groups}


_PRICES = ("date", "open", "high", "low", "close", "adj_close", "volume")


def _sum_prices(rows: Sequence[Row]) -> Sums | None:
    """Sum up rows of prices; None where a day among them is none."""
    try:
        dates = np.array([row[0] for row in rows], "datetime64[D]")
    except ValueError:
        return None
    values = np.array([row[1:] for row in rows], np.float64).reshape(len(rows), len(_PRICES) - 1)
    return price_sums(dates, values.T)


def price_sums(dates: Dates, columns: Floats) -> Sums:
    """Sum up prices without a Python object for each.

    Args:
        dates: (N,) days, increasing.
        columns: (6, N) open, high, low, close, adjusted close, volume; NaN where there is none.
    """
    if not len(dates):
        return {}
    table = np.empty((len(dates), len(_PRICES)), "<f8")
    table.view("<i8")[:, 0] = dates.astype(np.int64)
    table[:, 1:] = columns.T
    content, size = table.tobytes(), table.strides[0]
    return {
        name: (end - start, crc32(content[start * size : end * size]))
        for name, start, end in _month_rows(dates.astype("datetime64[M]").tobytes())
    }


@lru_cache(maxsize=8)
def _month_rows(months: bytes) -> list[tuple[str, int, int]]:
    """Name the months of some rows, each with the first of its rows and the one after the last.

    Most tickers have the very same days.

    Args:
        months: The month of each row, datetime64[M], in order.
    """
    every = np.frombuffer(months, "datetime64[M]")
    first = np.flatnonzero(np.concatenate(([True], every[1:] != every[:-1])))
    edges = [*first.tolist(), len(every)]
    return list(zip(every[first].astype(str).tolist(), edges[:-1], edges[1:], strict=True))


_FETCH = "stocklstm fetch --ticker {} --full gets them anew; or stocklstm restore a backup"
_RESTORE = "stocklstm restore FILE, of a backup"

PRICES = Part("prices", "prices", "prices", "ticker", _PRICES, 1, "date", (), _sum_prices, _FETCH)
ORIGINS = Part(
    "origins",
    "sources of prices",
    "prices",
    "ticker",
    ("date", "source", "fetched_at"),
    day="date",
    mend=_FETCH,
)
ACTIONS = Part(
    "actions",
    "dividends and splits",
    "actions",
    "ticker",
    ("date", "kind", "value"),
    order=2,
    mend=_FETCH,
)
INSTRUMENT = Part(
    "instrument",
    "currency and calendar",
    "instruments",
    "ticker",
    ("currency", "exchange", "time_zone", "source", "fetched_at", "calendar"),
    order=0,
    mend=_FETCH,
)
PRICE_LOG = Part(
    "price_log",
    "log of prices",
    "price_log",
    "ticker",
    ("id", "at", "source", "kind", "first", "last", "rows", "detail"),
    mend=_RESTORE,
)
SESSIONS = Part(
    "sessions",
    "sessions",
    "sessions",
    "exchange",
    ("date", "closes_at"),
    day="date",
    mend="stocklstm fetch gets them anew with the prices of its tickers; or stocklstm restore "
    "a backup",
)
FORECASTS = Part(
    "forecasts",
    "forecasts on record",
    "forecasts",
    "ticker",
    (
        "target_session",
        "pool",
        "version",
        "horizon",
        "as_of",
        "last_close",
        "point",
        "quantiles",
        "made_at",
    ),
    order=4,
    day="target_session",
    also=("pool", "horizon"),
    mend=_RESTORE,
)


def days_of(
    connection: sqlite3.Connection, ticker: str, start: str = "", before: "Sequence[DaysRow]" = ()
) -> Sequence[Row]:
    """Find out from the prices of a ticker what the rows of `PRICE_DAYS` must be.

    Args:
        start: ISO day from which on to look at the prices.
        before: What was found earlier, which still holds before that day.
    """
    # No forecast needs them.
    from stocklstm.core.prices.price_days import days_by_source

    found = connection.execute(
        "SELECT source, group_concat(date, '') FROM prices WHERE ticker = ? AND date >= ?"
        " GROUP BY source",
        (ticker, start),
    )
    return days_by_source(found, start, before)


PRICE_DAYS = Part(
    "price_days",
    "days of prices",
    "price_days",
    "ticker",
    ("source", "first", "days"),
    mend=_FETCH,
    schema=8,
    derive=days_of,
    origin=ORIGINS,
)

_FETCH_INTRADAY = (
    "stocklstm fetch --ticker {} --intraday --full gets anew what Yahoo still has of them, and "
    "drops the rest of these months; or stocklstm restore a backup"
)

REALISED = Part(
    "realised",
    "intraday sessions",
    "realised",
    "ticker",
    (
        "date",
        "minutes",
        "realised",
        "ranges",
        "bipower",
        "bars",
        "first",
        "last",
        "usable",
        "source",
        "fetched_at",
    ),
    order=2,
    day="date",
    mend=_FETCH_INTRADAY,
    schema=9,
)
INTRADAY_BARS = Part(
    "intraday_bars",
    "intraday bars",
    "intraday_bars",
    "ticker",
    ("date", "minutes", "bars"),
    order=2,
    day="date",
    mend=_FETCH_INTRADAY,
    schema=9,
)

PARTS = (
    PRICES,
    ORIGINS,
    ACTIONS,
    INSTRUMENT,
    PRICE_LOG,
    SESSIONS,
    FORECASTS,
    PRICE_DAYS,
    REALISED,
    INTRADAY_BARS,
)


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Let all that is read inside be of one moment, whoever writes meanwhile."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        # Nothing was written; a failing disk may have ended it already.
        connection.rollback()


class Checksums:
    """The table of checksums."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def stored(self, part: Part, owner: str, first: str = "", last: str = _AFTER) -> Sums:
        """Read the checksums of an owner's periods, from the first to the last of these names."""
        rows = self.connection.execute(
            "SELECT period, rows, crc32 FROM checksums WHERE part = ? AND owner = ?"
            " AND period >= ? AND period <= ? ORDER BY period",
            (part.name, owner, first, last),
        )
        return {period: (count, crc) for period, count, crc in rows}

    def parts_of(self, owner: str) -> set[str]:
        """Name the parts in which an owner has rows that were vouched for."""
        rows = self.connection.execute(
            "SELECT DISTINCT part FROM checksums WHERE owner = ?", (owner,)
        )
        return {part for (part,) in rows}

    def compare(self, part: Part, owner: str, found: Sums, stored: Sums) -> None:
        """Refuse rows that are not what was stored.

        Raises:
            SchemaError: They are not.
        """
        if found != stored:
            raise damaged(part, owner, differing(found, stored))

    def read(self, part: Part, owner: str, first: str = "", last: str = "") -> list[Row]:
        """Read the rows of an owner, and compare them with their checksums.

        Args:
            first: ISO day from whose month on they are read; "" for the earliest.
            last: The last one; "" for the latest.

        Raises:
            SchemaError: They are not what was stored.
        """
        with snapshot(self.connection):
            rows = self._rows(part, owner, first[:7], last[:7])
            stored = self.stored(part, owner, first[:7], last[:7] or _AFTER)
        self.compare(part, owner, part.sums(rows), stored)
        return rows

    def reader(
        self, parts: Iterable[Part], owners: Sequence[str] | None = None
    ) -> Callable[[Part, str], list[Row]]:
        """Read all rows of some parts in few queries; what it returns gives those of an owner.

        It does what `read` does without days, and is to be used while they are what is stored: see
        `snapshot`.

        Args:
            owners: Whose rows to read; None for those of all.
        """
        found = {part.name: self._all(part, owners) for part in parts}

        def read(part: Part, owner: str) -> list[Row]:
            if (every := found[part.name]) is None:
                return self.read(part, owner)
            rows, stored = every[0].get(owner, []), every[1].get(owner, {})
            self.compare(part, owner, part.sums(rows), stored)
            return rows

        return read

    def _all(
        self, part: Part, owners: Sequence[str] | None
    ) -> tuple[dict[str, list[Row]], dict[str, Sums]] | None:
        """Read rows and checksums by owner; None if damage to the file is in the way of some."""
        rows: dict[str, list[Row]] = {}
        stored: dict[str, Sums] = {}
        order = ", ".join((part.owner, *part.columns[: part.order]))
        chosen = () if owners is None else owners

        def among(column: str) -> str:
            return "true" if owners is None else f"{column} IN ({', '.join('?' * len(owners))})"

        try:
            for owner, *row in self.connection.execute(
                f"SELECT {part.owner}, {', '.join(part.columns)} FROM {part.table}"  # noqa: S608 - fixed names
                f" WHERE {among(part.owner)} ORDER BY {order}",
                chosen,
            ):
                rows.setdefault(owner, []).append(tuple(row))
            for owner, period, count, crc in self.connection.execute(
                "SELECT owner, period, rows, crc32 FROM checksums"  # noqa: S608 - fixed names
                f" WHERE part = ? AND {among('owner')}",
                (part.name, *chosen),
            ):
                stored.setdefault(owner, {})[period] = (count, crc)
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return None
        return rows, stored

    def require(self, part: Part, owner: str) -> None:
        """Compare all rows of an owner with their checksums.

        Raises:
            SchemaError: They are not what was stored.
        """
        if faults := self.faults(part, owner):
            raise damaged(part, owner, faults)

    def faults(self, part: Part, owner: str, periods: Collection[str] | None = None) -> list[str]:
        """List the periods whose rows are not what was stored; of all, or of those given.

        Rows that follow from others are also compared with these.
        """
        within = () if not periods else (min(periods), max(periods))
        with snapshot(self.connection):
            found, stored = self._sums(part, owner, periods), self.stored(part, owner, *within)
            wrong = {*differing(found, stored)}
            if part.derive is not None:
                derived = part.sums(part.derive(self.connection, owner))
                wrong.update(differing(derived, stored))
        return sorted(period for period in wrong if periods is None or period in periods)

    def all_faults(self) -> list[str]:
        """Say of which rows of the database the checksums are wrong."""
        (schema,) = self.connection.execute("PRAGMA user_version").fetchone()
        return [
            fault_words(part, owner, faults)
            for part in PARTS
            if part.schema <= schema
            for owner in self.owners(part)
            if (faults := self.faults(part, owner))
        ]

    @contextmanager
    def kept(self, part: Part, owner: str, periods: Collection[str]) -> Iterator[None]:
        """Renew the checksums of the periods that are written to inside.

        Those that were wrong before stay as they were: what is written beside damaged rows does not
        make these sound. In a transaction of the caller's.
        """
        damaged = self.faults(part, owner, periods)
        yield
        self.renew(part, owner, [period for period in periods if period not in damaged])

    def renew_after(self, part: Part, owner: str, added: Collection[Row]) -> None:
        """Renew the checksums of the periods to which rows were added, with one look at these.

        Those that are wrong without the new rows stay as they are; see `kept`. In a transaction
        of the caller's.
        """
        keys = {row[: part.order] for row in added}
        periods = {period for row in added for period, _ in part.periods([row])}
        rows, among = self._within(part, owner, periods)
        earlier = part.sums([row for row in rows if row[: part.order] not in keys], among)
        stored = self.stored(part, owner, min(periods), max(periods))
        sums = part.sums(rows, among)
        sound = {p: sums[p] for p in periods if earlier.get(p) == stored.get(p)}
        self._replace(part, owner, sound, ())

    def renew(self, part: Part, owner: str, periods: Collection[str] | None = None) -> None:
        """Vouch for the rows of all periods as they are, or of those given.

        Rows that follow from others are made anew first.
        """
        if part.derive is not None:
            self.replace(part, owner, self.derived(part, owner))
            return
        found = self._sums(part, owner, periods)
        self._replace(part, owner, found, self.stored(part, owner) if periods is None else periods)

    def derived(self, part: Part, owner: str) -> Sequence[Row]:
        """Find out what rows that follow from others must be; none if those are damaged."""
        # What follows from damaged rows would look sound.
        if part.derive is None or (part.origin is not None and self.faults(part.origin, owner)):
            return ()
        return part.derive(self.connection, owner)

    def count(self, part: Part, owner: str) -> int:
        """Count the rows of an owner that were vouched for, whether they are still there or not."""
        return sum(rows for rows, _ in self.stored(part, owner).values())

    def replace(self, part: Part, owner: str, rows: Sequence[Row]) -> None:
        """Put rows in the place of all that an owner has, and vouch for them.

        In a transaction of the caller's.
        """
        if self._rows(part, owner) != rows:
            self.connection.execute(
                f"DELETE FROM {part.table} WHERE {part.owner} = ?",  # noqa: S608 - fixed names
                (owner,),
            )
            self.connection.executemany(
                f"INSERT INTO {part.table} ({part.owner}, {', '.join(part.columns)})"  # noqa: S608 - fixed names
                f" VALUES (?{', ?' * len(part.columns)})",
                [(owner, *row) for row in rows],
            )
        self._replace(part, owner, part.sums(rows), self.stored(part, owner))

    def _replace(self, part: Part, owner: str, sums: Sums, earlier: Iterable[str]) -> None:
        """Write checksums, in the place of those of some periods."""
        self.connection.executemany(
            "DELETE FROM checksums WHERE part = ? AND owner = ? AND period = ?",
            [(part.name, owner, period) for period in earlier if period not in sums],
        )
        # What is right already is not written again: a forecast that is on record must not look
        # like a change of the store, after which a server computes everything anew.
        self.connection.executemany(
            "INSERT INTO checksums VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (part, owner, period) DO UPDATE"
            " SET rows = excluded.rows, crc32 = excluded.crc32"
            " WHERE rows IS NOT excluded.rows OR crc32 IS NOT excluded.crc32",
            [(part.name, owner, period, *each) for period, each in sums.items()],
        )

    def vouch_for_all(self, parts: Iterable[Part] = PARTS) -> None:
        """Make the checksums of all rows that can have been written so, and drop all others.

        In a transaction of the caller's.
        """
        try:
            self._vouch_for_all(parts)
        except sqlite3.OperationalError as error:
            # Only what SQLite itself says has a code. A text that is no UTF-8 is never vouched for,
            # and stops nobody from working with the others.
            if hasattr(error, "sqlite_errorcode"):
                raise
            with _undecodable_replaced(self.connection):
                self._vouch_for_all(parts)

    def _vouch_for_all(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self.connection.execute("DELETE FROM checksums WHERE part = ?", (part.name,))
            for owner in self.owners(part):
                self.vouch_for(part, owner)

    def vouch_for(self, part: Part, owner: str) -> list[str]:
        """Make the checksums of an owner's rows; list the periods that cannot be written so.

        These have none. In a transaction of the caller's.
        """
        from stocklstm.core.stored_words import are_sound

        if part.derive is not None:
            self.replace(part, owner, self.derived(part, owner))
        rows = self._rows(part, owner)
        sums = part.sums(rows)
        if not are_sound(part.table, (part.owner,), [(owner,)]):
            self._replace(part, owner, {}, self.stored(part, owner))
            return list(sums)
        unsound = [
            period
            for period, group in (
                [] if are_sound(part.table, part.columns, rows) else part.periods(rows)
            )
            if not are_sound(part.table, part.columns, group)
        ]
        self._replace(
            part, owner, {p: sums[p] for p in sums if p not in unsound}, self.stored(part, owner)
        )
        return unsound

    def owners(self, part: Part) -> list[str]:
        """List whom there are rows or checksums of."""
        rows = self.connection.execute(
            f"SELECT DISTINCT {part.owner} FROM {part.table}"  # noqa: S608 - fixed names
            " UNION SELECT DISTINCT owner FROM checksums WHERE part = ? ORDER BY 1",
            (part.name,),
        )
        owners = [owner for (owner,) in rows]
        return owners if part.origin is None else sorted({*owners, *self.owners(part.origin)})

    def _sums(self, part: Part, owner: str, periods: Collection[str] | None) -> Sums:
        if periods is None:
            return part.sums(self._rows(part, owner))
        if not periods:
            return {}
        found = part.sums(*self._within(part, owner, periods))
        return {period: sums for period, sums in found.items() if period in periods}

    def _within(self, part: Part, owner: str, periods: Collection[str]) -> tuple[list[Row], str]:
        """Read the rows of some periods and perhaps of others between; see `_rows` and `sums`."""
        # Every period ends with its month.
        months = [period[-7:] for period in periods]
        ways = {period[:-7] for period in periods}
        among = ways.pop() if len(ways) == 1 else ""
        return self._rows(part, owner, min(months), max(months), among), among

    def _rows(
        self, part: Part, owner: str, first: str = "", last: str = "", among: str = ""
    ) -> list[Row]:
        """Read rows from the first to the last of two months, "" for no end.

        Args:
            among: What the names of their periods begin with; "" for all.
        """
        within = f" AND {part.day} >= ? AND {part.day} < ?" if part.day else ""
        values = (owner, first, f"{last}{_AFTER}") if part.day else (owner,)
        if among:
            within += " AND " + " || '/' || ".join(part.also) + " || '/' = ?"
            values = (*values, among)
        order = ", ".join(part.columns[: part.order]) or "1"
        return self.connection.execute(
            f"SELECT {', '.join(part.columns)} FROM {part.table}"  # noqa: S608 - fixed names
            f" WHERE {part.owner} = ?{within} ORDER BY {order}",
            values,
        ).fetchall()


@contextmanager
def _undecodable_replaced(connection: sqlite3.Connection) -> Iterator[None]:
    """Read texts that are no UTF-8 as others, which nothing stored is equal to."""
    usual = connection.text_factory
    connection.text_factory = lambda content: content.decode(errors="replace")
    try:
        yield
    finally:
        connection.text_factory = usual


def differing(found: Mapping[str, object], stored: Mapping[str, object]) -> list[str]:
    """List the periods of which two sums disagree, in order."""
    return [
        period
        for period in sorted(found.keys() | stored.keys())
        if found.get(period) != stored.get(period)
    ]


def damaged(part: Part, owner: str, periods: Sequence[str]) -> SchemaError:
    """Make the error that rows are not what was stored."""
    return SchemaError(
        f"the database stocklstm.db is damaged: {fault_words(part, owner, periods)}",
        hint=part.mend.format(owner),
    )


def fault_words(part: Part, owner: str, periods: Sequence[str]) -> str:
    """Say of what rows the checksums are wrong."""
    months = sorted({period[-7:] for period in periods if period})
    when = f" in {months[0]}" if months else ""
    more = f" and {len(months) - 1} more months" if len(months) > 1 else ""
    return f"the {part.words} of {owner}{when}{more} are not what was stored"
