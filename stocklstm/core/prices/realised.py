"""What a session's own bars say of how volatile it was.

Realised variance: Andersen & Bollerslev 1998; the range inside each bar: Christensen & Podolskij
2007, with the estimator of Rogers & Satchell 1991; bipower variation: Barndorff-Nielsen & Shephard
2004.
"""

import math
from collections.abc import Mapping
from zoneinfo import ZoneInfo

import numpy as np

from stocklstm.core.prices.local_time import local_time
from stocklstm.core.prices.series import Dates, DayVariances, Flags, Floats, Indices
from stocklstm.core.records import dataclass

ENOUGH_BARS = 0.8
"""Share of the bars of a session that must be there for it to be used."""

SHORT_BARS = 15
"""Minutes of the longest bars whose returns are summed; of longer ones the ranges are."""

LONGEST_BARS = 90
"""Minutes of the longest bars that say more of a session than its daily bar."""


@dataclass(frozen=True, eq=False)
class IntradayBars:
    """Bars within sessions, oldest first; n bars, prices of any one scale.

    Attributes:
        starts: (n,) seconds since 1970 UTC at which bars begin.
        minutes: Length of a bar.
        opens: (n,).
        highs: (n,).
        lows: (n,).
        closes: (n,).
    """

    starts: Indices
    minutes: int
    opens: Floats
    highs: Floats
    lows: Floats
    closes: Floats

    def __len__(self) -> int:
        """Count the bars."""
        return len(self.starts)

    def select(self, rows: Indices | Flags | slice) -> "IntradayBars":
        """Keep some bars, chosen by anything that indexes an array along its first axis."""
        prices = (self.opens, self.highs, self.lows, self.closes)
        return IntradayBars(self.starts[rows], self.minutes, *(column[rows] for column in prices))


@dataclass(frozen=True, eq=False)
class RealisedSessions:
    """What was measured of m sessions, oldest first; one row for a session and length of bars.

    Variances are sums of squared log returns, without the night.

    Attributes:
        dates: (m,) days of the exchange.
        minutes: (m,) length of the bars.
        realised: (m,) squared returns of the bars, each from the close before; the first of a
            session from its open.
        ranges: (m,) Rogers & Satchell's estimates of the bars and the squared gaps between them.
        bipower: (m,) bipower variation: the part of the variance that came without jumps.
        bars: (m,) how many bars there were.
        firsts: (m,) minutes after the exchange's midnight at which the first bar begins.
        lasts: (m,) the same of the last bar.
        usable: (m,) true where there were enough bars.
    """

    dates: Dates
    minutes: Indices
    realised: Floats
    ranges: Floats
    bipower: Floats
    bars: Indices
    firsts: Indices
    lasts: Indices
    usable: Flags

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.dates)

    def select(self, rows: Indices | Flags | slice) -> "RealisedSessions":
        """Keep some rows, chosen by anything that indexes an array along its first axis."""
        return RealisedSessions(
            self.dates[rows],
            self.minutes[rows],
            self.realised[rows],
            self.ranges[rows],
            self.bipower[rows],
            self.bars[rows],
            self.firsts[rows],
            self.lasts[rows],
            self.usable[rows],
        )


def measure_sessions(
    bars: IntradayBars, time_zone: str, expected: Mapping[str, int]
) -> RealisedSessions:
    """Measure each session by its bars.

    Bars without prices above zero are left out, and a bar's high and low reach at least to its open
    and close. A bar that is missing between others costs precision and no variance: the price's
    move over the gap is in both sums.

    Args:
        bars: Of finished sessions only; the order and repeated starts (the last one counts) do not
            matter.
        time_zone: Of the exchange, an IANA name; its days are the sessions.
        expected: How many bars of this length each session should have, by ISO day. A session that
            is not there is held against the median of those given that are not there.

    Raises:
        ValueError: There is no such time zone.
    """
    bars = credible(bars)
    days, minutes = local_time(bars.starts, ZoneInfo(time_zone))
    # Rows at which sessions begin.
    dates, begins = np.unique(days, return_index=True)
    counts = np.diff(np.append(begins, len(bars)))
    ends = begins + counts - 1
    opens, highs, lows, closes = (
        np.log(prices) for prices in (bars.opens, bars.highs, bars.lows, bars.closes)
    )
    first = np.zeros(len(bars), bool)
    first[begins] = True
    before = np.where(first, opens, np.roll(closes, 1))
    moves = closes - before
    within = (highs - closes) * (highs - opens) + (lows - closes) * (lows - opens)
    products = np.where(first, 0.0, np.abs(moves * np.roll(moves, 1)))
    realised = _sums(moves**2, begins)
    return RealisedSessions(
        dates=dates,
        minutes=np.full(len(dates), bars.minutes),
        realised=realised,
        ranges=_sums(within + (opens - before) ** 2, begins),
        # A single bar has no neighbour that would tell a jump.
        bipower=np.where(
            counts > 1,
            math.pi / 2 * _sums(products, begins) * counts / np.maximum(counts - 1, 1),
            realised,
        ),
        bars=counts,
        firsts=minutes[begins],
        lasts=minutes[ends],
        usable=counts >= ENOUGH_BARS * _expected(dates, counts, expected),
    )


def variances_of_days(sessions: RealisedSessions, dates: Dates) -> DayVariances:
    """Choose what the bars within sessions say of each day: the shortest ones, if there are enough.

    Of bars of up to 15 minutes that is realised variance, of longer ones the sum of their ranges.

    Args:
        sessions: In any order.
        dates: (N,) days, oldest first.
    """
    minutes, variances = np.zeros(len(dates), np.int64), np.full(len(dates), np.nan)
    found = np.where(sessions.minutes <= SHORT_BARS, sessions.realised, sessions.ranges)
    # A session whose price never moved says nothing that its daily bar does not.
    used = sessions.usable & (sessions.minutes <= LONGEST_BARS) & (found > 0)
    rows = np.searchsorted(dates, sessions.dates)
    used &= np.isin(sessions.dates, dates)
    # The shortest last, so that they stay.
    order = np.flatnonzero(used)[np.argsort(-sessions.minutes[used], kind="stable")]
    minutes[rows[order]], variances[rows[order]] = sessions.minutes[order], found[order]
    return DayVariances(minutes, variances)


def credible(bars: IntradayBars) -> IntradayBars:
    """Order bars, each start once (the last one counts), without those that no market can have had.

    Highs and lows reach at least to the opens and closes, so that all that looks at them sees the
    same range.
    """
    prices = np.column_stack([bars.opens, bars.highs, bars.lows, bars.closes])
    with np.errstate(invalid="ignore"):
        sound = (np.isfinite(prices) & (prices > 0)).all(axis=1)
    # Read backwards, the first of equal starts is the last.
    starts, rows = np.unique(bars.starts[sound][::-1], return_index=True)
    prices = prices[sound][::-1][rows]
    return IntradayBars(
        starts, bars.minutes, prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, 3]
    )


def _sums(values: Floats, begins: Indices) -> Floats:
    """Sum the rows of each session."""
    sums: Floats = np.add.reduceat(values, begins) if len(begins) else np.empty(0)
    return sums


def _expected(dates: Dates, counts: Indices, expected: Mapping[str, int]) -> Floats:
    """Say how many bars each session should have."""
    said = np.array([expected.get(str(date), np.nan) for date in dates], dtype=np.float64)
    unsaid = np.isnan(said)
    if unsaid.any():
        said[unsaid] = np.median(counts[unsaid])
    return said
