"""Stored prices: new rows are merged in, none is ever deleted."""

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stocklstm.core.prices.series import (
    JITTER,
    Action,
    Bars,
    Dates,
    DayVariances,
    Flags,
    Floats,
    Instrument,
    fill_missing,
    new_actions,
    parse_days,
)
from stocklstm.core.records import dataclass
from stocklstm.errors import NoPricesError, RejectedDataError, SchemaError, encodable
from stocklstm.store.checksums import (
    ACTIONS,
    INSTRUMENT,
    INTRADAY_BARS,
    ORIGINS,
    PRICE_DAYS,
    PRICE_LOG,
    PRICES,
    REALISED,
    Checksums,
    Part,
    Row,
    Sums,
    damaged,
    days_of,
    differing,
    fault_words,
    price_sums,
    snapshot,
)
from stocklstm.store.database import database_errors, stored_values, transaction

if TYPE_CHECKING:
    # What only those need who use intraday sessions.
    from stocklstm.core.prices.realised import IntradayBars, RealisedSessions
    from stocklstm.store.realised import Kept

_COLUMNS = ("open", "high", "low", "close", "adj_close", "volume")

_FEW = 500
"""Rows of prices that are Python objects at once."""

_PARTS = (PRICES, ORIGINS, ACTIONS, INSTRUMENT, PRICE_LOG, PRICE_DAYS, REALISED, INTRADAY_BARS)

SUMMED_UP = (INSTRUMENT, PRICE_DAYS, ACTIONS, PRICE_LOG)
"""Parts of which a `Summary` is made."""

# More corrections than this in one answer are logged as one line.
_LOGGED_ROWS = 50

# What the log calls a new name of a ticker, and how it says which one the ticker had before.
_RENAMED = "renamed"
_FROM = "from "

# What it calls a currency that was chosen or stated, and how it says that it was let go.
_CURRENCY = "currency"
CURRENCY_OPTION = "--currency"
"""Stands in the log as the source of a currency that the user chose."""

_BACK = "again"


class MergeResult(NamedTuple):
    """What storing an answer changed.

    Attributes:
        added: Dates that were not there.
        revised: Dates whose values differ by more than jitter.
        unchanged: True if nothing of the ticker's data changed; when it was last fetched is
            noted all the same.
    """

    added: int
    revised: int
    unchanged: bool


@dataclass(frozen=True)
class LogEntry:
    """One change of rows that had been stored before.

    Attributes:
        at: UTC timestamp.
        source: Where the new values came from.
        kind: "corrected" for single days, "revised" for the history as a whole, "renamed" where
            the ticker got another name, "currency" where somebody chose one or a source stated it.
        first: First ISO day that changed.
        last: Last one.
        rows: Days that changed.
        detail: For a single day the old and the new value of each column that changed, as
            JSON; otherwise words.
    """

    at: str
    source: str
    kind: str
    first: str
    last: str
    rows: int
    detail: str


class Provenance(NamedTuple):
    """Where each stored row came from, oldest first; N rows.

    Attributes:
        dates: (N,) datetime64[D].
        sources: Name of the source of each row.
        fetched_at: UTC timestamp at which each row was written last.
    """

    dates: Dates
    sources: tuple[str, ...]
    fetched_at: tuple[str, ...]


class Summary(NamedTuple):
    """All that is stored of a ticker but its prices.

    Attributes:
        instrument: Its traits, with the calendar somebody chose, if there is one.
        pinned_calendar: That calendar, empty for weekdays; None if the exchange decides.
        last_fetch: UTC timestamp.
        dates: (N,) datetime64[D], the days of its rows, increasing.
        sources: How many rows each source gave, by its name, in order.
        actions: Dividends and splits, oldest first.
        log: What changed after it had been stored, oldest first.
    """

    instrument: Instrument
    pinned_calendar: str | None
    last_fetch: str
    dates: Dates
    sources: dict[str, int]
    actions: tuple[Action, ...]
    log: tuple[LogEntry, ...]


