"""Stored intraday sessions: what was measured of each, and its bars where somebody keeps them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from stocklstm.core.prices.realised import IntradayBars, RealisedSessions
from stocklstm.core.prices.series import parse_days
from stocklstm.store.checksums import INTRADAY_BARS, REALISED, Checksums, Row

# A start and four prices.
_WORDS_OF_A_BAR = 5

# Places in a row of `REALISED`.
_BARS, _USABLE, _SOURCE, _FETCHED_AT = 5, 8, 9, 10

_Key = tuple[str, int]


class Kept(NamedTuple):
    """What storing sessions changed.

    Attributes:
        added: Rows that were not there.
        revised: Rows that took the place of others.
        dropped: Damaged rows that are gone.
    """

    added: int
    revised: int
    dropped: int


def read_sessions(
    checksums: Checksums, ticker: str, since: str | None, known: str | None = None
) -> RealisedSessions:
    """Read the sessions of a ticker from an ISO day on, by date and length of bars; maybe none.

    Args:
        known: UTC timestamp after which nothing of them was stored; None for all.

    Raises:
        SchemaError: They are not what was stored.
    """
    rows = checksums.read(REALISED, ticker, since or "")
    return _sessions(
        [
            row
            for row in rows
            if (since is None or row[0] >= since) and (known is None or row[_FETCHED_AT] <= known)
        ]
    )


def damaged_sessions(checksums: Checksums, ticker: str) -> RealisedSessions:
    """Read the sessions of a ticker as they are, sound or not."""
    columns = ", ".join(REALISED.columns)
    rows = checksums.connection.execute(
        f"SELECT {columns} FROM realised WHERE ticker = ? ORDER BY date, minutes",  # noqa: S608 - fixed names
        (ticker,),
    )
    return _sessions(rows.fetchall())


def read_bars(checksums: Checksums, ticker: str) -> list[tuple[str, IntradayBars]]:
    """Read the bars that are kept of a ticker, session by session, with its ISO day.

    Raises:
        SchemaError: They are not what was stored.
    """
    rows = checksums.read(INTRADAY_BARS, ticker)
    return [(date, _bars(minutes, content)) for date, minutes, content in rows]


def has_sessions(checksums: Checksums, ticker: str, source: str) -> bool:
    """Tell whether a source gave any of the stored sessions."""
    return _exists(checksums, "realised WHERE ticker = ? AND source = ?", ticker, source)


def tickers_with_sessions(checksums: Checksums) -> set[str]:
    """Name the tickers that have sessions, sound or not."""
    rows = checksums.connection.execute("SELECT DISTINCT ticker FROM realised")
    return {ticker for (ticker,) in rows}


def has_bars(checksums: Checksums, ticker: str) -> bool:
    """Tell whether bars of a ticker are kept."""
    return _exists(checksums, "intraday_bars WHERE ticker = ?", ticker)


def last_session(checksums: Checksums, ticker: str, most_minutes: int) -> str | None:
    """Look up the last ISO day that is stored with bars of a length or less; None if none is."""
    (day,) = checksums.connection.execute(
        "SELECT max(date) FROM realised WHERE ticker = ? AND minutes <= ?",
        (ticker, most_minutes),
    ).fetchone()
    return None if day is None else str(day)


def keep_sessions(
    checksums: Checksums,
    ticker: str,
    sessions: RealisedSessions,
    origin: tuple[str, str],
    bars: Mapping[str, IntradayBars],
    *,
    anew: bool,
    mend: bool,
) -> Kept:
    """Store sessions, in a transaction of the caller's; see `PriceStore.keep_realised`.

    Args:
        origin: Source and UTC timestamp.
    """
    given = {(row[0], row[1]): (*row, *origin) for row in _rows(sessions)}
    months = {date[:7] for date, _ in given}
    looked_at = None if mend else months
    faults = set(checksums.faults(REALISED, ticker, looked_at))
    bar_faults = set(checksums.faults(INTRADAY_BARS, ticker, looked_at))
    doubtful = faults | bar_faults
    dropped = _drop(checksums, ticker, faults, doubtful) if mend else 0
    stored = _stored(checksums, ticker, months)
    # Of a session that was measured by several lengths the bars are of one.
    to_keep = {(date, of_day.minutes) for date, of_day in bars.items()}
    if to_keep:
        to_keep -= _with_bars(checksums, ticker)
    written = {
        key: row
        for key, row in given.items()
        if key[0][:7] in doubtful
        or _is_better(row, stored.get(key), anew=anew)
        or (key in to_keep and _is_same(row, stored[key]))
    }
    _write(checksums, ticker, written, bars)
    touched = {date[:7] for date, _ in written}
    if mend:
        touched |= doubtful
        faults, bar_faults = set(), set()
    # What lasts of a damaged month is as doubtful as before.
    lasting = {date[:7] for date, _ in stored.keys() - written.keys()}
    checksums.renew(REALISED, ticker, touched - (faults & lasting))
    checksums.renew(INTRADAY_BARS, ticker, touched - bar_faults)
    revised = len(written.keys() & stored.keys())
    return Kept(len(written) - revised, revised, dropped)


def _exists(checksums: Checksums, rows: str, *values: str) -> bool:
    (found,) = checksums.connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM {rows})",  # noqa: S608 - fixed names
        values,
    ).fetchone()
    return bool(found)


def _stored(checksums: Checksums, ticker: str, months: set[str]) -> dict[_Key, Row]:
    if not months:
        return {}
    rows = checksums.connection.execute(
        f"SELECT {', '.join(REALISED.columns)} FROM realised"  # noqa: S608 - fixed names
        " WHERE ticker = ? AND date >= ? AND date < ?",
        (ticker, min(months), f"{max(months)}~"),
    )
    return {(row[0], row[1]): row for row in rows}


def _with_bars(checksums: Checksums, ticker: str) -> set[_Key]:
    """List the sessions whose bars are kept."""
    return set(
        checksums.connection.execute(
            "SELECT date, minutes FROM intraday_bars WHERE ticker = ?", (ticker,)
        )
    )


def _drop(checksums: Checksums, ticker: str, faults: set[str], doubtful: set[str]) -> int:
    """Delete the rows of damaged months, and say how many sessions these were."""
    dropped = 0
    for part, months in ((REALISED, faults), (INTRADAY_BARS, doubtful)):
        for month in months:
            gone = checksums.connection.execute(
                f"DELETE FROM {part.table} WHERE ticker = ? AND date >= ? AND date < ?",  # noqa: S608 - fixed names
                (ticker, month, f"{month}~"),
            )
            dropped += gone.rowcount if part is REALISED else 0
    return dropped


def _is_better(given: Row, stored: Row | None, *, anew: bool) -> bool:
    """Tell whether a session is to be stored; with fewer bars than are stored it is not.

    Args:
        anew: Believe that it can no longer be used, as after its daily row was corrected.
    """
    if stored is None:
        return True
    ranks = [(anew or row[_USABLE], row[_BARS]) for row in (given, stored)]
    return ranks[0] >= ranks[1] and not _is_same(given, stored)


def _is_same(given: Row, stored: Row) -> bool:
    """Tell whether two rows say the same, wherever they came from."""
    return given[:_SOURCE] == stored[:_SOURCE]


def _write(
    checksums: Checksums,
    ticker: str,
    written: Mapping[_Key, Row],
    bars: Mapping[str, IntradayBars],
) -> None:
    """Write rows, and their bars if these are given; others of the same rows are no longer true."""
    connection = checksums.connection
    connection.executemany(
        "DELETE FROM intraday_bars WHERE ticker = ? AND date = ? AND minutes = ?",
        [(ticker, *key) for key in written],
    )
    for part, rows in (
        (REALISED, list(written.values())),
        (INTRADAY_BARS, list(_bar_rows(written, bars))),
    ):
        connection.executemany(
            f"INSERT OR REPLACE INTO {part.table} (ticker, {', '.join(part.columns)})"  # noqa: S608 - fixed names
            f" VALUES (?{', ?' * len(part.columns)})",
            [(ticker, *row) for row in rows],
        )


def _rows(sessions: RealisedSessions) -> Iterator[Row]:
    columns = (
        np.datetime_as_string(sessions.dates, unit="D").tolist() if len(sessions) else [],
        sessions.minutes.tolist(),
        sessions.realised.tolist(),
        sessions.ranges.tolist(),
        sessions.bipower.tolist(),
        sessions.bars.tolist(),
        sessions.firsts.tolist(),
        sessions.lasts.tolist(),
        sessions.usable.astype(np.int64).tolist(),
    )
    return zip(*columns, strict=True)


def _sessions(rows: Sequence[Row]) -> RealisedSessions:
    dates, minutes, *columns = list(zip(*rows, strict=True))[:9] or [()] * 9
    realised, ranges, bipower = (np.array(column, np.float64) for column in columns[:3])
    bars, firsts, lasts = (np.array(column, np.int64) for column in columns[3:6])
    return RealisedSessions(
        dates=parse_days(list(dates)),
        minutes=np.array(minutes, np.int64),
        realised=realised,
        ranges=ranges,
        bipower=bipower,
        bars=bars,
        firsts=firsts,
        lasts=lasts,
        usable=np.array(columns[6], bool),
    )


def _bar_rows(written: Mapping[_Key, Row], bars: Mapping[str, IntradayBars]) -> Iterator[Row]:
    for date, minutes in written:
        of_day = bars.get(date)
        if of_day is not None and of_day.minutes == minutes and len(of_day):
            table = np.empty((len(of_day), _WORDS_OF_A_BAR), "<f8")
            table.view("<i8")[:, 0] = of_day.starts
            for place, name in enumerate(("opens", "highs", "lows", "closes"), 1):
                table[:, place] = getattr(of_day, name)
            yield date, minutes, table.tobytes()


def _bars(minutes: int, content: bytes) -> IntradayBars:
    table = np.frombuffer(content, "<f8").reshape(-1, _WORDS_OF_A_BAR)
    starts = table.view("<i8")[:, 0].astype(np.int64)
    return IntradayBars(starts, minutes, *(table[:, n].copy() for n in range(1, _WORDS_OF_A_BAR)))
