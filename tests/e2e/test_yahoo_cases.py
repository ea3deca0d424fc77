"""What a user sees of Yahoo's moods: the program as cron runs it, yfinance, a loopback Yahoo.

Every case also shows that stdout is the result and nothing else, that stderr speaks only our own
format, that nothing but Yahoo was asked for, and that the client's cache lies where it should.
"""

import datetime as dt
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.forks import FETCHING, Ended, Forks, forks_of
from tests.support.yahoo_server import (
    HTML,
    NOT_FOUND,
    RESET,
    STALL,
    TOO_MANY,
    UNAVAILABLE,
    Answer,
    Query,
    Script,
    YahooServer,
    by_ticker,
    chart,
    history,
    in_turn,
    json_answer,
    prices_only,
)

PETR4, VALE3, ITUB4 = "PETR4.SA", "VALE3.SA", "ITUB4.SA"
TABLES = {"instruments": "ticker", "prices": "ticker, date", "actions": "ticker, date, kind"}
OUR_WORDS = re.compile(r"error: .+|  next: .+|warning: .+|\S+: \d+ of \d+ through")

Row = tuple[Any, ...]
Dump = dict[str, list[dict[str, Any]]]


def real_rows() -> list[Row]:
    """Give PETR4's sessions from 2024-01-02 to 2024-03-13, carnival left out as it should be."""
    file = Path(__file__).parents[2] / "stocklstm" / "data" / "PETR4.SA.csv"
    lines = [line.split(",") for line in file.read_text().splitlines() if line.startswith("2024")]
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
            return self.forks.run(
                "tests.support.forks:program", *arguments, environment=environment
            )
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


@pytest.fixture(scope="module")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    with YahooServer(folder, history(OLD)) as yahoo:
        machine = Machine(folder, yahoo)
        fetched = machine.fetch("-t", PETR4, "-t", VALE3, "-t", ITUB4, "--json")
    assert fetched.code == 0, fetched.err
    assert [item["rows_added"] for item in fetched.document["results"]] == [len(OLD)] * 3
    assert fetched.starts == ["", "", ""]
    return folder


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with forks_of(tmp_path_factory.mktemp("forks"), *FETCHING) as started:
        yield started


@pytest.fixture
def fresh(tmp_path: Path, forks: Forks) -> Iterator[Machine]:
    """Start with nothing stored."""
    with YahooServer(tmp_path, GOOD) as yahoo:
        yield Machine(tmp_path, yahoo, forks=forks)


@pytest.fixture
def filled(fresh: Machine, _filled: Path) -> Machine:
    """Start with three tickers fetched up to 2024-03-08, and the client's cache of that day."""
    shutil.copytree(_filled / "home", fresh.home)
    shutil.copytree(_filled / "own", fresh.cache)
    return fresh


# Failures: one row a case. Not a byte of what is stored of any ticker may change.


@dataclass(frozen=True)
class Refusal:
    """A case that ends in an error.

    Attributes:
        script: What Yahoo answers.
        code: Exit code.
        says: The error's message, whole or in part.
        hints: Words of the next step.
        options: Beyond `--ticker PETR4.SA`.
        empty: True to start with nothing stored.
        asked: Requests for prices that reach Yahoo. The client itself repeats one that was
            answered with an error, under another cookie.
    """

    script: Script
    code: int
    says: str
    hints: str
    options: tuple[str, ...] = ("--retries", "0")
    empty: bool = False
    asked: int = 1


def always(answer: Answer) -> Script:
    return lambda _: answer


NO_DATA = "PETR4.SA: Yahoo sent something other than data"
UNKNOWN = "PETR4.SA: unknown or delisted"
SPELLING = "check the spelling (B3 tickers end in .SA)"
UNAUTHORIZED = json_answer({"finance": {"result": None, "error": {"code": "Unauthorized"}}}, 401)
JUMPED = replaced(ROWS, *scaled([row_of("2024-03-12")], prices=100, adjusted=100))

