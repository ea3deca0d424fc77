"""Sixty evenings of a machine that nobody looks after, with the real program and Yahoo's client.

From December 2023 to March 2024 by the bundled prices: Christmas, New Year and carnival, an
evening on a Saturday, Yahoo down twice and limiting the rate once, bars that come late, a split, a
dividend, a machine that sleeps for three days, two evenings at once, and models that grow too old.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from stocklstm.store.store import open_store
from tests.conftest import TINY_OPTIONS
from tests.support.exchange_days import Exchange, Share, bundled_rows
from tests.support.forks import CALENDARS, FETCHING, TRAINING, Ended, Fork, Forks, forks_of
from tests.support.places import ROOT
from tests.support.yahoo_server import HTML, RESET, TOO_MANY, Answer, YahooServer

PAYS, SPLITS = "PETR4.SA", "VALE3.SA"
BEGIN = "2023-12-11"
EVENINGS = 60
TOO_OLD = 40
"""Sessions after which a champion is trained anew: once in all these evenings."""

ROWS = bundled_rows(dividends=False)[-2000:]
SESSIONS = [row[0] for row in ROWS]
EX_DATE, SPLIT_DATE = "2024-01-17", "2024-01-31"

SATURDAY = "2023-12-16"
ASLEEP = ("2024-01-09", "2024-01-10", "2024-01-11")
DOWN = {"2023-12-20": RESET, "2024-02-06": HTML}
LIMITED = "2024-01-23"
LATE = "2024-02-21"
AT_ONCE = "2024-02-27"
# Of these, a process of its own from the first import on, as cron starts it.
FRESH = {"2023-12-14", "2023-12-25", SPLIT_DATE}


def weekdays() -> Iterator[str]:
    day = date.fromisoformat(BEGIN)
    while True:
        if day.weekday() < 5 or str(day) == SATURDAY:
            yield str(day)
        day += timedelta(days=1)


def evenings() -> list[str]:
    """Name the days on whose evening the machine is awake."""
    days = weekdays()
    found: list[str] = []
    while len(found) < EVENINGS:
        if (day := next(days)) not in ASLEEP:
            found.append(day)
    return found


@dataclass
class House:
    """The machine, its Yahoo, and the files that it keeps."""

    folder: Path
    yahoo: YahooServer
    exchange: Exchange
    forks: Forks
    ran: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def growing(self) -> Path:
        return self.folder / "all.csv"

    @property
    def latest(self) -> Path:
        return self.folder / "today.json"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **self.yahoo.environment,
            "HOME": f"{self.folder / 'user'}",
            "STOCKLSTM_HOME": f"{self.home}",
            "STOCKLSTM_CACHE": f"{self.folder / 'cache'}",
        }

    def line(self) -> list[str]:
        """Give what cron runs."""
        growing = ("--csv", f"{self.growing}", "--append", "--out", f"{self.latest}")
        return ["evening", "--retrain-after", f"{TOO_OLD}", *growing]

    def begin(self, moment: str, *words: str) -> Fork:
        """Start a command line at a moment."""
        task = "tests.support.moving_clock:program"
        return self.forks.start(task, moment, *words, environment=self.environment)

    def run(self, moment: str, *words: str, fresh: bool = False) -> Ended:
        """Run a command line at a moment."""
        if not fresh:
            return self.begin(moment, *words).wait()
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.moving_clock", moment, *words],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def evening(
        self, day: str, time: str = "21:30", instead: Answer | None = None, *options: str
    ) -> Ended:
        """Run the line of cron."""
        self.exchange.instead = instead
        self.ran.append(day)
        return self.run(f"{day}T{time}:00Z", *self.line(), *options, fresh=day in FRESH)

    def good_evening(self, day: str, time: str = "21:30") -> str:
        """Run it where all is well: nothing is said on stderr; give the table."""
        self.exchange.today = day
        done = self.evening(day, time)
        assert (done.code, done.err) == (0, ""), (day, done)
        return done.out

    def bad_evening(self, day: str, *, instead: Answer | None, words: str) -> None:
        """Run it where prices cannot be had: forecasts and files are those of before."""
        before, forecasts = self.growing.read_bytes(), self.forecasts()
        done = self.evening(day, instead=instead)
        assert done.code == 75, (day, done)
        assert words in done.err, (day, done.err)
        assert "the forecast is made from the close of " in done.err
        assert all(line.startswith(("error: ", "  next: ")) for line in done.err.splitlines())
        assert "1 session behind; unchanged" in done.out
        assert self.growing.read_bytes() == before
        assert self.forecasts() == forecasts

    def forecasts(self) -> list[tuple[str, str, float]]:
        """Read the file of yesterday, or of today."""
        made = json.loads(self.latest.read_text())["forecasts"]
        return [(each["ticker"], each["target_session"], each["point"]) for each in made]

    def rows(self) -> list[dict[str, str]]:
        with self.growing.open(newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    dearer = [(day, *(1.7 * price for price in prices), volume) for day, *prices, volume in ROWS]
    shares = {
        PAYS: Share(ROWS, dividend=(EX_DATE, 1.5)),
        SPLITS: Share(dearer, split=SPLIT_DATE),
    }
    modules = (*FETCHING, *TRAINING, "stocklstm.cli.evening.evening", "stocklstm.cli.train.train")
    exchange = Exchange(shares, today="2023-12-08")
    with (
        YahooServer(tmp_path, exchange) as yahoo,
        forks_of(tmp_path, *modules, prepared=CALENDARS) as forks,
    ):
        house = House(tmp_path, yahoo, exchange, forks)
        small = [*TINY_OPTIONS, "--epochs", "1", "--hidden-size", "8", "--batch-size", "256"]
        trained = house.run("2023-12-08T22:00:00Z", "train", PAYS, SPLITS, *small)
        assert trained.code == 0, trained.err
        yield house


def test_sixty_evenings(house: House) -> None:
    days = evenings()
    assert (days[0], len(days), len(set(days))) == (BEGIN, EVENINGS, EVENINGS)
    # What each day is there for is among them.
    assert {SATURDAY, LIMITED, LATE, AT_ONCE, EX_DATE, SPLIT_DATE, *DOWN, *FRESH} <= {*days}
    holidays = [day for day in days if day not in SESSIONS and day != SATURDAY]
    assert holidays == ["2023-12-25", "2023-12-29", "2024-01-01", "2024-02-12", "2024-02-13"]
    trained = {}

    for day in days:
        asked = len(house.exchange.asked)
        if day in DOWN:
            reset = DOWN[day] is RESET
            words = "no answer from Yahoo" if reset else "Yahoo sent something other than data"
            house.bad_evening(day, instead=DOWN[day], words=words)
        elif day == LIMITED:
            house.bad_evening(day, instead=TOO_MANY, words="Yahoo is rate-limiting this machine")
            # The line runs again an hour later.
            house.good_evening(day, "22:30")
        elif day == LATE:
            # Yahoo does not have the day's bar yet.
            house.bad_evening(day, instead=None, words=f"yahoo has no prices of {LATE} yet")
            house.good_evening(day, "22:30")
        elif day == AT_ONCE:
            require_one_at_a_time(house, day)
        else:
            table = house.good_evening(day)
            if day in SESSIONS:
                trained |= {
                    line.split()[0]: day for line in table.splitlines() if "trained v" in line
                }
            else:
                # Nobody is asked where nothing has closed.
                assert len(house.exchange.asked) == asked
                assert table.count("unchanged") == 2

    require_each_session_once(house, days)
    # 40 sessions may be unseen: the 41st after the last one that they saw is due.
    seen = SESSIONS.index("2023-12-08")
    assert trained == dict.fromkeys((PAYS, SPLITS), SESSIONS[seen + TOO_OLD + 1])
    with open_store(house.home) as store:
        for ticker in (PAYS, SPLITS):
            assert store.registry.versions(ticker) == [1, 2]
    require_right_prices_and_outcomes(house, days[-1])


def require_one_at_a_time(house: House, day: str) -> None:
    """While one evening is at work the next one waits, and gives up with nothing done."""
    house.exchange.today = day
    before = house.growing.read_bytes(), house.latest.read_bytes()
    with open_store(house.home) as store, store.writing("evening"):
        done = house.evening(day, "21:30", None, "--lock-timeout", "0")
    assert (done.code, done.out) == (75, "")
    assert done.err.startswith("error: another evening has been under way")
    assert (house.growing.read_bytes(), house.latest.read_bytes()) == before
    asked = len(house.exchange.asked)
    both = [
        house.begin(f"{day}T22:30:00Z", *house.line(), "--lock-timeout", "60") for _ in range(2)
    ]
    ended = [one.wait() for one in both]
    assert [(one.code, one.err) for one in ended] == [(0, "")] * 2
    # The one that came second found all done.
    assert sorted(one.out.count("unchanged") for one in ended) == [0, 2]
    assert len(house.exchange.asked) == asked + 2


def require_each_session_once(house: House, days: list[str]) -> None:
    """Each evening on which prices came has one row a ticker, of the next session, and no other."""
    good = [day for day in days if day in SESSIONS and day not in DOWN]
    following = dict(pairwise(SESSIONS))
    rows = house.rows()
    for ticker in (PAYS, SPLITS):
        own = [row for row in rows if row["ticker"] == ticker]
        assert [row["as_of"] for row in own] == good
        assert [row["target_session"] for row in own] == [following[day] for day in good]
    assert len(rows) == 2 * len(good)
    assert {row["horizon"] for row in rows} == {"1"}


def require_right_prices_and_outcomes(house: House, last: str) -> None:
    """The store has what Yahoo knows at the end, and each forecast is beside what came of it."""
    done = house.run(f"{last}T23:00:00Z", "forecasts", "--json")
    assert done.code == 0, done.err
    record = json.loads(done.out)["forecasts"]
    closed = [past for past in record if past["outcome"] is not None]
    assert len(record) - len(closed) == 2
    assert not any(past["late"] for past in record)
    with open_store(house.home) as store:
        for ticker, share in house.exchange.shares.items():
            stored = store.prices.bars(ticker)
            known = share.as_known(last)
            assert stored.dates.astype(str).tolist() == [row[0] for row in known]
            assert stored.closes == pytest.approx([row[4] for row in known], rel=1e-6)
            assert stored.adj_closes == pytest.approx([row[5] for row in known], rel=1e-6)
    for past in closed:
        share, then = house.exchange.shares[past["ticker"]], past["as_of"]
        assert past["last_close"] == pytest.approx(share.close(then, then), rel=1e-6)
        # In the scale in which it was given: a split since changes nothing of it.
        day, scale = past["target_session"], share.close(then, then) / share.close(then, last)
        came = share.close(day, last) * scale
        if past["ticker"] == PAYS and day == EX_DATE:
            # A dividend of 1.50 was paid out of this close; it is a share of the close before.
            came /= 1 - 1.5 / share.close(then, then)
        assert past["outcome"] == pytest.approx(came, rel=1e-6), past
        assert past["error"] == pytest.approx(past["point"] - came, rel=1e-4, abs=1e-6)
