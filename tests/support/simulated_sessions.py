"""Sessions of a made share whose variance is known: volatility that moves, nights, a busy opening.

Log volatility is an autoregression from session to session and within each of them, and trading is
busy at both ends of a session. Between two steps the price is a Brownian motion; its extremes there
are drawn from their own distribution given both ends, so that highs and lows are those of a
continuous path however long a step is.
"""

from dataclasses import dataclass

import numpy as np

from stocklstm.core.prices.realised import IntradayBars
from stocklstm.core.prices.series import Bars, Dates, Flags, Floats

MINUTES = 390
"""Length of a session, from 9:30 to 16:00 in UTC."""

_OPEN_S = (9 * 60 + 30) * 60


@dataclass(frozen=True, eq=False)
class SimulatedSessions:
    """D sessions of S steps; logarithms of prices.

    Attributes:
        ends: (D, S + 1) the price at the open and after each step.
        highs: (D, S) highest of each step.
        lows: (D, S) lowest.
        variances: (D,) of the sessions, without their nights.
        nights: (D,) variances of the nights before them.
    """

    ends: Floats
    highs: Floats
    lows: Floats
    variances: Floats
    nights: Floats

    @property
    def dates(self) -> Dates:
        """Their days."""
        return np.datetime64("2000-01-03") + np.arange(len(self.ends))

    def intraday(self, minutes: int, missing: Flags | None = None) -> IntradayBars:
        """Cut the sessions into bars; the last one is shorter where they do not divide the session.

        Args:
            minutes: Length of a bar.
            missing: (D, n) bars to leave out.
        """
        steps = self.highs.shape[1]
        begins = np.arange(0, steps, minutes * steps // MINUTES)
        ends = np.append(begins[1:], steps)
        offsets = begins * MINUTES * 60 // steps + _OPEN_S
        kept = np.ones((len(self.ends), len(begins)), bool) if missing is None else ~missing
        days = self.dates.astype("datetime64[s]").astype(np.int64)
        return IntradayBars(
            (days[:, None] + offsets)[kept],
            minutes,
            np.exp(self.ends[:, begins])[kept],
            np.exp(np.maximum.reduceat(self.highs, begins, axis=1))[kept],
            np.exp(np.minimum.reduceat(self.lows, begins, axis=1))[kept],
            np.exp(self.ends[:, ends])[kept],
        )

    def daily(self) -> Bars:
        """Give their daily bars."""
        closes = np.exp(self.ends[:, -1])
        return Bars(
            self.dates,
            np.exp(self.ends[:, 0]),
            np.exp(self.highs.max(axis=1)),
            np.exp(self.lows.min(axis=1)),
            closes,
            closes,
            np.full(len(closes), np.nan),
        )


def simulate(
    days: int, seed: int, *, step_s: int = 60, continuous: bool = True
) -> SimulatedSessions:
    """Simulate sessions.

    Args:
        days: How many, D.
        seed: Of all that is random.
        step_s: Seconds of a step, a divisor of a minute.
        continuous: False to see the price at the ends of steps alone, as if nothing were traded
            between them.
    """
    random, steps = np.random.default_rng(seed), MINUTES * 60 // step_s
    usual = np.zeros(days)
    for day in range(1, days):
        usual[day] = 0.97 * usual[day - 1] + 0.12 * random.standard_normal()
    # Volatility within a session wanders and comes back within about two hours.
    within, keep = np.zeros((days, steps)), np.exp(-step_s / 7200)
    drawn = 0.25 * np.sqrt(1 - keep**2) * random.standard_normal((days, steps))
    for step in range(1, steps):
        within[:, step] = keep * within[:, step - 1] + drawn[:, step]
    place = (np.arange(steps) + 0.5) / steps
    pattern = 0.7 + 4 * (place - 0.55) ** 2
    spot = 0.01 * np.exp(usual[:, None] + within) * pattern
    variances = spot**2 / steps
    moves = np.sqrt(variances) * random.standard_normal((days, steps))
    nights = (0.004 * np.exp(usual)) ** 2
    # Heavy tails: most nights bring little, some bring news.
    jumps = np.sqrt(nights) * random.standard_t(5, days) / np.sqrt(5 / 3)
    paths = np.column_stack([np.zeros(days), np.cumsum(moves, axis=1)])
    opens = np.log(50) + np.cumsum(jumps) + np.append(0, np.cumsum(paths[:-1, -1]))
    ends = opens[:, None] + paths
    highs, lows = np.maximum(ends[:, 1:], ends[:, :-1]), np.minimum(ends[:, 1:], ends[:, :-1])
    if continuous:
        middle, moves_squared = (ends[:, 1:] + ends[:, :-1]) / 2, moves**2
        above, below = (
            np.sqrt(moves_squared - 2 * variances * np.log(random.uniform(size=moves.shape))) / 2
            for _ in range(2)
        )
        highs, lows = middle + above, middle - below
    return SimulatedSessions(ends, highs, lows, variances.sum(axis=1), nights)
