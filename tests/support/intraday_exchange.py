"""A share in New York in the autumn of 2024, bar by bar, and a Yahoo that tells of it.

`live` is a task of `tests.support.forks`: a machine runs a command at each of some moments.
"""

import contextlib
import datetime as dt
import io
import json
import os
import random
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from tests.support.yahoo_server import HTML, TOO_MANY, Answer, Query, YahooServer, json_answer

TICKER = "ACME"
LISTED, LAST = "2024-07-01", "2024-12-20"
CLOSED = {"2024-07-04", "2024-09-02", "2024-11-28"}
HALF_DAYS = {"2024-07-03", "2024-11-29"}
SPLIT = "2024-11-12"
"""Two shares for one from this day on; that evening the first bars are still those of before."""
TORN = "2024-11-06"
"""On this day most bars are missing, and some are null."""
LIMITED = "2024-11-19"
"""On this evening Yahoo says 429 to whoever asks for bars."""
DOWN = "2024-11-26"
"""On this evening it answers such a question with a page."""
REFUSED = "2024-11-21"
"""On this evening it gives no bars of five minutes."""
AUCTION = 0.996
"""What the price of the closing auction is of the last one before."""
SHORT_MEMORY = "2024-12-16"
"""From this day on it has bars of five minutes for a week only."""

NEW_YORK = ZoneInfo("America/New_York")

Bar = tuple[int, float, float, float, float]
"""Start, open, high, low and close."""


def sessions() -> list[str]:
    day, found = dt.date.fromisoformat(LISTED), []
    while str(day) <= LAST:
        if day.weekday() < 5 and str(day) not in CLOSED:
            found.append(str(day))
        day += dt.timedelta(days=1)
    return found


def opening(day: str) -> int:
    return int(dt.datetime.fromisoformat(f"{day}T09:30").replace(tzinfo=NEW_YORK).timestamp())


def closing(day: str) -> int:
    hour = "13:00" if day in HALF_DAYS else "16:00"
    return int(dt.datetime.fromisoformat(f"{day}T{hour}").replace(tzinfo=NEW_YORK).timestamp())


