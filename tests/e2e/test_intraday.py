"""Bars within sessions by Yahoo's client: thirty evenings, and what can go wrong in them."""

import json
import math
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.forks import Forks
from tests.support.intraday_exchange import (
    DOWN,
    HALF_DAYS,
    LIMITED,
    REFUSED,
    SHORT_MEMORY,
    SPLIT,
    TICKER,
    TORN,
    Bar,
    Exchange,
    merged,
    opening,
    sessions,
)

DAYS = sessions()
FIRST = "2024-10-21"
EVENINGS = DAYS[DAYS.index(FIRST) + 1 :][:30]
ASLEEP = DAYS[DAYS.index(EVENINGS[-1]) + 1 : DAYS.index(SHORT_MEMORY) + 1]
AT_NOON, TOO_EARLY = "2024-11-14", "2024-11-15"

Row = dict[str, Any]


@dataclass
class Life:
    """What a machine did, step by step, and what it has in the end."""

    steps: list[tuple[str, list[str]]]
    outcomes: list[tuple[int, list[str], str, str]]
    tables: dict[str, list[Row]]

    def of(self, moment: str) -> tuple[int, list[str], str, str]:
        return next(
            outcome
            for (when, _), outcome in zip(self.steps, self.outcomes, strict=True)
            if when == moment
        )

    def evening(self, day: str) -> tuple[int, list[str], str, str]:
        return self.of(evening(day))


def evening(day: str) -> str:
    return f"{day}T22:30:00Z"


def lived(forks: Forks, folder: Path) -> Life:
    fetch = ["fetch", TICKER, "--json"]
    steps = [(evening(FIRST), [*fetch, "--intraday", "--keep-bars"])]
    for day in EVENINGS:
        if day == AT_NOON:
            steps.append((f"{day}T18:02:00Z", fetch))
        if day == TOO_EARLY:
            steps.append((f"{day}T21:20:00Z", fetch))
        steps.append((evening(day), fetch))
    steps += [(evening(SHORT_MEMORY), fetch), (evening(SHORT_MEMORY), ["prices", "verify"])]
    places = {
        "HOME": f"{folder / 'user'}",
        "STOCKLSTM_HOME": f"{folder / 'home'}",
        "STOCKLSTM_CACHE": f"{folder / 'cache'}",
    }
    ended = forks.run(
        "tests.support.intraday_exchange:live", f"{folder}", steps, environment=places
    )
    assert ended.code == 0, ended.err
    outcomes = [json.loads(line) for line in ended.out.splitlines()]
    with closing(sqlite3.connect(folder / "home" / "stocklstm.db")) as connection:
        connection.row_factory = sqlite3.Row
        tables = {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608 - fixed names
            for table in ("realised", "intraday_bars", "prices")
        }
    return Life(steps, outcomes, tables)


