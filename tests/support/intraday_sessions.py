"""Intraday sessions with made values, and bars to go with them."""

from collections.abc import Sequence

import numpy as np

from stocklstm.core.prices.realised import IntradayBars, RealisedSessions


def sessions_on(
    days: Sequence[str], *, minutes: int = 5, bars: int = 84, usable: bool = True, level: float = 1
) -> RealisedSessions:
    """Make a row for each ISO day."""
    count = len(days)
    variances = level * np.arange(1, count + 1) / 7e4
    return RealisedSessions(
        dates=np.array(days, "datetime64[D]"),
        minutes=np.full(count, minutes),
        realised=variances,
        ranges=variances * 0.9,
        bipower=variances * 0.8,
        bars=np.full(count, bars),
        firsts=np.full(count, 600),
        lasts=np.full(count, 1015),
        usable=np.full(count, usable),
    )


def bars_on(days: Sequence[str], *, minutes: int = 5, count: int = 3) -> dict[str, IntradayBars]:
    """Make a few bars of each ISO day."""
    made = {}
    for day in days:
        opening = int(np.datetime64(f"{day}T13:00:00", "s").astype(np.int64))
        opens = 36 + 0.1 * np.arange(count)
        starts = opening + minutes * 60 * np.arange(count)
        made[day] = IntradayBars(starts, minutes, opens, opens + 0.2, opens - 0.3, opens + 0.1)
    return made
