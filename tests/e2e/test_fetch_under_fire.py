"""Fetches that are killed and fetches that meet: prices are stored whole, once, and for good.

Each fetch is a process of its own, a fork, so that dozens of them take seconds. Moments to kill are
counted in the answers that a fetch has been given, and chosen by a fixed seed; STOCKLSTM_KILLS says
how many there are to be.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stocklstm.core.prices.series import Action
from stocklstm.market.yahoo import YahooSource
from stocklstm.store.store import Store, open_store
from tests.support.forks import CALENDARS, FETCHING, LONG_S, Ended, Fork, Forks, forks_of
from tests.support.forks import program as program_task
from tests.support.places import SAMPLE
from tests.support.yahoo_server import Answer, Query, Script, YahooServer, history

KILLS = int(os.environ.get("STOCKLSTM_KILLS", "16"))
MEETINGS = 10
SEED = 20_240_313

PATIENT = ["--lock-timeout", f"{LONG_S}"]

TICKERS = [f"FIRE{number}.SA" for number in range(1, 13)]

Row = tuple[Any, ...]


def hurried(*arguments: str) -> int:
    """Run a command line without the pauses between tickers: courtesy is for strangers."""
    YahooSource.pause_s = 0.0
    return program_task(*arguments)


def results(ended: Ended) -> dict[str, dict[str, Any]]:
    """Read what a fetch said of each ticker."""
    return {item["ticker"]: item for item in json.loads(ended.out)["results"]}


@dataclass(frozen=True)
class Fetches:
    """Starts the program at the price of a fork, against a Yahoo of its own."""

    forks: Forks
    yahoo: YahooServer

    def fetch(self, home: Path, *options: str, cache: Path | None = None) -> Fork:
        places = {"STOCKLSTM_HOME": f"{home}", "STOCKLSTM_CACHE": f"{cache or home / 'cache'}"}
        task, arguments = f"{__name__}:hurried", ["fetch", "--json", *options]
        return self.forks.start(task, *arguments, environment=places)


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fetches]:
    folder = tmp_path_factory.mktemp("forks")
    modules = [*FETCHING, __name__]
    with (
        YahooServer(folder, lambda _: Answer(None)) as yahoo,
        forks_of(folder, *modules, prepared=CALENDARS, environment=yahoo.environment) as started,
    ):
        yield Fetches(started, yahoo)
    assert {host for host in yahoo.hosts if not host.endswith(".yahoo.com")} == set()


# What there is to fetch.


def real_rows() -> list[Row]:
    """Give PETR4's sessions of 2020 and later, every one a day of its exchange.

    Adjusted closes are the closes until a dividend is paid; volumes can be halved.
    """
    lines = [line.split(",") for line in SAMPLE.read_text().splitlines()[1:] if line >= "2020"]
    return [
        (day, *map(float, prices), float(prices[-1]), 2 * int(volume))
        for day, *prices, _, volume in lines
    ]


REAL_ROWS = real_rows()
FIRST_ROWS = 250


def scaled(
    rows: Sequence[Row], *, prices: float = 1, adjusted: float = 1, shares: float = 1
) -> tuple[Row, ...]:
    return tuple(
        (day, *(value * prices for value in values), adj_close * adjusted, volume * shares)
        for day, *values, adj_close, volume in rows
    )


@dataclass(frozen=True)
class Version:
    """Everything that Yahoo knows of a ticker at one time.

    Attributes:
        first: The place of its first row among the real ones.
        rows: Oldest first.
        scale: What the real prices are multiplied by at the end of the series.
        dividends: By day.
        splits: New and old shares by day.
        logged: Entries of the price log of a store that has seen every version.
    """

    first: int
    rows: tuple[Row, ...]
    scale: float
    dividends: Mapping[str, float] = field(default_factory=dict)
    splits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    logged: int = 0

    @property
    def actions(self) -> tuple[Action, ...]:
        events = [Action(day, "dividend", value) for day, value in self.dividends.items()]
        events += [Action(day, "split", new / old) for day, (new, old) in self.splits.items()]
        return tuple(sorted(events, key=lambda event: (event.date, event.kind)))

    @property
    def script(self) -> Script:
        return history(list(self.rows), dividends=dict(self.dividends), splits=dict(self.splits))

    @property
    def next_place(self) -> int:
        return self.first + len(self.rows)

    @property
    def next_day(self) -> str:
        return REAL_ROWS[self.next_place][0]

    def with_new_days(self, days: int) -> "Version":
        real = REAL_ROWS[self.next_place : self.next_place + days]
        new = scaled(real, prices=self.scale, adjusted=self.scale)
        return replace(self, rows=self.rows + new)

    def corrected(self, *backwards: int) -> "Version":
        """Change the closes of single days, counted from the end."""
        rows = list(self.rows)
        for back in backwards:
            *others, close, adj_close, volume = rows[-back]
            rows[-back] = (*others, close * 1.004, adj_close * 1.004, volume + 2)
        return replace(self, rows=tuple(rows), logged=self.logged + len(backwards))

    def after_dividend(self) -> "Version":
        return replace(
            self,
            rows=scaled(self.rows, adjusted=0.97),
            dividends={**self.dividends, self.next_day: 0.03 * self.rows[-1][4]},
            logged=self.logged + 1,
        ).with_new_days(1)

    def after_split(self) -> "Version":
        """Halve the prices, or double them if they have been halved."""
        new, old = (1, 2) if len(self.splits) % 2 else (2, 1)
        ratio = old / new
        return replace(
            self,
            rows=scaled(self.rows, prices=ratio, adjusted=ratio, shares=1 / ratio),
            scale=self.scale * ratio,
            splits={**self.splits, self.next_day: (new, old)},
            logged=self.logged + 1,
        ).with_new_days(1)


CHANGES: Sequence[Callable[[Version], Version]] = (
    lambda version: version.with_new_days(2),
    lambda version: version.corrected(3),
    Version.after_dividend,
    lambda version: version.corrected(1, 4).with_new_days(1),
    Version.after_split,
)


def first_version(number: int) -> Version:
    """Give every ticker other days and other prices."""
    first, scale = 10 * number, 1 + number / 10
    rows = REAL_ROWS[first : first + FIRST_ROWS]
    return Version(first, scaled(rows, prices=scale, adjusted=scale), scale)


class Market:
    """A Yahoo whose tickers change, one version at a time."""

    def __init__(self, tickers: Sequence[str]) -> None:
        self.now = {ticker: first_version(TICKERS.index(ticker)) for ticker in tickers}
        # None is a ticker that nobody has stored yet.
        self.before: dict[str, Version | None] = dict.fromkeys(tickers)
        self.steps = {ticker: TICKERS.index(ticker) for ticker in tickers}
        self.open = threading.Event()
        self.open.set()
        self.watch(0)

    def watch(self, wanted: int) -> None:
        """Set `reached` at one of the next requests for prices."""
        self.asked, self.wanted, self.reached = 0, wanted, threading.Event()

    def change(self, tickers: Iterable[str]) -> None:
        for ticker in tickers:
            change = CHANGES[self.steps[ticker] % len(CHANGES)]
            self.steps[ticker] += 1
            self.before[ticker] = self.now[ticker]
            self.now[ticker] = change(self.now[ticker])

    def answer(self, query: Query) -> Answer:
        answer = self.now[query.ticker].script(query)
        if not query.is_probe:
            self.asked += 1
            if self.asked == self.wanted:
                self.reached.set()
            self.open.wait(LONG_S)
        return answer

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Let requests for prices wait."""
        self.open.clear()
        try:
            yield
        finally:
            self.open.set()


