"""A Yahoo that knows at each moment what there was to know then: sessions, a split, a dividend."""

import datetime as dt
from dataclasses import dataclass, field

from tests.support.places import SAMPLE
from tests.support.yahoo_server import Answer, Query, chart

Row = tuple[str, float, float, float, float, float, int]


def bundled_rows(*, dividends: bool = True) -> list[Row]:
    """Give the bundled real rows of PETR4.SA; without dividends adjusted closes are the closes."""
    lines = [line.split(",") for line in SAMPLE.read_text().splitlines()]
    return [
        (day, *map(float, prices[:4]), float(prices[4 if dividends else 3]), int(volume))
        for day, *prices, volume in lines
        if day[0].isdigit() and int(volume) > 0
    ]


@dataclass
class Share:
    """A share as it was traded.

    Attributes:
        rows: Of all days, before any split and without dividends.
        split: First day on which two shares stand for one; "" for none.
        dividend: First day without it, and its amount in currency.
    """

    rows: list[Row]
    split: str = ""
    dividend: tuple[str, float] = ("", 0.0)

    def as_known(self, today: str) -> list[Row]:
        """Give the rows up to a day as Yahoo has them then: in the scale of that day."""
        shares = 2 if self._past(self.split, today) else 1
        day_without, amount = self.dividend
        kept = 1.0
        if self._past(day_without, today):
            kept -= amount / next(row[4] for row in reversed(self.rows) if row[0] < day_without)
        return [
            (
                day,
                *(price / shares for price in prices),
                adjusted / shares * (kept if day < day_without else 1),
                volume * shares,
            )
            for day, *prices, adjusted, volume in self.rows
            if day <= today
        ]

    @staticmethod
    def _past(event: str, today: str) -> bool:
        return bool(event) and event <= today

    def close(self, day: str, today: str) -> float:
        """Give the close of a day in the scale of another one, not before it."""
        (row,) = (row for row in self.rows if row[0] == day)
        return row[4] / (2 if self._past(self.split, today) else 1)

    def answer(self, ticker: str, first: str, today: str) -> Answer:
        """Answer with the days from the first one on."""
        paid = dict([self.dividend]) if self._past(self.dividend[0], today) else {}
        split = {self.split: (2, 1)} if self._past(self.split, today) else {}
        rows = [row for row in self.as_known(today) if row[0] >= first]
        return chart(ticker, rows, dividends=paid, splits=split)


@dataclass
class Exchange:
    """Answers for its shares as of a day.

    Attributes:
        shares: By ticker.
        today: ISO day; its bar is there, finished or not.
        instead: What is answered in the place of prices; None for prices.
        asked: Tickers whose prices were asked for.
    """

    shares: dict[str, Share]
    today: str = ""
    instead: Answer | None = None
    asked: list[str] = field(default_factory=list)

    def __call__(self, query: Query) -> Answer:
        if self.instead is not None:
            return self.instead
        first = self.today
        if not query.is_probe:
            self.asked.append(query.ticker)
            # The midnight of a day where it is day first, which is hours before.
            moment = dt.datetime.fromtimestamp(int(query.options["period1"]), dt.UTC)
            first = str((moment + dt.timedelta(hours=14)).date())
        return self.shares[query.ticker].answer(query.ticker, first, self.today)
