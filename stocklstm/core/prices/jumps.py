"""Large moves: what the market did, and what looks like a split or an error of units."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stocklstm.core.prices.series import Action, Bars, Floats

LARGEST_MOVE = 0.35
"""Moves of a close beyond this fraction of the one before it are looked at one by one."""

# Of splits, reverse splits and units (cents, thousands). 7:1 was Apple's of 2014.
_RATIOS = (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100, 1000)
_NEAR = 0.05

# Sessions after a move that tell whether the new level stays.
_SESSIONS = 5

# Of a move of this ratio a market may go half within a day, but not of a larger one.
_LARGEST_BY_MARKET = 20


@dataclass(frozen=True)
class LargeMove:
    """A move between two rows beyond 35 % without a recorded split.

    Attributes:
        date: ISO day of the second row.
        before: Close of the first row, in currency.
        after: Close of the second.
        change_pct: Of the adjusted close, in per cent.
    """

    date: str
    before: float
    after: float
    change_pct: float


class Jump(NamedTuple):
    """A large move and what it looks like.

    Attributes:
        row: The row that it leads to.
        column: "adj_closes", or "closes" where only they moved.
        ratio: Of the close before to the close after, such as "4:1", if it looks like a split or
            an error of units; "" of a move of the market.
        move: The move.
    """

    row: int
    column: str
    ratio: str
    move: LargeMove


def find_jumps(bars: Bars, actions: Sequence[Action]) -> list[Jump]:
    """Find the moves beyond `LARGEST_MOVE` on days without a split, and judge them.

    A move looks like a split or an error of units if its ratio is within 5 % of that of a split, or
    beyond 1000, the price did not travel half of the way within the day, and the new level stays:
    the median of the next five closes lies less than half of the move away from it. After the last
    row nothing is known, and a level is taken to stay. Of a level that is left again by such a move
    within five sessions, as that of a single wrong row, both moves look so.

    Args:
        bars: Oldest first, closes and adjusted closes above zero.
        actions: Known dividends and splits.

    Returns:
        Oldest first. A close that moves while its adjusted close does not is only found where it
        looks like a split; else it was a dividend.
    """
    if len(bars) < 2:
        return []
    split = _between_rows(bars, [action for action in actions if action.kind == "split"]) > 0
    adjusted = np.diff(np.log(bars.adj_closes))
    # Where a dividend is recorded, what was paid is added back.
    paid = _between_rows(bars, [action for action in actions if action.kind == "dividend"])
    plain = np.log(bars.closes[1:] + paid) - np.log(bars.closes[:-1])
    found = {jump.row: jump for jump in _judged(bars, "adj_closes", np.where(split, 0.0, adjusted))}
    for jump in _judged(bars, "closes", np.where(split, 0.0, plain)):
        # A split on the day of a dividend has its ratio in the closes alone.
        if jump.ratio and not (jump.row in found and found[jump.row].ratio):
            found[jump.row] = jump
    return [found[row] for row in sorted(found)]


def _judged(bars: Bars, column: str, growth: Floats) -> list[Jump]:
    """Judge the large moves of a column; growth is (N - 1,) logarithms."""
    with np.errstate(over="ignore"):
        large = np.abs(np.expm1(growth)) > LARGEST_MOVE
    rows = (np.flatnonzero(large) + 1).tolist()
    levels = np.log(getattr(bars, column))
    ratios = {row: _likeness(growth[row - 1]) for row in rows}
    like = {row for row in rows if ratios[row] and not _travelled(bars, row, growth[row - 1])}
    steps = {row for row in like if _stays(levels, row, growth[row - 1])}
    doubtful = steps | {row for row in like if _returns(row, growth, steps)}
    return [
        Jump(
            row,
            column,
            ratios[row] if row in doubtful else "",
            _move(bars, row, growth[row - 1]),
        )
        for row in rows
    ]


def _move(bars: Bars, row: int, growth: float) -> LargeMove:
    # People know the close; the adjusted one is shown where it moved alone.
    shown = bars.closes
    if abs(np.log(shown[row] / shown[row - 1]) - growth) > abs(growth) / 4:
        shown = bars.adj_closes
    with np.errstate(over="ignore"):
        change = 100 * float(np.expm1(growth))
    return LargeMove(str(bars.dates[row]), float(shown[row - 1]), float(shown[row]), change)


def _likeness(growth: float) -> str:
    """Name the ratio that a growth is near to, before to after; "" if it is near to none."""
    with np.errstate(over="ignore"):
        size = float(np.exp(abs(growth)))
    found = ""
    if size > _RATIOS[-1]:
        found = f"{size:.3g}" if size > 1e6 else f"{size:.0f}"
    for ratio in _RATIOS:
        if abs(np.exp(growth) * ratio - 1) <= _NEAR or abs(np.exp(growth) / ratio - 1) <= _NEAR:
            found = f"{ratio:g}"
    if not found:
        return ""
    many, one = ("3", "2") if found == "1.5" else (found, "1")
    return f"{many}:{one}" if growth < 0 else f"{one}:{many}"


def _travelled(bars: Bars, row: int, growth: float) -> bool:
    """Tell whether the price went half of the way of a move within the day itself.

    A split, or another unit, leaves all of the way between two days.
    """
    high, low, close = bars.highs[row], bars.lows[row], bars.closes[row]
    if not low <= close <= high or abs(growth) > np.log(_LARGEST_BY_MARKET * (1 + _NEAR)):
        return False
    return bool(np.log(high / low) >= abs(growth) / 2)


def _stays(levels: Floats, row: int, growth: float) -> bool:
    after = levels[row + 1 : row + 1 + _SESSIONS]
    return not len(after) or bool(abs(np.median(after) - levels[row]) < abs(growth) / 2)


def _returns(row: int, growth: Floats, steps: Collection[int]) -> bool:
    """Tell whether one of the next moves takes a move back."""
    left = abs(growth[row - 1]) / 2
    backs = (back for back in range(row + 1, row + 1 + _SESSIONS) if back in steps)
    return any(abs(growth[row - 1] + growth[back - 1]) < left for back in backs)


def _between_rows(bars: Bars, events: Sequence[Action]) -> Floats:
    """Sum the values of events after each row and up to the next, (N - 1,)."""
    sums = np.zeros(len(bars) + 1)
    for event in events:
        sums[np.searchsorted(bars.dates, np.datetime64(event.date, "D"))] += event.value
    return sums[1:-1]
