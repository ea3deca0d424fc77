"""Fetches that are killed and fetches that meet: prices are stored whole, once, and for good.

Each fetch is a process of its own: a fork of one that has imported everything and done nothing
yet, so that dozens of them take seconds. Moments to kill are counted in the answers that a fetch
has been given, and chosen by a fixed seed; STOCKLSTM_KILLS says how many there are to be.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stocklstm.core.series import Action
from stocklstm.store.database import integrity_faults
from stocklstm.store.store import Store, open_store
from tests.yahoo_server import Answer, Query, Script, YahooServer, history

KILLS = int(os.environ.get("STOCKLSTM_KILLS", "50"))
MEETINGS = 20
SEED = 20_240_313

# How long anything may take before a test gives up; nothing passes or fails by a time.
LONG_S = 120

TICKERS = [f"FIRE{number}.SA" for number in range(1, 21)]

# Forks the program for each order that comes in, and tells how it ended when asked.
FORKS = """
import json, os, signal, sys, threading
import exchange_calendars, yfinance
import stocklstm.cli.fetch, stocklstm.cli.tables, stocklstm.workflows.fetch
from stocklstm.cli.app import run
from stocklstm.market.yahoo import YahooSource

YahooSource.pause_s = 0.0  # courtesy is for strangers
alive = set()
for line in sys.stdin:
    order = json.loads(line)
    if "wait" in order:
        alive.remove(order["wait"])
        _, status = os.waitpid(order["wait"], 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
        continue
    assert threading.active_count() == 1
    child = os.fork()
    if child:
        alive.add(child)
        print(child, flush=True)
        continue
    code = 1
    try:
        signal.alarm(order["patience"])
        for descriptor, name in enumerate(["/dev/null", order["out"], order["err"]]):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), descriptor)
        os.environ.update(order["environment"])
        code = run(order["arguments"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
for child in alive:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""

# Threads of libraries would not survive a fork, nor would Python like them to be there.
NO_THREADS = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, negative for a signal, and what it said."""

    code: int
    out: str
    err: str

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        return {item["ticker"]: item for item in json.loads(self.out)["results"]}


@dataclass
class Fork:
    """The program, running."""

    parent: "Forks"
    pid: int
    files: tuple[Path, Path]

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)  # a process that has ended keeps its number until `wait`

    def wait(self) -> Ended:
        code = self.parent.order(wait=self.pid)
        return Ended(code, *(file.read_text() for file in self.files))


@dataclass
class Forks:
    """Starts the program at the price of a fork, against a Yahoo of its own."""

    folder: Path
    yahoo: YahooServer
    process: subprocess.Popen[str]
    started: int = 0

    def order(self, **words: object) -> int:
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def start(self, home: Path, *arguments: str, cache: Path | None = None) -> Fork:
        self.started += 1
        files = tuple(self.folder / f"{name}-{self.started}" for name in ("out", "err"))
        places = {"STOCKLSTM_HOME": f"{home}", "STOCKLSTM_CACHE": f"{cache or home / 'cache'}"}
        pid = self.order(
            arguments=arguments,
            environment=places,
            out=f"{files[0]}",
            err=f"{files[1]}",
            patience=LONG_S,
        )
        return Fork(self, pid, files)

    def fetch(self, home: Path, *options: str, cache: Path | None = None) -> Fork:
        return self.start(home, "fetch", "--json", *options, cache=cache)


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    folder = tmp_path_factory.mktemp("forks")
    with (
        YahooServer(folder, lambda _: Answer(None)) as yahoo,
        subprocess.Popen(
            [sys.executable, "-c", FORKS],
            env={**os.environ, **yahoo.environment, **NO_THREADS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        yield Forks(folder, yahoo, process)


# What there is to fetch.


def real_rows() -> list[Row]:
    """Give PETR4's sessions from 2010 on, so that every day is one of its exchange."""
    file = Path(__file__).parents[2] / "stocklstm" / "data" / "PETR4.SA.csv"
    lines = [line.split(",") for line in file.read_text().splitlines()[1:]]
    return [(day, *map(float, values[:-1]), int(values[-1])) for day, *values in lines]


REAL_ROWS = real_rows()
FIRST_ROWS = 250


def scaled(row: Row, *, prices: float = 1, adjusted: float = 1, shares: float = 1) -> Row:
    day, *values, adj_close, volume = row
    return (day, *(value * prices for value in values), adj_close * adjusted, volume * shares)


@dataclass(frozen=True)
class Version:
    """Everything that Yahoo knows of a ticker at one time.

    Attributes:
        rows: Oldest first.
        dividends: By day.
        splits: New and old shares by day.
        logged: Entries of the price log that lead here if no version is left out.
        started: The place in the real rows of the first one.
        scale: What the real prices are multiplied by at the end of the series.
    """

    rows: tuple[Row, ...]
    dividends: Mapping[str, float]
    splits: Mapping[str, tuple[int, int]]
    logged: int
    started: int
    scale: float

    @property
    def actions(self) -> tuple[Action, ...]:
        events = [Action(day, "dividend", value) for day, value in self.dividends.items()]
        events += [Action(day, "split", new / old) for day, (new, old) in self.splits.items()]
        return tuple(sorted(events, key=lambda event: (event.date, event.kind)))

    @property
    def answer(self) -> Script:
        return history(
            list(self.rows), dividends=dict(self.dividends), splits=dict(self.splits)
        )

    def grown(self, days: int, **changes: Any) -> "Version":
        """Add the next days."""
        row = scaled  # the adjusted close of a new day is its close
        place = self.started + len(self.rows)
        scale = changes.get("scale", self.scale)
        added = [
            row((*real[:5], real[4], real[6]), prices=scale, adjusted=scale)
            for real in REAL_ROWS[place : place + days]
        ]
        traits = {**vars(self), **changes}
        return Version(**{**traits, "rows": (*traits["rows"], *added)})

    def corrected(self, *backwards: int) -> "Version":
        """Change the closes of single days, counted from the end."""
        rows = list(self.rows)
        for back in backwards:
            day, opening, high, low, close, adj_close, volume = rows[-back]
            rows[-back] = (day, opening, high, low, close * 1.004, adj_close * 1.004, volume + 1)
        changes = {"rows": tuple(rows), "logged": self.logged + len(backwards)}
        return Version(**{**vars(self), **changes})

    def after_dividend(self) -> "Version":
        day = REAL_ROWS[self.started + len(self.rows)][0]
        return self.grown(
            1,
            rows=tuple(scaled(row, adjusted=0.97) for row in self.rows),
            dividends={**self.dividends, day: 0.03 * self.rows[-1][4]},
            logged=self.logged + 1,
        )

    def after_split(self) -> "Version":
        """Halve the prices, or double them if they have been halved."""
        day = REAL_ROWS[self.started + len(self.rows)][0]
        new, old = (2, 1) if len(self.splits) % 2 == 0 else (1, 2)
        ratio = old / new
        return self.grown(
            1,
            rows=tuple(
                scaled(row, prices=ratio, adjusted=ratio, shares=1 / ratio) for row in self.rows
            ),
            splits={**self.splits, day: (new, old)},
            logged=self.logged + 1,
            scale=self.scale * ratio,
        )


def first_version(number: int) -> Version:
    start = 10 * number
    rows = REAL_ROWS[start : start + FIRST_ROWS]
    scale = 1 + number / 10
    prices = tuple(scaled((*row[:5], row[4], row[6]), prices=scale, adjusted=scale) for row in rows)
    return Version(prices, {}, {}, 0, start, scale)


CHANGES: Sequence[Callable[[Version], Version]] = (
    lambda version: version.grown(2),
    lambda version: version.corrected(3),
    Version.after_dividend,
    lambda version: version.corrected(1, 4).grown(1),
    Version.after_split,
)


@dataclass
class Market:
    """A Yahoo whose tickers change, one version at a time.

    Attributes:
        versions: Of each ticker what was stored before, None for nothing, and what is offered.
        steps: Changes of each ticker so far.
        asked: Requests for prices since `watch`.
        wanted: The request to wait for.
        reached: Set when it has come.
    """

    versions: dict[str, tuple[Version | None, Version]] = field(
        default_factory=lambda: {
            ticker: (None, first_version(number)) for number, ticker in enumerate(TICKERS)
        }
    )
    steps: dict[str, int] = field(
        default_factory=lambda: {ticker: number for number, ticker in enumerate(TICKERS)}
    )
    asked: int = 0
    wanted: int = 0
    reached: threading.Event = field(default_factory=threading.Event)

    def watch(self, wanted: int) -> None:
        self.asked, self.wanted = 0, wanted
        self.reached.clear()

    def advance(self, ticker: str) -> None:
        _, now = self.versions[ticker]
        change = CHANGES[self.steps[ticker] % len(CHANGES)]
        self.steps[ticker] += 1
        self.versions[ticker] = (now, change(now))

    def answer(self, query: Query) -> Answer:
        answer = self.versions[query.ticker][1].answer(query)
        if not query.is_probe:
            self.asked += 1
            if self.asked == self.wanted:
                self.reached.set()
        return answer


def stored_values(store: Store, ticker: str) -> list[Row]:
    bars = store.prices.bars(ticker)
    columns = (bars.opens, bars.highs, bars.lows, bars.closes, bars.adj_closes, bars.volumes)
    return list(
        zip(bars.dates.astype(str).tolist(), *(column.tolist() for column in columns), strict=True)
    )


def is_stored(store: Store, ticker: str, version: Version | None) -> bool:
    """Tell which of two versions is stored by the closes, and require all else to be of it."""
    if version is None:
        return not store.prices.has(ticker)
    if not store.prices.has(ticker):
        return False
    found = stored_values(store, ticker)
    if [(row[0], row[4]) for row in found] != [(row[0], row[4]) for row in version.rows]:
        return False
    if [row[5] for row in found] != [row[5] for row in version.rows]:
        return False
    assert found == list(version.rows)
    assert [(a.date, a.kind) for a in store.prices.actions(ticker)] == [
        (a.date, a.kind) for a in version.actions
    ]
    assert [a.value for a in store.prices.actions(ticker)] == pytest.approx(
        [a.value for a in version.actions]
    )
    assert len(store.prices.log(ticker)) == version.logged
    dates = store.prices.dates(ticker)
    sessions = store.sessions.between("BVMF", str(dates[0]), str(dates[-1]))
    assert np.array_equal(sessions, dates)
    return True


def require_whole(home: Path, market: Market) -> set[str]:
    """Require every ticker to be as it was or as it is now; return those as they are now."""
    with open_store(home) as store:
        connection = store.prices.connection
        assert integrity_faults(connection) == []
        known = [row[0] for row in connection.execute("SELECT ticker FROM instruments")]
        assert sorted(known) == sorted(store.prices.tickers())
        newest = set()
        for ticker, (old, new) in market.versions.items():
            if is_stored(store, ticker, new):
                newest.add(ticker)
            else:
                assert is_stored(store, ticker, old), f"{ticker} is neither old nor new"
        return newest


def write_tickers(file: Path, tickers: Sequence[str]) -> str:
    file.write_text("".join(f"{ticker}\n" for ticker in tickers))
    return f"{file}"


def test_a_fetch_killed_at_any_moment_leaves_each_ticker_old_or_new(
    forks: Forks, tmp_path: Path, home: Path, program
) -> None:
    chance = random.Random(SEED)
    market = Market()
    forks.yahoo.script = market.answer
    names, copy = tmp_path / "tickers.txt", tmp_path / "copy"
    killed, torn = 0, 0
    for _ in range(KILLS):
        before = {ticker for ticker, (old, _) in market.versions.items() if old is not None}
        market.watch(chance.randint(1, len(TICKERS)))
        order = chance.sample(TICKERS, len(TICKERS))
        # Nothing that the process killed before may have left is waited for.
        run = forks.fetch(
            home, "--tickers-file", write_tickers(names, order), "--lock-timeout", "0"
        )
        assert market.reached.wait(LONG_S)
        time.sleep(chance.uniform(0, 0.03))
        run.kill()
        ended = run.wait()
        assert ended.code in {-signal.SIGKILL, 0}, ended.err
        # A copy is looked at, so that the next fetch finds the journal as this one left it.
        shutil.copytree(home, copy)
        newest = require_whole(copy, market)
        shutil.rmtree(copy)
        killed += ended.code != 0
        torn += 0 < len(newest) < len(TICKERS)
        print(market.wanted, ended.code, len(newest), len(before))
        for ticker in newest:
            market.advance(ticker)
    assert killed > KILLS / 2
    assert torn > KILLS / 2

    market.watch(0)
    environment = {**forks.yahoo.environment, "STOCKLSTM_CACHE": f"{home / 'cache'}"}
    for unchanged in (False, True):
        last = program("fetch", "--json", "--tickers-file", f"{names}", **environment)
        assert last.returncode == 0, last.stderr
        items = json.loads(last.stdout)["results"]
        assert {item["ticker"] for item in items} == set(TICKERS)
        if unchanged:
            assert all(item["unchanged"] for item in items)
        assert require_whole(home, market) == set(TICKERS)
    checked = program("validate", "--prices", **environment)
    assert checked.returncode == 0, checked.stdout + checked.stderr