class PriceStore:
    """Bars, actions and instruments of all tickers."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.checksums = Checksums(connection)

    def tickers(self) -> list[str]:
        """List every ticker that has prices, in order."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT ticker FROM instruments WHERE EXISTS"
                " (SELECT 1 FROM prices WHERE prices.ticker = instruments.ticker) ORDER BY ticker"
            )
            return [ticker for (ticker,) in rows]

    def has(self, ticker: str) -> bool:
        """Tell whether a ticker, or whatever was typed for one, has prices."""
        with database_errors():
            found = self.connection.execute(
                "SELECT EXISTS (SELECT 1 FROM prices WHERE ticker = ?)", (encodable(ticker),)
            ).fetchone()
        return bool(found[0])

    def instrument(self, ticker: str, *, pinned: bool = True) -> Instrument:
        """Look up currency and exchange.

        Args:
            pinned: True for the calendar somebody chose, if there is one, in the place of the
                exchange's own.

        Raises:
            NoPricesError: The ticker was never fetched.
        """
        return self._instrument(ticker, self.checksums.read, pinned=pinned)

    def instruments(self, tickers: Sequence[str]) -> Callable[[str], Instrument]:
        """Read the traits of many tickers at once; what it returns does what `instrument` does."""
        with stored_values(), snapshot(self.connection):
            read = self.checksums.reader([INSTRUMENT], tickers)
        return lambda ticker: self._instrument(ticker, read, pinned=True)

    def _instrument(
        self, ticker: str, read: Callable[[Part, str], list[Row]], *, pinned: bool
    ) -> Instrument:
        currency, exchange, time_zone, calendar = self._instrument_row(ticker, read)
        chosen = exchange if calendar is None or not pinned else calendar
        return Instrument(ticker, currency, chosen, time_zone)

    def pinned_calendar(self, ticker: str) -> str | None:
        """Look up the calendar that the user chose for a ticker; None if its exchange decides."""
        return self._instrument_row(ticker, self.checksums.read)[3] if self.has(ticker) else None

    def has_sound_traits(self, ticker: str) -> bool:
        """Tell whether currency and calendar of a ticker are there, and are what was stored."""
        with stored_values():
            return self.has(ticker) and not self.checksums.faults(INSTRUMENT, ticker)

    def pin_calendar(self, ticker: str, calendar: str | None) -> None:
        """Choose a calendar for a ticker that has prices.

        Args:
            calendar: Its name, "" for plain weekdays, or None to go by the exchange again.
        """
        with transaction(self.connection), self.checksums.kept(INSTRUMENT, ticker, [""]):
            self.connection.execute(
                "UPDATE instruments SET calendar = ? WHERE ticker = ?", (calendar, ticker)
            )

    def chosen_currency(self, ticker: str) -> str | None:
        """Look up the currency that was chosen, or that a source stated; None for neither."""
        _, detail = self._last_choice(ticker)
        return None if not detail or detail.startswith(_BACK) else detail.split()[0]

    def was_currency_chosen(self, ticker: str) -> bool:
        """Tell whether the user chose the currency, and no source stated it."""
        return self._last_choice(ticker)[0] == CURRENCY_OPTION

    def _last_choice(self, ticker: str) -> tuple[str, str]:
        """Look up who chose the currency of a ticker last, and in which words; "" if nobody did."""
        with database_errors():
            row = self.connection.execute(
                "SELECT source, detail FROM price_log WHERE ticker = ? AND kind = ?"
                " ORDER BY id DESC LIMIT 1",
                (ticker, _CURRENCY),
            ).fetchone()
        return ("", "") if row is None else (str(row[0]), str(row[1]))

    def choose_currency(
        self, ticker: str, currency: str | None, *, at: str, by: str = CURRENCY_OPTION
    ) -> None:
        """Keep in the log which currency was chosen, or stated, for a ticker that has prices.

        The currency itself is stored with the prices that came.

        Args:
            currency: Its code; None to go by the source again.
            by: The option, or the source that states it.
        """
        verb = "chosen" if by == CURRENCY_OPTION else "stated"
        words = f"{_BACK} that of the source" if currency is None else f"{currency} was {verb}"
        with transaction(self.connection), self.checksums.kept(PRICE_LOG, ticker, [""]):
            self.connection.execute(
                "INSERT INTO price_log (at, ticker, source, kind, first, last, rows, detail)"
                " SELECT ?1, ?2, ?5, ?3, min(date), max(date), 0, ?4"
                " FROM prices WHERE ticker = ?2",
                (at, ticker, _CURRENCY, words, by),
            )

    def has_rows_of(self, ticker: str, source: str) -> bool:
        """Tell whether a source gave any of the stored rows."""
        with database_errors():
            found = self.connection.execute(
                "SELECT EXISTS (SELECT 1 FROM prices WHERE ticker = ? AND source = ?)",
                (ticker, source),
            ).fetchone()
        return bool(found[0])

    def _instrument_row(
        self, ticker: str, read: Callable[[Part, str], list[Row]]
    ) -> tuple[str, str, str, str | None]:
        with stored_values():
            rows = read(INSTRUMENT, ticker)
        if not rows:
            raise self.no_prices(ticker)
        currency, exchange, time_zone, _, _, calendar = rows[0]
        return currency, exchange, time_zone, calendar

    def last_fetch(self, ticker: str) -> str:
        """Look up when the ticker was last fetched, UTC.

        Raises:
            NoPricesError: It was never fetched.
        """
        with database_errors():
            row = self.connection.execute(
                "SELECT fetched_at FROM instruments WHERE ticker = ?", (ticker,)
            ).fetchone()
        if row is None:
            raise self.no_prices(ticker)
        return str(row[0])

    def bars(self, ticker: str) -> Bars:
        """Read every stored session, oldest first.

        Raises:
            NoPricesError: The ticker was never fetched, or there was nothing to store.
        """
        bars = self.bars_since(ticker, "")
        if not len(bars):
            raise self.no_prices(ticker)
        return bars

    def bars_since(self, ticker: str, start: str) -> Bars:
        """Read the stored sessions from an ISO day on ("" for all), oldest first; maybe none.

        Raises:
            SchemaError: They are not what was stored.
        """
        with stored_values(), snapshot(self.connection):
            bars, sums = self._summed(ticker, start[:7])
            self.checksums.compare(
                PRICES, ticker, sums, self.checksums.stored(PRICES, ticker, start[:7])
            )
        return bars.since(start) if start > start[:7] else bars

    def sound_bars(self, ticker: str) -> Bars:
        """Read the sessions of all months that are what was stored, oldest first."""
        with stored_values():
            bars, doubtful = self._with_faults(ticker, "")
        return bars.select(~_within(bars, doubtful)) if doubtful else bars

    def damaged_bars(self, ticker: str) -> Bars:
        """Read every stored session as it is, sound or not, for those who look for what is not."""
        with stored_values():
            return self._summed(ticker, "")[0]

    def _with_faults(self, ticker: str, start: str) -> tuple[Bars, list[str]]:
        """Read the sessions from an ISO day's month on; name the months not as they were stored."""
        with snapshot(self.connection):
            bars, sums = self._summed(ticker, start[:7])
            stored = self.checksums.stored(PRICES, ticker, start[:7])
        return bars, differing(sums, stored) if sums != stored else []

    def _summed(self, ticker: str, start: str) -> tuple[Bars, Sums]:
        """Read the prices from a month on, with their checksums as they are now."""
        rows = self.connection.execute(
            f"SELECT date, {', '.join(_COLUMNS)} FROM prices"  # noqa: S608 - fixed names
            " WHERE ticker = ? AND date >= ? ORDER BY date",
            (ticker, start),
        )
        # A few at a time: the prices of a long history are never all Python objects at once.
        days: list[str] = []
        parts = [np.empty((len(_COLUMNS), 0))]
        while few := rows.fetchmany(_FEW):
            dates_of_few, *values = zip(*few, strict=True)
            days += dates_of_few
            # None, for NULL, becomes NaN.
            parts.append(np.array(values, np.float64))
        columns = parts[-1] if len(parts) <= 2 else np.concatenate(parts, axis=1)
        dates = _increasing(parse_days(days))
        return Bars(dates, *columns), price_sums(dates, columns)

    def pinned(
        self,
        ticker: str,
        last: str,
        sha256: str,
        *,
        name: str,
        command: str,
        created: str,
        start: str | None = None,
    ) -> Bars:
        """Read the prices that work began with; what came later stays out.

        Args:
            last: Last ISO day of them.
            sha256: `Bars.fingerprint` of them.
            name: What to call the work, such as "the run PETR4.SA-…".
            command: The subcommand that starts it anew.
            created: UTC timestamp of when it began, or ended.
            start: ISO day before which none were used; None for all.

        Raises:
            RejectedDataError: They are no longer what they were.
        """
        bars = self.bars(ticker).since(start)
        bars = bars.select(bars.dates <= np.datetime64(last, "D"))
        if bars.fingerprint() != sha256:
            # It may have been given what bars within sessions say, too.
            bars = self.measured_then(ticker, bars, sha256, created)
        if bars.fingerprint() != sha256:
            raise RejectedDataError(
                f"the prices that {name} was given have been revised since",
                hint=f"stocklstm {command} --ticker {ticker} starts a new one",
            )
        return bars

    def measured_then(self, ticker: str, bars: Bars, sha256: str, created: str) -> Bars:
        """Add to prices what a training was given of the bars within their sessions.

        Shorter bars of these days may have come since: they are left out where that gives what the
        training saw.

        Args:
            sha256: `Bars.fingerprint` of what it saw.
            created: UTC timestamp of when it began, or ended.
        """
        then, now = (
            replace(bars, realised=self.day_variances(ticker, bars.dates, known))
            for known in (created, None)
        )
        return then if then.fingerprint() == sha256 else now

    def day_variances(self, ticker: str, dates: Dates, known: str | None = None) -> DayVariances:
        """Read what bars within sessions say of some days, oldest first.

        Args:
            known: UTC timestamp after which nothing of it was stored; None for all.

        Raises:
            SchemaError: They are not what was stored.
        """
        from stocklstm.core.prices.realised import variances_of_days

        since = str(dates[0]) if len(dates) else None
        return variances_of_days(self.realised(ticker, since, known=known), dates)

    def dates(self, ticker: str) -> Dates:
        """Read the stored days, oldest first."""
        with stored_values():
            rows = self.connection.execute(
                "SELECT date FROM prices WHERE ticker = ? ORDER BY date", (ticker,)
            )
            days = [day for (day,) in rows]
            return _increasing(np.array(days, "datetime64[D]"))

    def count_after(self, ticker: str, day: str) -> int:
        """Count the stored days after an ISO day."""
        with stored_values():
            (count,) = self.connection.execute(
                "SELECT count(*) FROM prices WHERE ticker = ? AND date > ?", (ticker, day)
            ).fetchone()
            return int(count)

    def span(self, ticker: str) -> tuple[np.datetime64, np.datetime64] | None:
        """Look up the first and the last stored day; None if there is none."""
        with stored_values():
            # Two queries in one, since SQLite finds an end by the index only if asked for one.
            first, last = self.connection.execute(
                "SELECT (SELECT min(date) FROM prices WHERE ticker = ?1),"
                " (SELECT max(date) FROM prices WHERE ticker = ?1)",
                (ticker,),
            ).fetchone()
            if first is None:
                return None
            return np.datetime64(first, "D"), np.datetime64(last, "D")

    def last_days(self) -> dict[str, tuple[str, str]]:
        """Look up the exchange and the last stored ISO day of every ticker that has prices."""
        with stored_values():
            rows = self.connection.execute(
                "SELECT ticker, coalesce(calendar, exchange),"
                " (SELECT max(date) FROM prices WHERE prices.ticker = instruments.ticker)"
                " FROM instruments"
            )
            return {ticker: (exchange, day) for ticker, exchange, day in rows if day is not None}

    def sources(self, ticker: str) -> list[str]:
        """List the sources of the stored rows, in order."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT DISTINCT source FROM prices WHERE ticker = ? ORDER BY source", (ticker,)
            )
            return [source for (source,) in rows]

    def summary(self, ticker: str, read: Callable[[Part, str], list[Row]]) -> Summary:
        """Read all that is stored of a ticker but its prices; see `bars_since` for these.

        Args:
            read: `Checksums.read`, or what `Checksums.reader` gives for `SUMMED_UP`.

        Raises:
            NoPricesError: The ticker was never fetched, or there was nothing to store.
        """
        from stocklstm.core.prices.price_days import extent_of

        with stored_values():
            days, traits = read(PRICE_DAYS, ticker), read(INSTRUMENT, ticker)
            if not days and self.has(ticker):
                raise damaged(PRICE_DAYS, ticker, ())
            if not days or not traits:
                raise self.no_prices(ticker)
            currency, exchange, time_zone, _, fetched_at, pinned = traits[0]
            chosen = exchange if pinned is None else pinned
            return Summary(
                Instrument(ticker, currency, chosen, time_zone),
                pinned,
                fetched_at,
                *extent_of(days),
                tuple(Action(*row) for row in read(ACTIONS, ticker)),
                tuple(LogEntry(*row[1:]) for row in read(PRICE_LOG, ticker)),
            )

    def provenance(self, ticker: str, start: str = "") -> Provenance:
        """Read the source and the time of each stored row, from an ISO day's month on."""
        with stored_values():
            rows = self.checksums.read(ORIGINS, ticker, start)
            dates = _increasing(np.array([row[0] for row in rows], "datetime64[D]"))
        return Provenance(dates, tuple(row[1] for row in rows), tuple(row[2] for row in rows))

    def log(self, ticker: str) -> tuple[LogEntry, ...]:
        """Read the changes of stored rows, oldest first."""
        with stored_values():
            return tuple(LogEntry(*row[1:]) for row in self.checksums.read(PRICE_LOG, ticker))

    def actions(self, ticker: str) -> tuple[Action, ...]:
        """Read dividends and splits, oldest first."""
        with stored_values():
            return tuple(Action(*row) for row in self.checksums.read(ACTIONS, ticker))

    def sound_actions(self, ticker: str) -> tuple[Action, ...]:
        """Read dividends and splits; none where they are not what was stored."""
        with stored_values():
            return () if self.checksums.faults(ACTIONS, ticker) else self.actions(ticker)

    def damaged_actions(self, ticker: str) -> tuple[Action, ...]:
        """Read dividends and splits as they are, sound or not."""
        with stored_values():
            return self._actions(ticker)

    def faults(self, ticker: str) -> list[str]:
        """Say what of a ticker is not what was stored, a line for each part of it."""
        with stored_values():
            return [
                fault_words(part, ticker, faults)
                for part in _PARTS
                if (faults := self.checksums.faults(part, ticker))
            ]

    def _actions(self, ticker: str) -> tuple[Action, ...]:
        rows = self.connection.execute(
            "SELECT date, kind, value FROM actions WHERE ticker = ?", (ticker,)
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
        rescaled: Bars | None = None,
        revision: str = "",
        mend: bool = False,
    ) -> MergeResult:
        """Add new dates and revise changed ones in one transaction; delete none.

        A value that is missing never replaces one that is stored.

        Args:
            bars: Clean rows, oldest first, no date twice.
            actions: Added to, or replacing, those of the same day and kind.
            rescaled: Stored rows that the source lacks, in the scale of `bars`; they keep the
                source they came from.
            revision: Why the history as a whole changes, for the log; "" if only single days do.
            mend: True to vouch for the traits of the ticker although those before were damaged; a
                calendar that was chosen is forgotten then. Its days are noted anew.
        """
        ticker = instrument.ticker
        rescaled = bars.select(slice(0)) if rescaled is None else rescaled
        with transaction(self.connection):
            with stored_values():
                stored, doubtful = self._with_faults(ticker, _first_day(bars, rescaled))
            bars = fill_missing(bars, stored.select(~_within(stored, doubtful)))
            new, changed = _differences(stored, bars)
            damaged = bool(self.checksums.faults(INSTRUMENT, ticker))
            fresh_instrument = self._write_instrument(instrument, source, at)
            if damaged and mend:
                self.pin_calendar(ticker, None)
            if mend or not damaged:
                self.checksums.renew(INSTRUMENT, ticker)
            # Of a damaged month everything is written anew; it is sound if nothing else is left.
            months = {*_months(bars), *_months(rescaled)}
            unknown = self.checksums.faults(ORIGINS, ticker, months)
            written = bars.select(new | changed | _within(bars, {*doubtful, *unknown}))
            self._write_bars(ticker, written, source, at)
            self._rescale(ticker, rescaled, at)
            lasting = set(_months(stored.select(~np.isin(stored.dates, written.dates))))
            for part, faults in ((PRICES, doubtful), (ORIGINS, unknown)):
                touched = {*_months(written), *_months(rescaled)} - (lasting & set(faults))
                self.checksums.renew(part, ticker, touched)
            self._note_days(ticker, written.dates, anew=mend)
            self._write_log(ticker, stored, bars.select(changed), rescaled, (source, at, revision))
            fresh_actions = self._write_actions(ticker, actions)
        added, revised = int(new.sum()), int(changed.sum()) + len(rescaled)
        return MergeResult(
            added, revised, not (added or revised or fresh_actions or fresh_instrument)
        )

    def realised(
        self, ticker: str, since: str | None = None, *, known: str | None = None
    ) -> "RealisedSessions":
        """Read what intraday bars say of each session, by date and length of bars; maybe nothing.

        Args:
            since: First ISO day wanted; None for all.
            known: UTC timestamp after which nothing of them was stored; None for all.

        Raises:
            SchemaError: It is not what was stored.
        """
        from stocklstm.store.realised import read_sessions

        with stored_values():
            return read_sessions(self.checksums, ticker, since, known)

    def damaged_realised(self, ticker: str) -> "RealisedSessions":
        """Read the same as it is, sound or not, for those who look for what is not."""
        from stocklstm.store.realised import damaged_sessions

        with stored_values():
            return damaged_sessions(self.checksums, ticker)

    def intraday_bars(self, ticker: str) -> "list[tuple[str, IntradayBars]]":
        """Read the bars that are kept, session by session, each with its ISO day."""
        from stocklstm.store.realised import read_bars

        with stored_values():
            return read_bars(self.checksums, ticker)

    def has_intraday_bars(self, ticker: str) -> bool:
        """Tell whether bars of a ticker are kept."""
        from stocklstm.store.realised import has_bars

        with database_errors():
            return has_bars(self.checksums, ticker)

    def has_realised(self, ticker: str, source: str) -> bool:
        """Tell whether a source gave any of the stored intraday sessions."""
        from stocklstm.store.realised import has_sessions

        with database_errors():
            return has_sessions(self.checksums, ticker, source)

    def tickers_with_realised(self) -> set[str]:
        """Name the tickers that have intraday sessions, sound or not."""
        from stocklstm.store.realised import tickers_with_sessions

        with stored_values():
            return tickers_with_sessions(self.checksums)

    def last_realised(self, ticker: str, *, most_minutes: int) -> str | None:
        """Look up the last ISO day with bars of a length or shorter; None if there is none."""
        from stocklstm.store.realised import last_session

        with stored_values():
            return last_session(self.checksums, ticker, most_minutes)

    def keep_realised(
        self,
        ticker: str,
        sessions: "RealisedSessions",
        *,
        source: str,
        at: str,
        bars: "Mapping[str, IntradayBars] | None" = None,
        anew: bool = False,
        mend: bool = False,
    ) -> "Kept":
        """Store what intraday bars say of sessions, in one transaction.

        What is stored of a session stays, unless the new one has as many bars of the same length
        and is no less usable.

        Args:
            ticker: One that has prices.
            sessions: Of finished sessions.
            bars: The bars of each session to keep, by ISO day; None keeps none.
            anew: True to believe, too, that a stored session can no longer be used.
            mend: True to drop what is damaged, wherever it is, and to vouch for the rest.
        """
        from stocklstm.store.realised import keep_sessions

        with transaction(self.connection), stored_values():
            return keep_sessions(
                self.checksums, ticker, sessions, (source, at), bars or {}, anew=anew, mend=mend
            )

    def rename(self, old: str, new: Instrument, *, at: str, note: str = "") -> None:
        """Give all that is stored of a ticker another name, in one transaction.

        Args:
            old: A ticker that has prices.
            new: The name, with the traits that hold from now on; it has no prices yet.
            note: What else changes, in words, for the log.
        """
        ticker = new.ticker
        with transaction(self.connection):
            for part in _PARTS:
                self.checksums.require(part, old)
            vouched_for = self.checksums.parts_of(old)
            first, last = self.connection.execute(
                "SELECT min(date), max(date) FROM prices WHERE ticker = ?", (old,)
            ).fetchone()
            # What refers to the ticker is moved after the ticker itself.
            self.connection.execute("PRAGMA defer_foreign_keys = ON")
            self.connection.execute("DELETE FROM instruments WHERE ticker = ?", (ticker,))
            self.connection.execute(
                "UPDATE instruments SET ticker = ?, currency = ?, exchange = ?, time_zone = ?"
                " WHERE ticker = ?",
                (ticker, new.currency, new.exchange, new.time_zone, old),
            )
            rows = 0
            for table, column in self._referring():
                moved = self.connection.execute(
                    f"UPDATE {table} SET {column} = ? WHERE {column} = ?",  # noqa: S608 - own names
                    (ticker, old),
                )
                rows = moved.rowcount if table == "prices" else rows
            self.connection.execute(
                "INSERT INTO price_log (at, ticker, source, kind, first, last, rows, detail)"
                " VALUES (?, ?, 'rename', ?, ?, ?, ?, ?)",
                (at, ticker, _RENAMED, first, last, rows, f"{_FROM}{old}{note and f'; {note}'}"),
            )
            for part in _PARTS:
                # Of most tickers there is nothing in some parts.
                if part.name in vouched_for or part is PRICE_LOG:
                    self.checksums.renew(part, old)
                    self.checksums.renew(part, ticker)

    def _referring(self) -> list[tuple[str, str]]:
        """List the tables and columns that refer to a ticker, whatever tables there will be."""
        return self.connection.execute(
            'SELECT t.name, k."from" FROM sqlite_master AS t, pragma_foreign_key_list(t.name) AS k'
            " WHERE t.type = 'table' AND k.\"table\" = 'instruments'"
        ).fetchall()

    def _names_given(self) -> dict[str, str]:
        """Look up what became of every name that a ticker had before."""
        with database_errors():
            rows = self.connection.execute(
                "SELECT detail, ticker FROM price_log WHERE kind = ? ORDER BY id", (_RENAMED,)
            ).fetchall()
        return {detail.removeprefix(_FROM).partition(";")[0]: ticker for detail, ticker in rows}

    def renamed(self) -> dict[str, str]:
        """Look up the present name of every ticker whose prices are no longer stored under it."""
        return {old: new for old, new in self._names_given().items() if not self.has(old)}

    def other_history(self, ticker: str) -> str | None:
        """Name the ticker under which what was stored under this name before is stored now."""
        name = self._names_given().get(ticker)
        return None if name == ticker else name

    def current_name(self, ticker: str) -> str:
        """Give the name under which the prices of a ticker are stored: its own, or a later one."""
        return ticker if self.has(ticker) else self.renamed().get(ticker, ticker)

    def former_names(self, ticker: str) -> list[str]:
        """List the names that the prices of a ticker were stored under before."""
        return [old for old, new in self.renamed().items() if new == ticker]

    def no_prices(self, ticker: str) -> NoPricesError:
        """Make the error that a ticker has no prices, with where they are or how to get them."""
        name = self.renamed().get(ticker)
        if name is None:
            return NoPricesError(
                f"there are no prices of {ticker} in the store",
                hint=f"stocklstm fetch --ticker {ticker}",
            )
        return NoPricesError(
            f"{ticker} was renamed to {name}, and its prices are of that name",
            hint=f"give {name} in its place; its first model begins with one of {ticker} by: "
            f"stocklstm train --ticker {name} --like {ticker} --from {ticker}",
        )

    def _write_instrument(self, instrument: Instrument, source: str, at: str) -> bool:
        """Store the traits of a ticker and the time; tell whether the traits changed."""
        values = (instrument.currency, instrument.exchange, instrument.time_zone)
        known = self.connection.execute(
            "SELECT currency, exchange, time_zone FROM instruments WHERE ticker = ?",
            (instrument.ticker,),
        ).fetchone()
        self.connection.execute(
            "INSERT INTO instruments (ticker, currency, exchange, time_zone, source, fetched_at)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (ticker) DO UPDATE SET"
            " currency = excluded.currency, exchange = excluded.exchange,"
            " time_zone = excluded.time_zone, source = excluded.source,"
            " fetched_at = excluded.fetched_at",
            (instrument.ticker, *values, source, at),
        )
        return known is not None and known != values

    def _write_actions(self, ticker: str, actions: Sequence[Action]) -> list[Action]:
        """Write the dividends and splits that are new or differ, and give these."""
        stored = self._actions(ticker)
        faulty = self.checksums.faults(ACTIONS, ticker)
        # In a steady order, whatever the source's was.
        fresh = sorted(
            actions if faulty else new_actions(actions, stored),
            key=lambda action: (action.date, action.kind),
        )
        if not fresh:
            return fresh
        self.connection.executemany(
            "INSERT OR REPLACE INTO actions VALUES (?, ?, ?, ?)",
            [(ticker, a.date, a.kind, a.value) for a in fresh],
        )
        known = {(action.date, action.kind) for action in fresh}
        if not faulty or known >= {(action.date, action.kind) for action in stored}:
            self.checksums.renew(ACTIONS, ticker)
        return fresh

    def _write_bars(self, ticker: str, bars: Bars, source: str, at: str) -> None:
        self.connection.executemany(
            "INSERT OR REPLACE INTO prices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(ticker, day, *row, source, at) for day, *row in _rows(bars)],
        )

    def _note_days(self, ticker: str, written: Dates, *, anew: bool) -> None:
        """Keep which days are stored, and of which sources, after rows of some days were written.

        What was kept of the days before the first of these is not looked at again, unless an older
        program has stored rows since, or all is to be noted anew. Nothing is kept where it would
        follow from damaged rows.
        """
        from stocklstm.core.prices.price_days import count_of

        days: Sequence[Row]
        try:
            days = self.checksums.read(PRICE_DAYS, ticker)
        except SchemaError:
            days = []
        else:
            if len(written):
                days = days_of(self.connection, ticker, str(written[0]), days)
        if anew or count_of(days) != self.checksums.count(ORIGINS, ticker):
            days = self.checksums.derived(PRICE_DAYS, ticker)
        self.checksums.replace(PRICE_DAYS, ticker, days)

    def _rescale(self, ticker: str, bars: Bars, at: str) -> None:
        settings = ", ".join(f"{name} = ?" for name in _COLUMNS)
        self.connection.executemany(
            f"UPDATE prices SET {settings}, fetched_at = ? WHERE ticker = ? AND date = ?",  # noqa: S608 - fixed names
            [(*row, at, ticker, day) for day, *row in _rows(bars)],
        )

    def _write_log(
        self,
        ticker: str,
        stored: Bars,
        changed: Bars,
        rescaled: Bars,
        origin: tuple[str, str, str],
    ) -> None:
        source, at, revision = origin
        count = len(changed) + len(rescaled)
        if not count:
            return
        if revision or count > _LOGGED_ROWS:
            days = np.sort(np.concatenate([changed.dates, rescaled.dates]))
            words = revision or "values of many days differ"
            kind = "revised" if revision else "corrected"
            entries = [(kind, str(days[0]), str(days[-1]), count, words)]
        else:
            entries = [
                ("corrected", day, day, 1, change) for day, change in _changes(stored, changed)
            ]
        with self.checksums.kept(PRICE_LOG, ticker, [""]):
            self.connection.executemany(
                "INSERT INTO price_log (at, ticker, source, kind, first, last, rows, detail)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(at, ticker, source, *entry) for entry in entries],
            )