# What is stored.


def require_whole(home: Path, market: Market) -> set[str]:
    """Require every ticker to be as it was or as it is now; return those as they are now."""
    with open_store(home) as store:
        connection = store.prices.connection
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        known = {ticker for (ticker,) in connection.execute("SELECT ticker FROM instruments")}
        assert known == set(store.prices.tickers())
        newest = {ticker for ticker in market.now if is_stored(store, ticker, market.now[ticker])}
        for ticker in market.now.keys() - newest:
            assert is_stored(store, ticker, market.before[ticker]), f"{ticker}: neither old nor new"
        return newest


def is_stored(store: Store, ticker: str, version: Version | None) -> bool:
    """Tell by the closes whether a version is stored, and require all the rest to be of it."""
    if version is None or not store.prices.has(ticker):
        return version is None and not store.prices.has(ticker)
    bars, sent = store.prices.bars(ticker), list(zip(*version.rows, strict=True))
    if bars.closes.tolist() != list(sent[4]) or bars.adj_closes.tolist() != list(sent[5]):
        return False
    assert bars.dates.astype(str).tolist() == list(sent[0])
    columns = (bars.opens, bars.highs, bars.lows, bars.closes, bars.adj_closes, bars.volumes)
    assert [column.tolist() for column in columns] == [list(column) for column in sent[1:]]
    stored = store.prices.actions(ticker)
    assert [(a.date, a.kind) for a in stored] == [(a.date, a.kind) for a in version.actions]
    values = [action.value for action in version.actions]
    assert [action.value for action in stored] == pytest.approx(values)
    assert len(store.prices.log(ticker)) == version.logged
    sessions = store.sessions.between("BVMF", sent[0][0], sent[0][-1])
    assert np.isin(bars.dates, sessions).all()
    return True


def require_peace(*runs: Ended) -> None:
    for run in runs:
        assert run.code == 0, run.err
        assert not [word for word in ("locked", "IntegrityError", "Traceback") if word in run.err]


def named(tickers: Iterable[str]) -> list[str]:
    return [f"--ticker={ticker}" for ticker in tickers]


# Processes that are killed.