REFUSALS = {
    "rate-limit": Refusal(
        always(TOO_MANY),
        75,
        "Yahoo is rate-limiting this machine; stopped after 0 of 1; stored data untouched",
        "try again in an hour",
        options=(),
        asked=2,
    ),
    "reset": Refusal(
        always(RESET),
        75,
        "PETR4.SA: no answer from Yahoo",
        "try again",
        options=("--retries", "1"),
        asked=2,
    ),
    "timeout": Refusal(
        always(STALL), 75, "PETR4.SA: no answer from Yahoo", "try again", empty=True, asked=0
    ),
    "html": Refusal(always(HTML), 75, NO_DATA, "try again"),
    "truncated": Refusal(always(Answer(chart(PETR4, ROWS).body[:900])), 75, NO_DATA, "try again"),
    "503": Refusal(
        always(UNAVAILABLE), 75, NO_DATA, "try again", options=("--retries", "1"), asked=4
    ),
    "401": Refusal(always(UNAUTHORIZED), 75, NO_DATA, "try again", asked=2),
    "unknown": Refusal(always(NOT_FOUND), 4, UNKNOWN, SPELLING, empty=True, options=(), asked=0),
    "delisted": Refusal(always(NOT_FOUND), 4, UNKNOWN, SPELLING, options=(), asked=2),
    "jump-on-a-new-day": Refusal(
        history(JUMPED), 6, "without a recorded split", "--accept-revision"
    ),
    "jump-on-a-stored-day": Refusal(
        history(replaced(ROWS, *scaled([row_of("2024-03-05")], prices=100, adjusted=100))),
        6,
        "on 2024-03-05 without a recorded split",
        "--accept-revision",
    ),
    "ratio-of-closes-without-event": Refusal(
        history(scaled(ROWS, prices=0.5, adjusted=0.5, shares=2)),
        6,
        "by a factor of 0.5 on 2024-01-02, and no recorded event explains it",
        "--accept-revision",
        asked=2,
    ),
    "ratio-of-adjusted-closes-without-event": Refusal(
        history(scaled(ROWS, adjusted=0.98)),
        6,
        "by a factor of 0.98 on 2024-01-02, and no recorded event explains it",
        "--accept-revision",
        asked=2,
    ),
    "ratio-that-the-event-does-not-explain": Refusal(
        history(scaled(ROWS, prices=0.5, adjusted=0.5, shares=2), dividends={"2024-03-11": 1.1}),
        6,
        "by a factor of 0.5 on 2024-01-02, and no recorded event explains it",
        "--accept-revision",
        asked=2,
    ),
    "currency": Refusal(
        history(ROWS, currency="USD"), 6, "PETR4.SA is stored in BRL", "STOCKLSTM_HOME"
    ),
    "nothing-but-bad-rows": Refusal(
        history([with_prices(row[0], close=0.0) for row in ROWS]),
        6,
        "the close is not above zero",
        "--source",
    ),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_says_why_and_changes_nothing(
    case: Refusal, request: pytest.FixtureRequest
) -> None:
    machine: Machine = request.getfixturevalue("fresh" if case.empty else "filled")

    fetched = machine.fetch("-t", PETR4, "--json", *case.options, script=case.script)

    assert fetched.code == case.code, fetched.err
    assert fetched.document["results"] == []
    (error,) = fetched.document["errors"]
    assert error["ticker"] == PETR4
    assert error["code"] == case.code
    assert case.says in error["message"]
    assert case.hints in error["hint"]
    assert case.says in fetched.err
    assert fetched.after == fetched.before
    assert len(fetched.starts) == case.asked


def test_a_refusal_leaves_stdout_empty_for_people(fresh: Machine) -> None:
    fetched = fresh.fetch("-t", "PETR9", script=always(NOT_FOUND))

    assert fetched.code == 4
    assert fetched.out == ""
    assert fetched.err == f"error: PETR9: unknown or delisted\n  next: {SPELLING}\n"


def test_a_stalled_yahoo_costs_no_more_than_the_deadline(filled: Machine) -> None:
    fetched = filled.fetch(
        "-t",
        PETR4,
        "-t",
        VALE3,
        "--retries",
        "0",
        "--deadline",
        "3",
        "--json",
        script=always(STALL),
    )

    assert fetched.code == 75
    assert 3 <= fetched.seconds < 9
    errors = fetched.document["errors"]
    assert [error["ticker"] for error in errors] == [PETR4, VALE3]
    message = "the deadline of 3 s has passed; stopped after 0 of 2; stored data untouched"
    assert {error["message"] for error in errors} == {message}
    assert fetched.err.count(message) == 1
    assert "--deadline" in fetched.err
    assert fetched.after == fetched.before
    assert VALE3 not in {query.ticker for query in fetched.queries}


def test_a_rate_limit_stops_the_run_and_keeps_what_came_before(filled: Machine) -> None:
    fetched = filled.fetch(
        "-t",
        PETR4,
        "-t",
        VALE3,
        "-t",
        ITUB4,
        "--json",
        script=by_ticker(GOOD, VALE3=always(TOO_MANY)),
    )

    assert fetched.code == 75
    assert fetched.result["ticker"] == PETR4
    assert fetched.result["rows_added"] == len(NEW)
    message = "Yahoo is rate-limiting this machine; stopped after 1 of 3; stored data untouched"
    errors = fetched.document["errors"]
    assert [(error["ticker"], error["message"]) for error in errors] == [
        (VALE3, message),
        (ITUB4, message),
    ]
    assert {error["hint"] for error in errors} == {"try again in an hour"}
    assert fetched.err.count("error: ") == 1
    assert f"error: {message}\n  next: try again in an hour\n" in fetched.err
    assert {query.ticker for query in fetched.queries} == {PETR4, VALE3}
    assert len(fetched.stored()) == len(ROWS)
    for table, rows in fetched.before.items():
        for ticker in (VALE3, ITUB4):
            assert of(fetched.after[table], ticker) == of(rows, ticker)


def test_a_rate_limit_from_the_first_request_on_is_said(fresh: Machine) -> None:
    fresh.yahoo.crumb = TOO_MANY

    fetched = fresh.fetch("-t", PETR4, script=always(TOO_MANY))

    assert fetched.code == 75
    assert fetched.out == ""
    assert fetched.err == (
        "error: PETR4.SA: Yahoo is rate-limiting this machine; stopped after 0 of 1; "
        "stored data untouched\n  next: try again in an hour\n"
    )
    assert fetched.after == fetched.before


def test_prices_that_come_without_a_crumb_are_taken(fresh: Machine) -> None:
    fresh.yahoo.crumb = TOO_MANY

    fetched = fresh.fetch("-t", PETR4, "--json")

    assert fetched.code == 0
    assert fetched.result["rows"] == len(ROWS)


def test_an_answer_after_a_reset_is_taken(filled: Machine) -> None:
    script = in_turn(prices_only(RESET, GOOD), GOOD)

    fetched = filled.fetch("-t", PETR4, "--json", "--retries", "1", script=script)

    assert fetched.code == 0
    assert fetched.result["rows_added"] == len(NEW)
    assert fetched.starts == [FIRST_ASKED] * 2
    assert "error" not in fetched.err


def test_an_unknown_ticker_among_good_ones_stops_none(filled: Machine, tmp_path: Path) -> None:
    names = tmp_path / "tickers.txt"
    names.write_text(f"# the big three\n{PETR4}\nVALLE3.SA  # misspelt\n\n{VALE3}\n{ITUB4}\n")

    fetched = filled.fetch(
        "--tickers-file", f"{names}", script=by_ticker(GOOD, VALLE3=always(NOT_FOUND))
    )

    assert fetched.code == 4
    assert fetched.err.splitlines()[:4] == [
        f"{PETR4}: 1 of 4 through",
        "VALLE3.SA: 2 of 4 through",
        f"{VALE3}: 3 of 4 through",
        f"{ITUB4}: 4 of 4 through",
    ]
    assert "error: VALLE3.SA: unknown or delisted\n" in fetched.err
    for ticker in (PETR4, VALE3, ITUB4):
        assert ticker in fetched.out
        assert len(fetched.stored(ticker)) == len(ROWS)
    assert "VALLE3.SA" not in fetched.out
    assert not of(fetched.after["instruments"], "VALLE3.SA")


# Answers with nothing new, or with nothing at all.


def test_no_new_rows_are_no_error_and_change_nothing(filled: Machine) -> None:
    reason = "Data doesn't exist for startDate = 1708570800, endDate = 1710385200"
    error = {"code": "Bad Request", "description": reason}
    refused = json_answer({"chart": {"result": None, "error": error}}, 400)
    script = by_ticker(
        # The seventh digit of an adjusted close differs from one answer to the next.
        history([(*row[:5], row[5] * (1 + 3e-7 * (-1) ** n), row[6]) for n, row in enumerate(OLD)]),
        VALE3=prices_only(chart(VALE3, []), GOOD),
        ITUB4=prices_only(refused, GOOD),
    )

    machine, people = filled.fetch("--json", script=script), filled.fetch(script=script)

    assert (machine.code, people.code) == (0, 0)
    items = machine.document["results"]
    assert [item["ticker"] for item in items] == [ITUB4, PETR4, VALE3]
    for item in items:
        assert item["unchanged"] is True
        assert (item["rows_added"], item["rows_revised"], item["revision"]) == (0, 0, "")
        assert (item["rows"], item["last"]) == (len(OLD), LAST_STORED)
        assert f"{item['ticker']}: up to date, nothing changed" in people.out
    for fetched in (machine, people):
        assert set(fetched.starts) == {FIRST_ASKED}
        assert [query.ticker for query in fetched.queries].count(PETR4) == 1
        for table in ("prices", "actions", "price_log"):
            assert fetched.after[table] == fetched.before[table]


def test_an_unfinished_day_is_not_stored_however_often_it_comes(fresh: Machine) -> None:
    def final_day() -> dt.date:
        moment = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=30)
        return moment.date() - dt.timedelta(days=1)

    def coins(price_today: float) -> Script:
        days = [today - dt.timedelta(days=back) for back in (3, 2, 1, 0)]
        prices = (61_000.0, 60_500.0, 62_000.0, price_today)
        rows = [
            (f"{day}", price, price + 400, price - 400, price + 100, price + 100, 10**9)
            for day, price in zip(days, prices, strict=True)
        ]
        return history(rows, currency="USD", exchange="CCC", time_zone="UTC", opens_at_utc=0)

    today, final = dt.datetime.now(dt.UTC).date(), {final_day()}
    first = fresh.fetch("-t", "BTC-USD", "--json", script=coins(63_000.0))
    again = fresh.fetch("-t", "BTC-USD", "--json", script=coins(64_000.0))
    final.add(final_day())

    assert (first.code, again.code) == (0, 0)
    assert first.result["exchange"] == "24/7"
    assert dt.date.fromisoformat(first.result["last"]) in final
    assert first.result["last"] == first.result["last_final_session"]
    unfinished = {"date": f"{today}", "reason": "its session is not over yet"}
    assert unfinished in first.result["rows_rejected"]
    assert unfinished in again.result["rows_rejected"]
    assert f"{today}" not in again.stored("BTC-USD")
    assert first.err == ""
    if len(final) == 1:
        assert again.result["unchanged"] is True
        assert again.after["prices"] == again.before["prices"]


