"""What an answer says about days that are stored already, and whether it is credible.

A split revises everything before it, a dividend every earlier adjusted close, and now and then
a source corrects a single day. Anything else that changes the past is an error of the source,
unless a person says otherwise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stocklstm.core.language import english
from stocklstm.core.prices.jumps import Jump, LargeMove, find_jumps
from stocklstm.core.prices.series import (
    JITTER,
    Action,
    Bars,
    Dates,
    Flags,
    Floats,
    Indices,
    fill_missing,
    new_actions,
)
from stocklstm.core.wording import price_words
from stocklstm.errors import RejectedDataError

# Sources round the prices before a split; its ratio is found within one percent.
_NEARLY = 0.01

# Of the days that both have, as many may differ without being a revision of the history.
_FEW = 3
_FEW_SHARE = 0.02

# Share of the days that splits must explain; the others are corrections.
_MOST = 0.9

# Sources round dividends, and take them off a close that may be corrected later.
_ROOM = 1.5

# A dividend of less is lost in the rounding of prices.
_PAID = 1e-3

# Yahoo may know of an event days before it revises the prices before it.
_LATE_DAYS = np.timedelta64(30, "D")

_VALUES = ("opens", "highs", "lows", "closes", "adj_closes", "volumes")

REPEAT = "repeat with --accept-revision"
"""What the next step is called where what was typed is not known."""

_ACCEPT = f"look at that day; if the new prices are right, {REPEAT}"

_ACCEPT_MOVES = (
    "before a split divide the prices by its ratio, and correct a slip; if the market did move so, "
    f"{REPEAT}, which stores these prices as they are"
)

# So many days are named in an error.
_NAMED = 20


@dataclass(frozen=True, eq=False)
class Reconciled:
    """An answer merged with the stored rows."""

    bars: Bars
    rescaled: Bars
    revision: str


def reaches_further(stored: Bars, given: Bars) -> bool:
    """Tell whether days before an answer may have changed too, so that all must be fetched.

    Args:
        stored: Rows over the days of the answer, oldest first.
        given: The answer, oldest first.
    """
    here, there = _shared(stored, given)
    if not len(here):
        return bool(len(given))
    first = slice(0, 1)
    return bool(_differs(stored.select(here[first]), given.select(there[first]))[0])


def reconcile(
    stored: Bars,
    given: Bars,
    known: Iterable[Action],
    actions: Sequence[Action],
    *,
    accept: bool,
) -> Reconciled:
    """Decide how an answer changes the stored rows.

    Args:
        stored: Rows that are stored, oldest first, over the days of the answer or more.
        given: Clean and adjusted rows, oldest first.
        accept: True to believe a revision that no event explains.

    Raises:
        RejectedDataError: The answer revises the history and no event explains it.
    """
    here, there = _shared(stored, given)
    then, now = stored.select(here), given.select(there)
    if not _is_revision(then, now):
        return Reconciled(given, stored.select(slice(0)), "")
    known = tuple(known)
    events = _candidates(known, actions, then.dates[-1])
    replaced = _replaced(known, events)
    explained = _by_splits(then, now, events) and _by_dividends(then, now, events + replaced)
    if not accept and not (events and explained):
        raise _unexplained(then, now)
    by_shares = any(event.kind == "split" for event in events)
    scaled = _scaled(stored, then, now, (*known, *actions), by_shares=by_shares)
    lacking = ~np.isin(stored.dates, given.dates)
    return Reconciled(
        bars=fill_missing(given, scaled),
        rescaled=scaled.select(lacking & _differs(stored, scaled)),
        revision=_words(then, now, events),
    )


def follow_adjusted(closes: Bars, other: Bars) -> bool:
    """Tell whether closes move as the adjusted closes of another series do, not as its closes.

    So do closes from which dividends have been taken off, whatever was paid since: their level says
    nothing, and on days without a dividend all three move alike.

    Args:
        closes: Rows of the same ticker, oldest first.
        other: Rows that have closes and adjusted closes, oldest first.
    """
    here, there = _shared(closes, other)
    if len(here) < 2:
        return False
    both = other.select(there)
    given, plain, adjusted = (
        np.diff(np.log(prices)) for prices in (closes.closes[here], both.closes, both.adj_closes)
    )
    paid = np.abs(adjusted - plain) > _PAID
    if not paid.any():
        return False
    nearer = np.abs(given - adjusted) < np.abs(given - plain)
    alike = paid | _near(given - plain + 1, 1, _NEARLY)
    return bool(nearer[paid].mean() >= _MOST and alike.mean() >= _MOST)


def large_moves(
    bars: Bars, actions: Iterable[Action], stored: Bars, *, accept: bool
) -> tuple[LargeMove, ...]:
    """List the large moves that no split explains, and refuse those that look like one.

    Args:
        bars: N sessions as they would be stored, oldest first.
        stored: What is stored; a move that is there already has been judged.
        accept: True to let moves pass that look like a split or an error of units.

    Returns:
        The moves that are not stored yet, oldest first.

    Raises:
        RejectedDataError: A move looks like a split that is not recorded, or like prices in
            another unit; see `find_jumps`.
    """
    jumps = [jump for jump in find_jumps(bars, tuple(actions)) if not _is_known(bars, jump, stored)]
    doubtful = [jump for jump in jumps if jump.ratio]
    if doubtful and not accept:
        raise RejectedDataError(_doubts(bars, doubtful), hint=_ACCEPT_MOVES)
    return tuple(jump.move for jump in jumps)


def _doubts(bars: Bars, jumps: Sequence[Jump]) -> str:
    """Name the day of each jump with both closes."""
    shown = "; ".join(
        f"{jump.move.date}, {price_words(jump.move.before)} to {price_words(jump.move.after)}"
        f"{'' if jump.move.after == bars.closes[jump.row] else ' adjusted'} (about {jump.ratio})"
        for jump in jumps[:_NAMED]
    )
    more = f" and {len(jumps) - _NAMED} more" if len(jumps) > _NAMED else ""
    count = "" if len(jumps) == 1 else f" on {len(jumps)} days"
    late = jumps[-1].row == len(bars) - 1
    return (
        f"the close moved{count} as a split or another unit would move it, and no split is "
        f"recorded: {shown}{more}"
        + ("; no later close tells whether the last level stays" if late else "")
    )


def joined(stored: Bars, *parts: Bars) -> Bars:
    """Overlay stored rows with newer ones, oldest first; of one day the last part's row wins."""
    series = stored
    for part in parts:
        kept = series.select(~np.isin(series.dates, part.dates))
        dates = np.concatenate([kept.dates, part.dates])
        order = np.argsort(dates, kind="stable")
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(kept, name), getattr(part, name)])[order]
            for name in _VALUES
        }
        series = Bars(dates[order], **columns)
    return series