def test_a_fetch_killed_at_any_moment_leaves_each_ticker_old_or_new(
    forks: Fetches,
    tmp_path: Path,
    home: Path,
    program: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    chance = random.Random(SEED)
    market, file, copy = Market(TICKERS), tmp_path / "tickers.txt", tmp_path / "copy"
    forks.yahoo.script = market.answer
    # Nothing that a killed process may have left is waited for.
    options = ["--tickers-file", f"{file}", "--lock-timeout", "0"]
    killed = halfway = 0
    for number in range(1, KILLS + 1):
        file.write_text("\n".join(chance.sample(TICKERS, len(TICKERS))))
        market.watch(chance.randint(1, len(TICKERS)))
        run = forks.fetch(home, *options)
        assert market.reached.wait(LONG_S)
        time.sleep(chance.uniform(0, 0.03))
        run.kill()
        ended = run.wait()
        assert ended.code in {-signal.SIGKILL, 0}, ended.err
        killed += ended.code != 0
        # A copy is looked at, so that the next fetch finds the journal as this one left it.
        shutil.copytree(home, copy)
        newest = require_whole(copy, market)
        shutil.rmtree(copy)
        halfway += 0 < len(newest) < len(TICKERS)
        if number % 5 == 0:
            require_peace(forks.fetch(home, *options).wait())
            newest = require_whole(home, market)
            assert newest == set(TICKERS)
        market.change(newest)
    assert killed > KILLS / 2
    assert halfway > KILLS / 2

    # And once more as cron does it.
    environment = {**forks.yahoo.environment, "STOCKLSTM_CACHE": f"{home / 'cache'}"}
    last = program("fetch", "--json", **environment)
    assert last.returncode == 0, last.stderr
    assert [item["ticker"] for item in json.loads(last.stdout)["results"]] == sorted(TICKERS)
    assert require_whole(home, market) == set(TICKERS)
    require_peace(forks.fetch(home).wait())
    checked = program("validate", "--prices")
    assert checked.returncode == 0, checked.stdout + checked.stderr


# Processes that meet.


def test_two_fetches_of_one_store_wait_for_each_other(forks: Fetches, tmp_path: Path) -> None:
    for number in range(MEETINGS // 2):
        home, market = tmp_path / f"home-{number}", Market(TICKERS[:8])
        forks.yahoo.script = market.answer
        # There is no store yet, and whoever comes first makes it.
        pair = [forks.fetch(home, *PATIENT, *named(part)) for part in (TICKERS[:4], TICKERS[4:8])]
        ended = [run.wait() for run in pair]
        require_peace(*ended)
        assert [list(results(run)) for run in ended] == [TICKERS[:4], TICKERS[4:8]]
        assert require_whole(home, market) == set(market.now)

        market.change(market.now)
        market.watch(1)
        with market.closed():
            # All that are stored, and some of them.
            everything = forks.fetch(home, *PATIENT)
            assert market.reached.wait(LONG_S)
            some = forks.fetch(home, *PATIENT, *named(TICKERS[2:6]))
        ended = [everything.wait(), some.wait()]
        require_peace(*ended)
        assert [len(results(run)) for run in ended] == [8, 4]
        # Whatever the first has stored is nothing new to the second.
        assert not any(item["unchanged"] for item in results(ended[0]).values())
        assert all(item["unchanged"] for item in results(ended[1]).values())
        assert require_whole(home, market) == set(market.now)


def test_fetches_of_two_stores_share_the_cache_of_the_client(
    forks: Fetches, tmp_path: Path
) -> None:
    for number in range(MEETINGS):
        # Now a cache is there, now both make it.
        cache = tmp_path / f"cache-{number // 2}"
        homes = [tmp_path / f"home-{number}-{name}" for name in ("left", "right")]
        market = Market(TICKERS[2 * (number % 2) :][:4])
        forks.yahoo.script = market.answer
        pair = [forks.fetch(home, *named(market.now), cache=cache) for home in homes]
        require_peace(*[run.wait() for run in pair])
        for home in homes:
            assert require_whole(home, market) == set(market.now)


def test_a_fetch_gives_up_when_the_other_takes_too_long(forks: Fetches, home: Path) -> None:
    market = Market(TICKERS[:2])
    forks.yahoo.script = market.answer
    # Where there is no store yet nobody has to wait for it.
    require_peace(forks.fetch(home, *named(market.now)).wait())
    market.watch(1)
    with market.closed():
        first = forks.fetch(home, *named(market.now))
        assert market.reached.wait(LONG_S)
        second = forks.fetch(home, *named(TICKERS[:1]), "--lock-timeout", "0.2").wait()
    assert second.code == 75
    error, hint = second.err.splitlines()
    assert error == "error: another stocklstm has been writing prices for more than 0.2 s"
    assert hint == "  next: wait for it to end, or allow more time with --lock-timeout"
    require_peace(first.wait())
    assert require_whole(home, market) == set(market.now)