# Rows that cannot be believed.


def test_bad_rows_are_named_and_the_rest_is_kept(fresh: Machine) -> None:
    saturday = ("2024-01-06", *row_of("2024-01-05")[1:])
    closed = [(day, *[41.299999] * 5, 0) for day in ("2024-02-12", "2024-02-13")]
    low, high = row_of("2024-01-15")[3], row_of("2024-01-15")[2]
    rows = replaced(
        ROWS,
        saturday,
        with_prices("2024-01-10", close=0.0),
        with_prices("2024-01-11", close=-38.07),
        with_prices("2024-01-12", close=float("inf")),
        with_prices("2024-01-15", high=low, low=high),
        with_prices("2024-01-16", open=0.0, high=0.0, low=0.0),
        with_prices("2024-01-19", adj_close=0.0),
        *closed,
    )
    # An exchange that answers null, with a dividend on one of the days.
    empty = {day: nulls(day) for day in ("2024-01-17", "2024-01-18")}
    rows = [empty.get(row[0], row) for row in rows]
    # yfinance sorts the rows and drops repeated days itself: there is nothing left to name.
    early, late = (row[0] for row in ROWS[-10:-8])
    twice = row_of("2024-02-05")
    jumbled = [row for row in rows if row[0] != early]
    jumbled.insert(next(n for n, row in enumerate(jumbled) if row[0] == late) + 1, row_of(early))
    jumbled.insert(30, twice)

    fetched = fresh.fetch(
        "-t",
        PETR4,
        "--json",
        script=always(chart(PETR4, jumbled, dividends={"2024-01-18": 0.5, "2024-01-22": 0.25})),
    )

    assert fetched.code == 0
    weekend, filler = "no session of BVMF on this weekend", "filler: BVMF was closed"
    found = {item["date"]: item["reason"] for item in fetched.result["rows_rejected"]}
    assert len(found) == len(fetched.result["rows_rejected"])
    expected = {
        "2024-01-06": weekend,
        "2024-01-10": "the close is not above zero",
        "2024-01-11": "the close is not above zero",
        "2024-01-12": "the close is infinite",
        "2024-01-15": "the high is below the low",
        "2024-01-16": "open, high or low is not above zero",
        "2024-01-18": "the close is missing",
        "2024-01-19": "the adjusted close is not above zero",
        "2024-02-12": filler,
        "2024-02-13": filler,
    }
    assert found.keys() == expected.keys()
    assert all(found[day].startswith(reason) for day, reason in expected.items())
    gaps = [f"2024-01-{day}" for day in (10, 11, 12, 15, 16, 17, 18, 19)]
    assert fetched.result["missing_sessions"] == gaps
    stored = fetched.stored()
    assert list(stored) == [row[0] for row in ROWS if row[0] not in gaps]
    for day, *values in ROWS:
        if day not in gaps:
            assert [stored[day][name] for name in ("open", "high", "low", "close")] == values[:4]
    assert [(row["date"], row["kind"], row["value"]) for row in fetched.after["actions"]] == [
        ("2024-01-18", "dividend", 0.5),
        ("2024-01-22", "dividend", 0.25),
    ]


