"""Trading sessions of the exchanges, so that a forecast needs no calendar library."""

import sqlite3

import numpy as np

from stocklstm.core.prices.series import Dates
from stocklstm.store.checksums import SESSIONS, Checksums
from stocklstm.store.database import stored_values, transaction

_DAY = np.timedelta64(1, "D")


class SessionStore:
    """Dates on which exchanges trade, with the UTC time each session ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.checksums = Checksums(connection)

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
            given = list(zip(days, ends, strict=True))
            damaged = set(self.checksums.faults(SESSIONS, exchange))
            if stored == given and not damaged:
                return
            self.connection.execute(
                "DELETE FROM sessions WHERE exchange = ? AND date BETWEEN ? AND ?", span
            )
            self.connection.executemany(
                "INSERT INTO sessions VALUES (?, ?, ?)",
                [(exchange, day, end) for day, end in given],
            )
            # What is left of a damaged month at either end is no sounder than it was.
            lasting = damaged & {
                day[:7]
                for (day,) in self.connection.execute(
                    "SELECT date FROM sessions WHERE exchange = ? AND date NOT BETWEEN ? AND ?",
                    span,
                )
            }
            months = {day[:7] for day, _ in [*stored, *given]} | damaged
            self.checksums.renew(SESSIONS, exchange, months - lasting)

    def between(self, exchange: str, first: str, last: str) -> Dates:
        """List the known sessions of an exchange between two ISO days, both included."""
        with stored_values():
            rows = self._between(exchange, first, last)
            return np.array([day for day, _ in rows], "datetime64[D]")

    def ends(self, exchange: str, first: str, last: str) -> dict[str, str]:
        """Look up when the sessions between two ISO days end: UTC timestamps by ISO day."""
        with stored_values():
            return dict(self._between(exchange, first, last))

    def next_after(self, exchange: str, date: str, count: int = 1) -> str:
        """Find the count-th session after an ISO day; weekdays where the calendar ends."""
        with stored_values():
            days = [day for day, _ in self._between(exchange, date, "") if day > date][:count]
            if len(days) == count:
                return days[-1]
            last = np.datetime64(days[-1] if days else date, "D")
        missing = count - len(days)
        return str(np.busday_offset(last + _DAY, missing - 1, roll="forward"))

    def ended_since(self, exchange: str, date: str, now: str) -> int:
        """Count the sessions after an ISO day that have ended by a UTC timestamp.

        Weekdays count where nothing is known of the exchange after that day.
        """
        with stored_values():
            later = [row for row in self._between(exchange, date, "") if row[0] > date]
            # Weekdays stand in for what the calendar does not reach.
            unknown_from = np.datetime64(later[-1][0] if later else date, "D") + _DAY
        weekdays = int(np.busday_count(unknown_from, np.datetime64(now[:10], "D")))
        return sum(end <= now for _, end in later) + max(0, weekdays)

    def _between(self, exchange: str, first: str, last: str) -> list[tuple[str, str]]:
        """Read the days and ends of sessions between two ISO days, the last one "" for no end."""
        rows = self.checksums.read(SESSIONS, exchange, first, last)
        return [(day, end) for day, end in rows if first <= day and (not last or day <= last)]