def expected(day: str, minutes: int, bars: list[Bar]) -> Row:
    """Measure a session in the plainest way."""
    prices = [[math.log(price) for price in bar[1:]] for bar in bars]
    before = [prices[0][0], *(bar[3] for bar in prices[:-1])]
    moves = [bar[3] - last for bar, last in zip(prices, before, strict=True)]
    ranges = [
        (high - close) * (high - first) + (low - close) * (low - first) + (first - last) ** 2
        for (first, high, low, close), last in zip(prices, before, strict=True)
    ]
    pairs = [abs(one) * abs(other) for one, other in pairwise(moves)]
    first, last = (570 + (bar[0] - opening(day)) // 60 for bar in (bars[0], bars[-1]))
    return {
        "date": day,
        "minutes": minutes,
        "realised": math.fsum(move**2 for move in moves),
        "ranges": math.fsum(ranges),
        "bipower": math.pi / 2 * math.fsum(pairs) * len(bars) / (len(bars) - 1),
        "bars": len(bars),
        "first": first,
        "last": last,
    }


def came(day: str, minutes: int, on: str) -> list[Bar]:
    """Give the bars of a session that Yahoo told on an evening, without those outside of it."""
    exchange = Exchange(moment=evening(on))
    *bars, auction = exchange._of_day(day, minutes)[1:]
    if minutes == 60 and day == on:
        # The client takes what comes less than an hour after the last bar for a part of it.
        start, first, high, low, _ = bars[-1]
        bars[-1] = (start, first, high, min(low, auction[4]), auction[4])
    return [bar for bar in bars if bar[1] is not None]


def all_expected() -> list[Row]:
    rows = [expected(day, 60, came(day, 60, FIRST)) for day in DAYS if day <= FIRST]
    # The first evening gets all days of which there are five-minute bars, 58 of them.
    fine = [day for day in DAYS if "2024-08-25" <= day <= EVENINGS[0]]
    rows += [expected(day, 5, came(day, 5, EVENINGS[0])) for day in fine]
    for day in EVENINGS[1:]:
        told = EVENINGS[EVENINGS.index(day) + 1] if day in {LIMITED, DOWN} else day
        minutes = 15 if day == REFUSED else 5
        rows.append(expected(day, minutes, came(day, minutes, told)))
    rows += [expected(day, 60, came(day, 60, SHORT_MEMORY)) for day in ASLEEP]
    recent = [day for day in ASLEEP if day >= "2024-12-10"]
    rows += [expected(day, 5, came(day, 5, SHORT_MEMORY)) for day in recent]
    # Of the torn day longer bars are made of what there is.
    rows.append(expected(TORN, 15, merged(came(TORN, 5, TORN), opening(TORN), 15)))
    return sorted(rows, key=lambda row: (row["date"], row["minutes"]))


def the_table_is_right_to_the_last_digit(life: Life) -> None:
    rows = all_expected()
    found = life.tables["realised"]

    assert [(row["date"], row["minutes"]) for row in found] == [
        (row["date"], row["minutes"]) for row in rows
    ]
    for given, wanted in zip(found, rows, strict=True):
        for name, value in list(wanted.items())[1:]:
            assert given[name] == pytest.approx(value, rel=1e-12), (wanted["date"], name)
    unusable = {(row["date"], row["minutes"]) for row in found if not row["usable"]}
    # Of the split's evening five-minute bars jump by its ratio; of the torn day most are missing.
    assert unusable == {(SPLIT, 5), (TORN, 5)}
    assert {row["first"] for row in found} == {570}
    halves = {
        (row["date"], row["minutes"]): row["bars"] for row in found if row["date"] in HALF_DAYS
    }
    assert halves == {("2024-07-03", 60): 4, ("2024-11-29", 5): 42}


def bars_are_kept_as_they_came(life: Life) -> None:
    keys = [
        (row["date"], row["minutes"], row["bars"])
        for row in life.tables["realised"]
        if (row["date"], row["minutes"]) != (TORN, 15)
    ]
    kept = [
        (row["date"], row["minutes"], len(row["bars"]) // 40)
        for row in life.tables["intraday_bars"]
    ]
    assert kept == keys


def an_evening_asks_once_more_than_without(life: Life) -> None:
    code, asked, _, _ = life.evening(FIRST)
    assert (code, asked) == (0, ["1d", "1d", "60m"])  # the probe of the time zone comes first
    for day in EVENINGS:
        code, asked, _, err = life.evening(day)
        if day == SPLIT:
            # A split makes the whole history be asked for.
            asked = asked[1:]
        if day == LIMITED:
            # The client itself asks again, with another cookie.
            assert (code, asked) == (75, ["1d", "5m", "5m"])
            assert "rate-limiting" in err
        elif day == DOWN:
            assert (code, asked) == (75, ["1d", "5m", "5m", "5m"])
            assert "Yahoo sent something other than data" in err
        elif day == REFUSED:
            assert (code, asked) == (0, ["1d", "5m", "5m", "15m"])
        else:
            assert (code, asked, err) == (0, ["1d", "5m"], ""), day
    assert life.evening(SHORT_MEMORY)[:2] == [0, ["1d", "5m", "60m"]]


def what_did_not_come_comes_the_next_evening(life: Life, day: str) -> None:
    document = json.loads(life.evening(day)[2])
    assert document["results"][0]["rows_added"] == 1
    assert document["results"][0]["intraday"] is None
    assert document["errors"][0]["ticker"] == TICKER
    after = json.loads(life.evening(EVENINGS[EVENINGS.index(day) + 1])[2])
    assert after["results"][0]["intraday"]["sessions_added"] == 2


def a_session_that_is_not_over_has_no_value(life: Life, moment: str) -> None:
    code, asked, out, err = life.of(moment)

    assert (code, asked, err) == (0, ["1d"], "")
    assert json.loads(out)["results"][0]["intraday"] is None
    today = life.evening(moment[:10])
    assert json.loads(today[2])["results"][0]["intraday"]["sessions_added"] == 1


def what_came_fits_the_daily_prices(life: Life) -> None:
    code, _, out, _ = life.outcomes[-1]
    assert code == 0, out


def test_thirty_evenings_and_a_gap(forks: Forks, tmp_path: Path) -> None:
    life = lived(forks, tmp_path)

    the_table_is_right_to_the_last_digit(life)
    bars_are_kept_as_they_came(life)
    an_evening_asks_once_more_than_without(life)
    for day in (LIMITED, DOWN):
        what_did_not_come_comes_the_next_evening(life, day)
    for moment in (f"{AT_NOON}T18:02:00Z", f"{TOO_EARLY}T21:20:00Z"):
        a_session_that_is_not_over_has_no_value(life, moment)
    what_came_fits_the_daily_prices(life)