def _shared(stored: Bars, given: Bars) -> tuple[Indices, Indices]:
    _, here, there = np.intersect1d(
        stored.dates, given.dates, assume_unique=True, return_indices=True
    )
    return here, there


def _near(left: Floats, right: Floats | float, tolerance: float) -> Flags:
    return np.isclose(left, right, rtol=tolerance, atol=0)


def _differs(then: Bars, now: Bars) -> Flags:
    """Mark the days on which the closes differ by more than jitter, (N,)."""
    closes = _near(now.closes, then.closes, JITTER)
    return ~(closes & _near(now.adj_closes, then.adj_closes, JITTER))


def _is_revision(then: Bars, now: Bars) -> bool:
    """Tell a revised history from corrections of single days."""
    differing = _differs(then, now)
    if differing.sum() > max(_FEW, _FEW_SHARE * len(then)):
        return True
    if len(then) < _FEW or not differing.all():
        return False
    # Few days and all of them, by one factor.
    ratios = now.adj_closes / then.adj_closes
    return bool(_near(ratios, ratios[0], 10 * JITTER).all())


def _candidates(
    known: Iterable[Action], actions: Sequence[Action], last: np.datetime64
) -> list[Action]:
    """Select the events that may have revised the history since it was stored, oldest first."""
    fresh = set(new_actions(actions, known))
    return sorted(
        (
            action
            for action in actions
            if np.datetime64(action.date, "D") > last - _LATE_DAYS or action in fresh
        ),
        key=lambda action: action.date,
    )


def _replaced(known: Iterable[Action], events: Iterable[Action]) -> list[Action]:
    """Find the stored events that these replace: their effect is undone as the new one comes."""
    places = {(event.date, event.kind) for event in events}
    return [action for action in known if (action.date, action.kind) in places]


def _by_splits(then: Bars, now: Bars, events: Sequence[Action]) -> bool:
    """Tell whether splits explain how the closes changed."""
    ratios = now.closes / then.closes
    explained = _near(ratios, 1, _NEARLY)
    product = np.ones(len(ratios))
    # What was stored may know of the earlier splits already, never of the later ones alone.
    for split in reversed([event for event in events if event.kind == "split"]):
        product[then.dates < np.datetime64(split.date, "D")] /= split.value
        explained |= _near(ratios, product, _NEARLY)
    return bool(explained.mean() >= _MOST)


