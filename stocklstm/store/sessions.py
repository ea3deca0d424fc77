"""Trading sessions of the exchanges, so that a forecast needs no calendar library."""

import sqlite3

import numpy as np

from stocklstm.core.prices.series import Dates
from stocklstm.store.database import stored_values, transaction


class SessionStore:
    """Dates on which exchanges trade, with the UTC time each session ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def put(self, exchange: str, dates: Dates, closes_utc: Dates) -> None:
        """Replace the sessions of an exchange between the first and the last of these dates.

        Args:
            dates: (N,) sessions, increasing; none changes nothing.
            closes_utc: (N,) UTC times at which they end.
        """
        if not len(dates):
            return
        days = np.datetime_as_string(dates, unit="D").tolist()
        ends = [f"{end}Z" for end in np.datetime_as_string(closes_utc, unit="s").tolist()]
        with transaction(self.connection):
            span = (exchange, days[0], days[-1])
            # Most evenings there is nothing to write, and thousands of rows not to.
            stored = self.connection.execute(
                "SELECT date, closes_at FROM sessions WHERE exchange = ?"
                " AND date BETWEEN ? AND ? ORDER BY date",
                span,
            ).fetchall()
            if stored == list(zip(days, ends, strict=True)):
                return
            self.connection.execute(
                "DELETE FROM sessions WHERE exchange = ? AND date BETWEEN ? AND ?", span
            )
            self.connection.executemany(
                "INSERT INTO sessions VALUES (?, ?, ?)",
                [(exchange, day, end) for day, end in zip(days, ends, strict=True)],
            )

    def between(self, exchange: str, first: str, last: str) -> Dates:
        """List the known sessions of an exchange between two ISO days, both included."""
        with stored_values():
            rows = self.connection.execute(
                "SELECT date FROM sessions WHERE exchange = ? AND date BETWEEN ? AND ?"
                " ORDER BY date",
                (exchange, first, last),
            )
            return np.array([day for (day,) in rows], "datetime64[D]")

    def ends(self, exchange: str, first: str, last: str) -> dict[str, str]:
        """Look up when the sessions between two ISO days end: UTC timestamps by ISO day."""
        with stored_values():
            rows = self.connection.execute(
                "SELECT date, closes_at FROM sessions WHERE exchange = ? AND date BETWEEN ? AND ?",
                (exchange, first, last),
            )
            return {str(day): str(end) for day, end in rows}

    def next_after(self, exchange: str, date: str, count: int = 1) -> str:
        """Find the count-th session after an ISO day; weekdays where the calendar ends."""
        with stored_values():
            known = [
                np.datetime64(day, "D")
                for (day,) in self.connection.execute(
                    "SELECT date FROM sessions WHERE exchange = ? AND date > ?"
                    " ORDER BY date LIMIT ?",
                    (exchange, date, count),
                )
            ]
            if len(known) == count:
                return str(known[-1])
        last = known[-1] if known else np.datetime64(date, "D")
        missing = count - len(known)
        return str(np.busday_offset(last + 1, missing - 1, roll="forward"))

    def ended_since(self, exchange: str, date: str, now: str) -> int:
        """Count the sessions after an ISO day that have ended by a UTC timestamp.

        Weekdays count where nothing is known of the exchange after that day.
        """
        with stored_values():
            last, ended = self.connection.execute(
                "SELECT max(date), coalesce(sum(closes_at <= ?), 0) FROM sessions"
                " WHERE exchange = ? AND date > ?",
                (now, exchange, date),
            ).fetchone()
            # Weekdays stand in for what the calendar does not reach.
            unknown_from = np.datetime64(last or date, "D") + 1
        weekdays = int(np.busday_count(unknown_from, np.datetime64(now[:10], "D")))
        return int(ended) + max(0, weekdays)
