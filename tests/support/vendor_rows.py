"""Real prices of some markets, day by day, to write price files of."""

import csv
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from functools import cache
from typing import NamedTuple

import exchange_calendars

from tests.support.places import SAMPLE


class Row(NamedTuple):
    """One day; prices as they are written down, so that 36.90 keeps its nought."""

    day: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    adj_close: Decimal
    volume: int


@dataclass(frozen=True)
class Market:
    """Where a file's instrument is traded.

    Attributes:
        ticker: What is asked for.
        other: Another instrument of the same market.
        calendar: Of exchange_calendars; None if every day is a session.
        zone: IANA name.
        opens: Local time at which a session opens.
        closes: Local time of its last trade.
    """

    ticker: str
    other: str
    calendar: str | None
    zone: str
    opens: time
    closes: time

    @property
    def bare(self) -> str:
        """The ticker without Yahoo's suffix."""
        return self.ticker.split(".")[0]

    @property
    def bare_other(self) -> str:
        return self.other.split(".")[0]


B3 = Market("PETR4.SA", "VALE3.SA", "BVMF", "America/Sao_Paulo", time(10), time(16, 56))
US = Market("AAPL", "MSFT", "XNYS", "America/New_York", time(9, 30), time(16))
TOKYO = Market("7203.T", "6758.T", "XTKS", "Asia/Tokyo", time(9), time(15))
INDIA = Market("RELIANCE.NS", "TCS.NS", "XBOM", "Asia/Kolkata", time(9, 15), time(15, 30))
LONDON = Market("VOD.L", "BP.L", "XLON", "Europe/London", time(8), time(16, 30))
SYDNEY = Market("BHP.AX", "CBA.AX", "XASX", "Australia/Sydney", time(10), time(16))
CRYPTO = Market("BTC-USD", "ETH-USD", None, "UTC", time(0), time(23, 59))

SHARES = (B3, US, TOKYO, INDIA, LONDON, SYDNEY)
ANY = (*SHARES, CRYPTO)

Rows = Sequence[Row]

CLOSE = ("close",)
OHLC = ("open", "high", "low", "close")
OHLCV = (*OHLC, "volume")
ADJUSTED = (*OHLC, "adj_close", "volume")


@cache
def real_rows(market: Market) -> tuple[Row, ...]:
    """Real prices on real sessions of a market.

    The prices are those of PETR4.SA for all of them. Days on which B3 was closed, and which Yahoo
    filled, are left out.
    """
    with SAMPLE.open(newline="") as file:
        written = [
            Row(
                date.fromisoformat(line["Date"]),
                *(Decimal(line[name]) for name in ("Open", "High", "Low", "Close", "Adj Close")),
                int(line["Volume"]),
            )
            for line in csv.DictReader(file)
        ]
    first, last = written[0].day, written[-1].day
    if market.calendar is None:
        days = [date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1)]
    else:
        with warnings.catch_warnings():
            # pandas and exchange_calendars announce the future to each other.
            warnings.simplefilter("ignore")
            calendar = exchange_calendars.get_calendar(market.calendar, start=first.isoformat())
        days = [day.date() for day in calendar.sessions_in_range(f"{first}", f"{last}")]
    if market is B3:
        sessions = set(days)
        return tuple(row for row in written if row.day in sessions and row.volume)
    traded = [row for row in written if row.volume]
    return tuple(row._replace(day=day) for day, row in zip(days, traded, strict=False))


def with_decimals(rows: Rows, decimals: int | None, level: int = 1) -> list[Row]:
    """Scale and round all prices; None writes them as the floats of Yahoo's server look."""

    def rounded(price: Decimal) -> Decimal:
        if decimals is None:
            (single,) = struct.unpack("f", struct.pack("f", price * level))
            return Decimal(repr(single))
        return round(price * level, decimals) if decimals else Decimal(round(price * level))

    return [row._replace(**{f: rounded(getattr(row, f)) for f in ADJUSTED[:-1]}) for row in rows]


def others(rows: Rows) -> list[Row]:
    """Make prices of another instrument on the same days, none of them equal."""
    return [
        Row(row.day, *(price * 2 + 1 for price in row[1:-1]), row.volume * 3 + 7) for row in rows
    ]