def _by_dividends(then: Bars, now: Bars, events: Sequence[Action]) -> bool:
    """Tell whether dividends are large enough to explain how the adjusted closes changed."""
    possible = np.zeros(len(now))
    for dividend in [event for event in events if event.kind == "dividend"]:
        before = int(np.searchsorted(now.dates, np.datetime64(dividend.date, "D")))
        if before:
            share = min(dividend.value / now.closes[before - 1], _MOST)
            possible[:before] -= np.log1p(-share)
    drift = np.abs(np.log((now.adj_closes / then.adj_closes) / (now.closes / then.closes)))
    return bool((drift <= _ROOM * possible + _NEARLY).mean() >= _MOST)


def _unexplained(then: Bars, now: Bars) -> RejectedDataError:
    differing = _differs(then, now)
    day = np.flatnonzero(differing)[0]
    ratio = now.closes[day] / then.closes[day]
    name = "closes"
    if abs(ratio - 1) <= JITTER:
        ratio, name = now.adj_closes[day] / then.adj_closes[day], "adjusted closes"
    return RejectedDataError(
        f"{differing.sum()} of {len(then)} stored {name} differ from the answer's, "
        f"by a factor of {ratio:.6g} on {then.dates[day]}, and no recorded event explains it",
        hint=_ACCEPT,
    )


def _words(then: Bars, now: Bars, events: Sequence[Action]) -> str:
    """Describe for the log how the history changed."""
    day = np.flatnonzero(_differs(then, now))[0]
    shown = ", ".join(_event_words(event) for event in events[-3:])
    if len(events) > 3:
        shown = english("{listed} and {more} more", listed=shown, more=len(events) - 3)
    return english(
        "closes x {closes}, adjusted closes x {adjusted} on {day}: {events}",
        closes=f"{now.closes[day] / then.closes[day]:.6g}",
        adjusted=f"{now.adj_closes[day] / then.adj_closes[day]:.6g}",
        day=then.dates[day],
        events=shown or english("accepted by hand"),
    )


def _event_words(event: Action) -> str:
    facts = {"value": f"{event.value:.6g}", "day": event.date}
    if event.kind == "split":
        return english("split of {value} on {day}", **facts)
    return english("dividend of {value} on {day}", **facts)


def _scaled(
    bars: Bars, then: Bars, now: Bars, actions: Iterable[Action], *, by_shares: bool
) -> Bars:
    """Convert stored rows to an answer's scale.

    Args:
        bars: N stored rows, oldest first.
        then: M stored rows of the days that the answer has.
        now: The answer's rows of those days.
        actions: Every dividend and split that is known.
        by_shares: True if the number of shares changed, and volumes with it.
    """
    nearest = _nearest(then.dates, bars.dates, actions)
    ratios = (now.closes / then.closes)[nearest]
    prices = {name: getattr(bars, name) * ratios for name in ("opens", "highs", "lows", "closes")}
    return replace(
        bars,
        **prices,
        adj_closes=bars.adj_closes * (now.adj_closes / then.adj_closes)[nearest],
        volumes=bars.volumes / ratios if by_shares else bars.volumes,
    )


def _nearest(known: Dates, days: Dates, actions: Iterable[Action]) -> Indices:
    """Find for each day the known day whose prices were revised as its own were.

    That is the next one, unless an event lies between, which revised only the days before it;
    then it is the one before.

    Args:
        known: (M,) at least one day, increasing.
        days: (N,) increasing.
        actions: Dividends and splits.
    """
    ex_dates = np.unique(np.array([action.date for action in actions], "datetime64[D]"))
    following = np.minimum(np.searchsorted(known, days), len(known) - 1)
    previous = np.maximum(np.searchsorted(known, days, side="right") - 1, 0)
    since = [np.searchsorted(ex_dates, dates, side="right") for dates in (days, known[following])]
    return np.where(since[0] == since[1], following, previous)


def _is_known(bars: Bars, jump: Jump, stored: Bars) -> bool:
    """Tell whether the stored series has the same move from one row to the next."""
    rows = slice(jump.row - 1, jump.row + 1)
    place = int(np.searchsorted(stored.dates, bars.dates[jump.row - 1]))
    pair = stored.select(slice(place, place + 2))
    if not np.array_equal(pair.dates, bars.dates[rows]):
        return False
    before, after = (getattr(each, jump.column) for each in (pair, bars.select(rows)))
    return bool(np.isclose(before[1] / before[0], after[1] / after[0], rtol=_NEARLY, atol=0))
