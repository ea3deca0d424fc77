"""A machine with the program on it and a Yahoo of its own, and what one run of it did.

The program runs as cron runs it, with yfinance and a loopback Yahoo. Every run also shows that
stdout is the result and nothing else, that stderr speaks only our own format, that nothing but
Yahoo was asked for, and that the client's cache lies where it should.
"""

import datetime as dt
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.forks import PROGRAM, Ended, Forks
from tests.support.places import SAMPLE
from tests.support.yahoo_server import (
    Answer,
    Query,
    Script,
    YahooServer,
    history,
)

PETR4, VALE3, ITUB4 = "PETR4.SA", "VALE3.SA", "ITUB4.SA"
TABLES = {"instruments": "ticker", "prices": "ticker, date", "actions": "ticker, date, kind"}
OUR_WORDS = re.compile(r"error: .+|  next: .+|warning: .+|note: .+")
Row = tuple[Any, ...]
Dump = dict[str, list[dict[str, Any]]]


def real_rows() -> list[Row]:
    """Give PETR4's sessions from 2024-01-02 to 2024-03-13, carnival left out as it should be."""
    lines = [line.split(",") for line in SAMPLE.read_text().splitlines() if line.startswith("2024")]
    return [(day, *map(float, values[:-1]), int(values[-1])) for day, *values in lines]


ROWS = real_rows()
OLD, NEW = ROWS[:-3], ROWS[-3:]
LAST_STORED, FIRST_ASKED = "2024-03-08", "2024-02-22"
GOOD = history(ROWS)


def scaled(
    rows: list[Row], *, prices: float = 1, adjusted: float = 1, shares: int = 1
) -> list[Row]:
    return [
        (day, *(value * prices for value in values), adj_close * adjusted, volume * shares)
        for day, *values, adj_close, volume in rows
    ]


def replaced(rows: list[Row], *others: Row) -> list[Row]:
    return sorted({row[0]: row for row in (*rows, *others)}.values())


def row_of(day: str) -> Row:
    return next(row for row in ROWS if row[0] == day)


def with_prices(day: str, *, close: float | None = None, **others: float) -> Row:
    """Change prices of a day; a close changes the adjusted one too."""
    names = ("date", "open", "high", "low", "close", "adj_close", "volume")
    row = dict(zip(names, row_of(day), strict=True))
    if close is not None:
        others = {"close": close, "adj_close": close, **others}
    return tuple((row | others)[name] for name in names)


def nulls(day: str) -> Row:
    return (day, *[None] * 6)


def of(rows: list[dict[str, Any]], ticker: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["ticker"] == ticker]


@dataclass(frozen=True)
class Fetched:
    """What one run of the program did; the dumps are of the store before and after."""

    code: int
    out: str
    err: str
    before: Dump
    after: Dump
    queries: list[Query]
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def result(self) -> dict[str, Any]:
        (only,) = self.document["results"]
        return only

    @property
    def starts(self) -> list[str]:
        """First day that each request for prices asked for, "" for the whole history."""
        # What is asked for is the midnight of the day where it is day first.
        ahead = 14 * 3600
        moments = [int(q.options["period1"]) + ahead for q in self.queries if not q.is_probe]
        return [
            str(dt.datetime.fromtimestamp(moment, dt.UTC).date()) if moment > ahead else ""
            for moment in moments
        ]

    def stored(self, ticker: str = PETR4) -> dict[str, dict[str, Any]]:
        return {row["date"]: row for row in of(self.after["prices"], ticker)}

    def stored_before(self, ticker: str = PETR4) -> dict[str, dict[str, Any]]:
        return {row["date"]: row for row in of(self.before["prices"], ticker)}

    def log(self) -> list[dict[str, Any]]:
        return self.after["price_log"][len(self.before["price_log"]) :]


@dataclass
class Machine:
    """A machine with the program on it and a Yahoo of its own."""

    folder: Path
    yahoo: YahooServer
    store: str = "home"
    # None runs the program as cron does, from the first import on.
    forks: Forks | None = None

    @property
    def home(self) -> Path:
        return self.folder / self.store

    @property
    def cache(self) -> Path:
        return self.folder / "own"

    def fetch(self, *options: str, script: Script | None = None) -> Fetched:
        """Run `stocklstm fetch` without a terminal and with stdin closed."""
        self.yahoo.script = script or self.yahoo.script
        asked_before, before = len(self.yahoo.queries), self.dump()
        places = {
            "HOME": f"{self.folder / 'user'}",
            "STOCKLSTM_HOME": f"{self.home}",
            "STOCKLSTM_CACHE": f"{self.cache}",
        }
        began = time.monotonic()
        ended = self._run("fetch", *options, environment={**self.yahoo.environment, **places})
        seconds = time.monotonic() - began
        queries = self.yahoo.queries[asked_before:]
        fetched = Fetched(ended.code, ended.out, ended.err, before, self.dump(), queries, seconds)
        self._require_manners(fetched, as_json="--json" in options)
        return fetched

    def _run(self, *arguments: str, environment: dict[str, str]) -> Ended:
        if self.forks is not None:
            return self.forks.run(PROGRAM, *arguments, environment=environment)
        program = [sys.executable, "-m", "stocklstm", *arguments]
        run = subprocess.run(
            ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *program],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )
        return Ended(run.returncode, run.stdout, run.stderr)

    def dump(self) -> Dump:
        """Read all that is stored of any ticker, column by column."""
        file = self.home / "stocklstm.db"
        tables = {**TABLES, "price_log": "id"}
        if not file.exists():
            return {table: [] for table in tables}
        with closing(sqlite3.connect(file)) as connection:
            connection.row_factory = sqlite3.Row
            return {
                table: [
                    dict(row)
                    for row in connection.execute(f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608 - fixed names
                ]
                for table, order in tables.items()
            }

    def _require_manners(self, fetched: Fetched, *, as_json: bool) -> None:
        said = fetched.err.splitlines()
        assert [line for line in said if not OUR_WORDS.fullmatch(line)] == []
        assert "Traceback" not in fetched.out
        assert all(host.endswith(".yahoo.com") for host in self.yahoo.hosts), self.yahoo.hosts
        assert not (self.yahoo.folder / "cache").exists()
        assert not (self.folder / "user").exists()
        if not as_json:
            assert ("Prices" in fetched.out) == (fetched.out != "")
            return
        document = fetched.document
        assert document["schema_version"] == 1
        assert document["command"] == "fetch"
        warned: dict[str, list[str]] = {}
        for item in document["results"]:
            for warning in item["warnings"]:
                warned.setdefault(warning, []).append(item["ticker"])
        # What is true of several tickers is said once.
        warnings = [f"warning: {', '.join(who)}: {what}" for what, who in warned.items()]
        assert [line for line in said if line.startswith("warning: ")] == warnings
        hints = dict.fromkeys(f"  next: {error['hint']}" for error in document["errors"])
        assert [line for line in said if line.startswith("  next: ")] == list(hints)


def always(answer: Answer) -> Script:
    return lambda _: answer


JUMPED = replaced(ROWS, *scaled([row_of("2024-03-12")], prices=100, adjusted=100))
