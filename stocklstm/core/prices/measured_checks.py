"""Whether sessions and their bars can be those of the daily rows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stocklstm.core.prices.realised import IntradayBars, RealisedSessions, measure_sessions
from stocklstm.core.prices.series import Bars, Dates, Flags

# Of logarithms: what auctions, corrections and roundings make the daily row differ by.
_TOLERANCE = 0.01

# That of 3:2, within 5 %.
_SMALLEST_SPLIT = float(np.log(1.5 * 0.95))

# Of a hundred and one: what is beyond is not worth a number.
_LARGEST_MOVE = float(np.log(101))

# Of the Line Islands.
_FARTHEST_CLOCK_S = 14 * 3600

# Sums of the same numbers, perhaps in another order.
_ROUNDING = 1e-9

Kept = Sequence[tuple[str, IntradayBars]]


def has_step(bars: IntradayBars) -> bool:
    """Tell whether the bars of a session hold a step as large as that of a split."""
    logs = np.log(np.column_stack([bars.opens, bars.closes]).ravel())
    return bool((np.abs(np.diff(logs)) > _SMALLEST_SPLIT).any())


def misfit(day: Bars, bars: IntradayBars) -> str:
    """Say in what the bars of a session are not those of its daily row; "" if they can be.

    The scales may differ. Their range is no larger than the day's, and the last close is as far
    below the high, but for what was traded in auctions.

    Args:
        day: One row.
        bars: Those of the session, at least one.
    """
    # Logarithms first: a quotient of any two prices may be none that a float can hold.
    high, low, close = np.log([bars.highs.max(), bars.lows.min(), bars.closes[-1]])
    spread, of_day = high - low, np.log(day.highs[0] / day.lows[0])
    # Of a day without a range nothing is known.
    if np.isnan(of_day):
        return ""
    if spread > of_day + _TOLERANCE:
        return f"their range is {_per_cent(spread)}, the day's {_per_cent(of_day)}"
    depth = close - high - np.log(day.closes[0] / day.highs[0])
    if abs(depth) > _TOLERANCE + max(0.0, of_day - spread):
        return f"their close is {_per_cent(depth)} away from the day's, below the high"
    return ""


def implausible(day: Bars, variance: float, bars: int) -> str:
    """Say why a session's realised variance cannot be; "" if it can.

    No bar moves by more than the day's range, and the way from the open to the close is not shorter
    than the straight one.

    Args:
        day: One row.
        variance: Sum of the squared log returns of its bars.
        bars: How many there were.
    """
    spread = np.log(day.highs[0] / day.lows[0])
    way = abs(np.log(day.closes[0] / day.opens[0]))
    if variance > bars * (spread + _TOLERANCE) ** 2:
        return f"{bars} bars within a range of {_per_cent(spread)} cannot vary as much"
    if variance * bars < max(0.0, way - 2 * _TOLERANCE) ** 2:
        return f"{bars} bars on a day that moved by {_per_cent(way)} cannot vary as little"
    return ""


def _per_cent(move: float) -> str:
    """Write a log return in per cent, however large it is."""
    return f"{np.expm1(move):.1%}" if move < _LARGEST_MOVE else "more than 10,000 %"


def check_measured(measured: RealisedSessions, days: Dates) -> list[str]:
    """Name the rows that cannot have been stored so.

    Args:
        days: Those of the daily rows.
    """
    least = np.minimum(np.minimum(measured.realised, measured.ranges), measured.bipower)
    faults: list[tuple[Flags, str]] = [
        (~(np.isfinite(least) & (least >= 0)), "a variance is below zero"),
        ((measured.bars < 1) | (measured.firsts > measured.lasts), "the bars have no order"),
        (~np.isin(measured.dates, days), "there is no daily row"),
    ]
    return [
        f"{measured.dates[flags][0]}: {words}"
        + (f" ({flags.sum()} rows)" if flags.sum() > 1 else "")
        for flags, words in faults
        if flags.any()
    ]


def check_kept(measured: RealisedSessions, kept: Kept) -> list[str]:
    """Name the sessions that are not what their bars say.

    The minute at which a session begins tells by which clock it was measured: the calendar of a
    ticker may have been changed since.
    """
    rows = {
        (str(day), minutes): row
        for row, (day, minutes) in enumerate(
            zip(measured.dates, measured.minutes.tolist(), strict=True)
        )
    }
    found = []
    for day, bars in kept:
        row = rows.get((day, bars.minutes))
        local = None if row is None else _by_its_clock(bars, day, int(measured.firsts[row]))
        if local is None or len(anew := measure_sessions(local, "UTC", {})) != 1:
            found.append(f"{day}: bars of {bars.minutes} minutes are of no session")
        elif not all(
            np.isclose(getattr(anew, name)[0], getattr(measured, name)[row], rtol=_ROUNDING, atol=0)
            for name in ("realised", "ranges", "bipower", "bars", "firsts", "lasts")
        ):
            found.append(f"{day}: not what its bars of {bars.minutes} minutes say")
    return found


def _by_its_clock(bars: IntradayBars, day: str, first: int) -> IntradayBars | None:
    """Move bars to where the first begins so many minutes after a day's midnight in UTC.

    Returns:
        None if no clock of the world is so far from UTC.
    """
    midnight = int(np.datetime64(day, "s").astype(np.int64))
    east_s = midnight + 60 * first - int(bars.starts[0]) // 60 * 60
    if abs(east_s) > _FARTHEST_CLOCK_S:
        return None
    return replace(bars, starts=bars.starts + east_s)


def check_against_days(measured: RealisedSessions, kept: Kept, days: Bars) -> list[str]:
    """Name the sessions in use that do not fit their daily rows."""
    used = measured.select(measured.usable)
    parts = {(day, bars.minutes): bars for day, bars in kept}
    found = []
    for row, place in enumerate(np.searchsorted(days.dates, used.dates).tolist()):
        day, minutes = days.select(slice(place, place + 1)), int(used.minutes[row])
        name = str(used.dates[row])
        bars = parts.get((name, minutes))
        words = "" if bars is None else misfit(day, bars)
        words = words or implausible(day, float(used.realised[row]), int(used.bars[row]))
        if words:
            found.append(f"{name}, {minutes} minutes: {words}")
    return found