def test_bad_rows_replace_no_stored_ones(filled: Machine) -> None:
    low, high = row_of("2024-03-12")[3], row_of("2024-03-12")[2]
    unasked = [with_prices(row[0], close=row[4] + 1, volume=1) for row in ROWS[-20:-15]]
    assert max(row[0] for row in unasked) < FIRST_ASKED
    rows = replaced(
        ROWS[-15:],
        *unasked,
        with_prices("2024-03-05", close=0.0),
        with_prices("2024-03-12", high=low, low=high),
    )

    fetched = filled.fetch("-t", PETR4, script=always(chart(PETR4, rows)))

    assert fetched.code == 0
    shown = " ".join(fetched.out.split())
    assert f"rejected, before {FIRST_ASKED}, not asked for: {unasked[0][0]}, " in shown
    assert "rejected, the close is not above zero: 2024-03-05" in shown
    assert "rejected, the high is below the low: 2024-03-12" in shown
    assert "BVMF traded, but there is no row: 2024-03-12" in shown
    stored = fetched.stored()
    assert {day: stored[day] for day in fetched.stored_before()} == fetched.stored_before()
    assert stored.keys() - fetched.stored_before().keys() == {"2024-03-11", "2024-03-13"}
    assert fetched.log() == []


def test_a_jump_that_a_person_accepts_is_stored(filled: Machine) -> None:
    fetched = filled.fetch("-t", PETR4, "--json", "--accept-revision", script=history(JUMPED))
    again = filled.fetch("-t", PETR4, "--json")

    assert fetched.code == 0
    assert fetched.result["rows_added"] == len(NEW)
    assert fetched.stored()["2024-03-12"]["close"] == 100 * row_of("2024-03-12")[4]
    assert again.code == 0
    assert again.result["unchanged"] is True