def _first_day(*parts: Bars) -> str:
    """Return the first day of several series; "9" (beyond all) if all are empty."""
    return min((str(part.dates[0]) for part in parts if len(part)), default="9")


def _months(bars: Bars) -> list[str]:
    months: list[str] = np.unique(bars.dates.astype("datetime64[M]")).astype(str).tolist()
    return months


def _within(bars: Bars, months: Collection[str]) -> Flags:
    """Flag the rows of some months, (N,)."""
    flags: Flags = np.isin(
        bars.dates.astype("datetime64[M]"), np.array(sorted(months), "datetime64[M]")
    )
    return flags


def _rows(bars: Bars) -> list[tuple[str, ...]]:
    """Turn bars into rows of plain values, the ISO day first. SQLite stores NaN as NULL."""
    columns = [getattr(bars, f"{name}s").tolist() for name in _COLUMNS]
    days = np.datetime_as_string(bars.dates, unit="D").tolist() if len(bars) else []
    return list(zip(days, *columns, strict=True))


def _increasing(dates: Dates) -> Dates:
    # The primary key promises it; everything after reading relies on it.
    if not (dates[1:] > dates[:-1]).all():
        raise ValueError("stored dates are out of order")
    return dates


def _differences(stored: Bars, given: Bars) -> tuple[Flags, Flags]:
    """Mark the given rows that are new and those that differ, each (N,) bool."""
    _, in_given, in_stored = np.intersect1d(
        given.dates, stored.dates, assume_unique=True, return_indices=True
    )
    new = np.ones(len(given), dtype=bool)
    new[in_given] = False
    changed = np.zeros(len(given), dtype=bool)
    changed[in_given] = ~_same(_matrix(given)[in_given], _matrix(stored)[in_stored]).all(axis=1)
    return new, changed


def _changes(stored: Bars, changed: Bars) -> list[tuple[str, str]]:
    """List the old and new values of each changed day, as JSON."""
    places = np.searchsorted(stored.dates, changed.dates)
    before, after = _matrix(stored)[places], _matrix(changed)
    lines = []
    for day, old, new in zip(changed.dates, before, after, strict=True):
        differing = np.flatnonzero(~_same(old, new))
        values = {_COLUMNS[n]: [_plain(old[n]), _plain(new[n])] for n in differing}
        lines.append((str(day), json.dumps(values)))
    return lines


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _matrix(bars: Bars) -> Floats:
    return np.column_stack([getattr(bars, f"{name}s") for name in _COLUMNS])


def _same(left: Floats, right: Floats) -> Flags:
    return np.isclose(left, right, rtol=JITTER, atol=0, equal_nan=True)