def merged(bars: list[Bar], opens_at: int, minutes: int) -> list[Bar]:
    """Put bars of a session together to longer ones, counted from its opening."""
    groups: dict[int, list[Bar]] = {}
    for bar in bars:
        groups.setdefault((bar[0] - opens_at) // (60 * minutes), []).append(bar)
    return [
        (
            opens_at + place * 60 * minutes,
            group[0][1],
            max(bar[2] for bar in group),
            min(bar[3] for bar in group),
            group[-1][4],
        )
        for place, group in groups.items()
    ]


class Share:
    """What was traded, in the prices of then."""

    @cached_property
    def traded(self) -> dict[str, list[Bar]]:
        """Bars of five minutes by day."""
        made, price, chance = {}, 120.0, random.Random(7)
        for day in sessions():
            price *= 1 + chance.gauss(0, 0.008)
            price /= 2 if day == SPLIT else 1
            bars = []
            for start in range(opening(day), closing(day), 300):
                first = price * (1 + chance.gauss(0, 0.0001))
                price = first * (1 + chance.gauss(0, 0.0012))
                high = max(first, price) * (1 + abs(chance.gauss(0, 0.0004)))
                low = min(first, price) * (1 - abs(chance.gauss(0, 0.0004)))
                bars.append((start, *(round(each, 4) for each in (first, high, low, price))))
            made[day] = bars
        return made

    def told(self, day: str, minutes: int, today: str) -> list[Bar]:
        """Give the bars of a day as they are told on another one."""
        scale = 0.5 if day < SPLIT <= today else 1.0
        bars = merged(self.traded[day], opening(day), minutes)
        return [(start, *(price * scale for price in prices)) for start, *prices in bars]

    @cached_property
    def days(self) -> list[Bar]:
        return [merged(self.traded[day], opening(day), 60 * 24)[0] for day in self.traded]

    def daily(self, today: str) -> list[tuple[Any, ...]]:
        rows = []
        for day, (_, *prices) in zip(self.traded, self.days, strict=True):
            if day <= today:
                scale = 0.5 if day < SPLIT <= today else 1.0
                told = [price * scale for price in prices]
                rows.append((day, *told, told[-1], 10**6))
        return rows


SHARE = Share()


@dataclass
class Exchange:
    """Answers as Yahoo does at a moment."""

    moment: str = ""

    @property
    def now(self) -> float:
        return dt.datetime.fromisoformat(self.moment).timestamp()

    @property
    def today(self) -> str:
        return str(dt.datetime.fromtimestamp(self.now, NEW_YORK).date())

    def __call__(self, query: Query) -> Answer:
        interval = query.options.get("interval", "1d")
        if interval == "1d":
            return self._days(query)
        minutes = int(interval.removesuffix("m"))
        if self.today == LIMITED:
            return TOO_MANY
        if self.today == DOWN:
            return HTML
        age = (self.now - int(query.options["period1"])) / 86_400
        most = 730 if minutes == 60 else 60
        if age > most or (self.today == REFUSED and minutes == 5):
            return _refusal(minutes, most)
        return self._bars(minutes, int(query.options["period1"]))

    def _days(self, query: Query) -> Answer:
        from tests.support.yahoo_server import history

        rows = [row for row in SHARE.daily(self.today) if opening(row[0]) <= self.now]
        splits = {SPLIT: (2, 1)} if self.today >= SPLIT else {}
        traits = {"currency": "USD", "exchange": "NYQ", "time_zone": "America/New_York"}
        return history(rows, splits=splits, opens_at_utc=14, **traits)(query)

    def _bars(self, minutes: int, since: int) -> Answer:
        if minutes < 60 and self.today >= SHORT_MEMORY:
            since = max(since, int(self.now) - 7 * 86_400)
        bars = [
            bar
            for day in SHARE.traded
            if day <= self.today and closing(day) + 3600 > since
            for bar in self._of_day(day, minutes)
            if since <= bar[0] <= self.now
        ]
        return bars_answer(bars, minutes)

    def _of_day(self, day: str, minutes: int) -> list[tuple[Any, ...]]:
        bars: list[tuple[Any, ...]] = list(SHARE.told(day, minutes, self.today))
        if day == TORN:
            nothing = (None,) * 4
            bars = [(bar[0], *nothing) if n % 4 == 1 else bar for n, bar in enumerate(bars)]
            bars = [bar for n, bar in enumerate(bars) if n % 4 != 2]
        if day == self.today == SPLIT:
            bars = [(t, *(2 * p for p in prices)) for t, *prices in bars[:9]] + bars[9:]
        # What is traded before and after the session, and in the closing auction.
        first, last = bars[0], bars[-1]
        before = (first[0] - 60 * minutes, *(p * 1.02 for p in SHARE.told(day, 5, day)[0][1:]))
        close = SHARE.told(day, minutes, self.today)[-1][4] * AUCTION
        return [before, *bars, (max(closing(day), last[0] + 60), *([close] * 4))]


def bars_answer(bars: list[tuple[Any, ...]], minutes: int) -> Answer:
    """Build a chart of bars within sessions as Yahoo's v8 interface writes it."""
    days = sorted({str(dt.datetime.fromtimestamp(bar[0], NEW_YORK).date()) for bar in bars})
    periods = [
        [{"timezone": "EST", "start": opening(d) - 3600, "end": closing(d) + 3600, "gmtoffset": -1}]
        for d in days
    ]
    columns = list(zip(*bars, strict=True)) or [()] * 5
    names = ("open", "high", "low", "close")
    quote = {name: list(column) for name, column in zip(names, columns[1:], strict=True)}
    quote["volume"] = [1000] * len(bars)
    meta = {
        "currency": "USD",
        "symbol": TICKER,
        "exchangeName": "NYQ",
        "instrumentType": "EQUITY",
        "exchangeTimezoneName": "America/New_York",
        "dataGranularity": f"{minutes}m",
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "max"],
        "tradingPeriods": periods,
    }
    result = {
        "meta": meta,
        "timestamp": list(columns[0]),
        "indicators": {"quote": [quote if bars else {}]},
    }
    return json_answer({"chart": {"result": [result], "error": None}})


def _refusal(minutes: int, days: int) -> Answer:
    words = (
        f"{minutes}m data not available. The requested range must be within the last {days} days."
    )
    error = {"code": "Unprocessable Entity", "description": words}
    return json_answer({"chart": {"result": None, "error": error}}, 422)


def live(folder: str, steps: list[tuple[str, list[str]]]) -> int:
    """Run a command line at each of some moments; say for each what became of it, as JSON."""
    from stocklstm.cli.app import run
    from stocklstm.market.calendar import sessions as calendar
    from stocklstm.workflows.prices.retry import Asker
    from tests.support.moving_clock import move

    Asker._sleep = lambda *_: None  # type: ignore[method-assign]
    # Else it would be built anew every day.
    calendar("XNYS", np.datetime64("2020-01-01", "D"), np.datetime64("2030-01-01", "D"))
    exchange = Exchange()
    # It ends with the process, and waits for no connection that is kept open.
    yahoo = YahooServer(Path(folder), exchange).__enter__()
    os.environ.update(yahoo.environment)
    for moment, words in steps:
        exchange.moment = moment
        move(moment)
        before, said, complained = len(yahoo.queries), io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            code = run(words)
        asked = [q.options.get("interval", "") for q in yahoo.queries[before:]]
        outcome = [code, asked, said.getvalue(), complained.getvalue()]
        sys.stdout.write(json.dumps(outcome) + "\n")
    return 0
