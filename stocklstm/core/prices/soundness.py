"""Whether stored prices can be what an exchange quoted: invariants that every row must keep."""

from collections.abc import Sequence

import numpy as np

from stocklstm.core.checks import Check
from stocklstm.core.language import english
from stocklstm.core.prices.series import (
    Action,
    Bars,
    Dates,
    Flags,
    Floats,
)


def check_bars(bars: Bars) -> Check:
    """Check every row by itself, and their order."""
    faults: list[tuple[Flags, str]] = [
        (_bad(bars.closes), "the close is not a price"),
        (_bad(bars.adj_closes), "the adjusted close is not a price"),
        *(
            (_bad(values) & ~np.isnan(values), f"the {name} is not a price")
            for name, values in (("open", bars.opens), ("high", bars.highs), ("low", bars.lows))
        ),
        (bars.highs < bars.lows, "the high is below the low"),
        (np.isinf(bars.volumes) | (bars.volumes < 0), "the volume is infinite or negative"),
    ]
    order = np.zeros(len(bars), dtype=bool)
    order[1:] = ~(bars.dates[1:] > bars.dates[:-1])
    faults.append((order, "the date does not follow the one before"))
    otherwise = english("{number:,} rows, every value in order", number=len(bars))
    return _check("prices", _listed(bars.dates, faults), otherwise)


def check_actions(actions: Sequence[Action]) -> Check:
    """Check dividends and splits."""
    found = [
        f"{action.date}: the {action.kind} is not above zero"
        for action in actions
        if not (np.isfinite(action.value) and action.value > 0)
    ]
    dividends = sum(action.kind == "dividend" for action in actions)
    return _check(
        "actions",
        found,
        english(
            "{dividends} dividends, {splits} splits",
            dividends=dividends,
            splits=len(actions) - dividends,
        ),
    )


def check_days(bars: Bars, sessions: Dates, today: np.datetime64) -> Check:
    """Check that no row is of the future, or of a day on which nothing was traded.

    A day that the calendar lacks is no fault as long as something was traded: calendars are made
    by people, and prices by trades.

    Args:
        bars: Stored rows, oldest first.
        sessions: (M,) days on which the exchange trades, reaching beyond the rows where they can;
            none if that is not known.
    """
    closed = np.zeros(len(bars), dtype=bool)
    if len(sessions):
        covered = (bars.dates >= sessions[0]) & (bars.dates <= sessions[-1])
        closed = covered & ~np.isin(bars.dates, sessions)
    weekend = ~np.is_busday(bars.dates)
    faults: list[tuple[Flags, str]] = [
        (bars.dates > today, "not over yet"),
        (closed & weekend & ~special_sessions(bars, sessions), "a weekend"),
        (closed & ~weekend & untraded(bars), "the exchange was closed, nothing was traded"),
    ]
    otherwise = english("none of the future, none without trading")
    return _check("days", _listed(bars.dates, faults), otherwise)


def untraded(bars: Bars) -> Flags:
    """Flag the days without a trade, (N,): one price all day, and no volume.

    A row that lacks one of these values is not flagged.
    """
    flat = (bars.opens == bars.closes) & (bars.highs == bars.closes) & (bars.lows == bars.closes)
    flags: Flags = flat & (bars.volumes == 0)
    return flags


def special_sessions(bars: Bars, sessions: Dates) -> Flags:
    """Flag the rows of days that the calendar lacks and on which an exchange traded all the same.

    India trades on a Saturday or Sunday now and then. Something was traded, the session before has
    a row of its own, and it is another one: else it is that row under a wrong date.

    Args:
        bars: N rows in any order.
        sessions: (M,) days on which the exchange trades, oldest first.
    """
    flags = np.zeros(len(bars), dtype=bool)
    columns = np.stack([bars.opens, bars.highs, bars.lows, bars.closes, bars.volumes])
    order = np.argsort(bars.dates, kind="stable")
    ordered = bars.dates[order]
    unscheduled = (bars.volumes > 0) & ~np.isin(bars.dates, sessions) & ~np.isnat(bars.dates)
    for row in np.flatnonzero(unscheduled):
        earlier = int(np.searchsorted(sessions, bars.dates[row]))
        if not earlier:
            continue
        start, end = (
            np.searchsorted(ordered, sessions[earlier - 1], side=side) for side in ("left", "right")
        )
        before = order[start:end]
        flags[row] = len(before) > 0 and not any(
            np.array_equal(columns[:, row], columns[:, other], equal_nan=True) for other in before
        )
    return flags


def gaps(dates: Dates, sessions: Dates) -> Dates:
    """List the sessions between the first and the last row that have no row.

    Args:
        dates: (N,) days of the rows, oldest first.
        sessions: (M,) days on which the exchange trades; none if that is not known.
    """
    if not len(dates):
        return sessions[:0]
    within = (sessions > dates[0]) & (sessions < dates[-1])
    missing: Dates = np.setdiff1d(sessions[within], dates, assume_unique=True)
    return missing


def _bad(values: Floats) -> Flags:
    bad: Flags = ~(np.isfinite(values) & (values > 0))
    return bad


def _listed(dates: Dates, faults: Sequence[tuple[Flags, str]]) -> list[str]:
    """Name the first day of each fault, and count the others."""
    return [
        f"{dates[rows[0]]}: {words}" + (f" ({len(rows)} rows)" if len(rows) > 1 else "")
        for flags, words in faults
        if len(rows := np.flatnonzero(flags))
    ]


def _check(name: str, found: Sequence[str], otherwise: str) -> Check:
    return Check(name, "failed" if found else "ok", "; ".join(found) or otherwise)