# Revisions of what is stored.


def test_new_days_cost_one_request_for_them_and_the_two_weeks_before(filled: Machine) -> None:
    fetched = filled.fetch("-t", PETR4, "--json")

    assert fetched.code == 0
    assert fetched.starts == [FIRST_ASKED]
    assert (fetched.result["rows_added"], fetched.result["rows_revised"]) == (len(NEW), 0)
    assert fetched.result["unchanged"] is False
    before = fetched.stored_before()
    assert {day: fetched.stored()[day] for day in before} == before
    assert list(fetched.stored()) == [row[0] for row in ROWS]
    assert fetched.log() == []


def test_a_dividend_revises_all_adjusted_closes_in_one_go(filled: Machine) -> None:
    rows = scaled(OLD, adjusted=0.97) + NEW

    fetched = filled.fetch(
        "-t", PETR4, "--json", script=history(rows, dividends={"2024-03-11": 1.1})
    )

    assert fetched.code == 0
    assert fetched.starts == [FIRST_ASKED, ""]
    assert (fetched.result["rows_added"], fetched.result["rows_revised"]) == (3, len(OLD))
    assert "dividend of 1.1 on 2024-03-11" in fetched.result["revision"]
    stored = fetched.stored()
    assert [stored[row[0]]["adj_close"] for row in rows] == [row[5] for row in rows]
    assert [stored[row[0]]["close"] for row in rows] == [row[4] for row in rows]
    assert len({row["fetched_at"] for row in stored.values()}) == 1
    (entry,) = fetched.log()
    assert (entry["ticker"], entry["kind"], entry["source"]) == (PETR4, "revised", "yahoo")
    assert (entry["first"], entry["last"]) == (OLD[0][0], LAST_STORED)
    assert entry["rows"] == len(OLD)
    assert [(row["date"], row["value"]) for row in fetched.after["actions"]] == [
        ("2024-03-11", 1.1)
    ]


def test_a_split_revises_everything_and_days_yahoo_forgot_follow(filled: Machine) -> None:
    forgotten = ("2024-01-10", "2024-02-29")
    rows = scaled(ROWS, prices=0.5, adjusted=0.5, shares=2)
    answered = [row for row in rows if row[0] not in forgotten]

    fetched = filled.fetch(
        "-t", PETR4, "--json", script=history(answered, splits={"2024-03-11": (2, 1)})
    )
    again = filled.fetch("-t", PETR4, "--json")

    assert fetched.code == 0
    assert fetched.starts == [FIRST_ASKED, ""]
    assert (fetched.result["rows_added"], fetched.result["rows_revised"]) == (3, len(OLD))
    assert fetched.result["missing_sessions"] == []
    assert "split of 2 on 2024-03-11" in fetched.result["revision"]
    stored = fetched.stored()
    names = ("open", "high", "low", "close", "adj_close", "volume")
    for day, *values in rows:
        assert [stored[day][name] for name in names] == pytest.approx(values, rel=1e-9)
    (entry,) = fetched.log()
    assert (entry["kind"], entry["rows"]) == ("revised", len(OLD))
    assert (entry["first"], entry["last"]) == (OLD[0][0], LAST_STORED)
    assert again.result["unchanged"] is True
    assert again.after["prices"] == again.before["prices"]


def test_a_corrected_day_is_revised_alone_and_logged(filled: Machine) -> None:
    rows = replaced(OLD, with_prices("2024-03-01", close=40.3))

    fetched = filled.fetch("-t", PETR4, "--json", script=history(rows))

    assert fetched.code == 0
    assert fetched.starts == [FIRST_ASKED]
    assert (fetched.result["rows_added"], fetched.result["rows_revised"]) == (0, 1)
    assert fetched.result["revision"] == ""
    assert fetched.result["unchanged"] is False
    stored, before = fetched.stored(), fetched.stored_before()
    assert [day for day in stored if stored[day] != before[day]] == ["2024-03-01"]
    assert stored["2024-03-01"]["close"] == 40.3
    (entry,) = fetched.log()
    assert (entry["kind"], entry["first"], entry["last"]) == (
        "corrected",
        "2024-03-01",
        "2024-03-01",
    )
    assert json.loads(entry["detail"]) == {"close": [40.18, 40.3], "adj_close": [40.18, 40.3]}


# Caches and calendars.


def test_a_damaged_cache_of_the_client_costs_nothing(filled: Machine) -> None:
    names = ("tkr-tz.db", "cookies.db")
    for name in names:
        assert (filled.cache / "yahoo" / name).exists()
        (filled.cache / "yahoo" / name).write_bytes(b"no database " * 400)

    fetched = filled.fetch("-t", PETR4, "--json")

    assert fetched.code == 0
    assert fetched.result["rows_added"] == len(NEW)
    assert "error" not in fetched.err
    for name in names:
        assert (filled.cache / "yahoo" / name).read_bytes().startswith(b"SQLite format 3")


def test_many_at_once_share_the_cache_of_the_client(fresh: Machine) -> None:
    # Each from the first import on: whoever forks would do one after the other.
    machines = [replace(fresh, store=f"home{number}", forks=None) for number in range(4)]

    with ThreadPoolExecutor(len(machines)) as pool:
        runs = list(pool.map(lambda machine: machine.fetch("-t", PETR4, "--json"), machines))

    assert [run.code for run in runs] == [0] * len(machines)
    assert [run.result["rows"] for run in runs] == [len(ROWS)] * len(machines)


def test_an_unknown_exchange_goes_by_weekdays_until_a_calendar_is_chosen(fresh: Machine) -> None:
    script = history(ROWS, currency="EUR", exchange="ZZZ", time_zone="Europe/London")
    warning = "no calendar is known for its exchange: weekdays stand in for sessions"

    unknown = fresh.fetch("-t", "ABC.ZZ", "--json", script=script)
    chosen = fresh.fetch("-t", "ABC.ZZ", "--json", "--calendar", "XLON")
    later = fresh.fetch("-t", "ABC.ZZ", "--json")

    assert (unknown.code, chosen.code, later.code) == (0, 0, 0)
    assert unknown.result["exchange"] == ""
    assert unknown.result["missing_sessions"] == []
    assert f"warning: ABC.ZZ: {warning}" in unknown.err
    for fetched in (chosen, later):
        assert fetched.result["exchange"] == "XLON"
        assert fetched.result["missing_sessions"] == ["2024-02-12", "2024-02-13"]
        assert warning not in fetched.err
    assert (chosen.result["unchanged"], later.result["unchanged"]) == (False, True)
