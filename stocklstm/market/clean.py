"""Which rows of a source's answer are credible; every other row is named with its reason."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stocklstm.core.prices.answers import Basis, Rejection, SourceAnswer
from stocklstm.core.prices.series import (
    Action,
    Bars,
    Dates,
    Flags,
)
from stocklstm.core.prices.soundness import untraded
from stocklstm.errors import RejectedDataError
from stocklstm.market.calendar import Sessions

# No share or index costs as much in any currency; arithmetic on such numbers would overflow.
_HIGHEST = 1e12

_OLDEST_DAY = np.datetime64("1900-01-01", "D")


@dataclass(frozen=True, eq=False)
class CleanPrices:
    """The credible part of an answer.

    Attributes:
        bars: Strictly increasing dates, closes finite and above zero; adjusted closes too, if
            the source gave them.
        actions: Dividends and splits, oldest first; also those of days whose prices were
            rejected.
        rejections: Every row that was left out, those first that could not even be read.
    """

    bars: Bars
    actions: tuple[Action, ...]
    rejections: tuple[Rejection, ...]


def clean(
    answer: SourceAnswer,
    calendar: Sessions,
    *,
    last_final: np.datetime64,
    start: str | None = None,
) -> CleanPrices:
    """Check an answer row by row.

    A close outside the day's range is kept: it makes the range worthless, not the close.
    Of several credible rows of one day the last one wins.

    Args:
        answer: Rows in any order and state.
        last_final: Last day whose prices can no longer change; later rows are rejected.
        start: ISO day before which nothing was asked for.

    Returns:
        The believable rows; none at all if the answer was empty to begin with.

    Raises:
        RejectedDataError: There were rows and not one can be believed.
    """
    reasons = np.full(len(answer.bars), "", dtype=object)
    faults = _value_faults(answer.bars) + _date_faults(answer.bars, calendar, last_final, start)
    if answer.basis is Basis.ADJUSTED:
        faults += _adjusted_faults(answer.bars)
    for flags, reason in faults:
        reasons[flags & (reasons == "")] = reason
    _mark_order_faults(answer.bars.dates, reasons)
    actions, action_faults = _clean_actions(answer.actions)
    named = tuple(
        Rejection(str(date), str(reason))
        for date, reason in zip(answer.bars.dates, reasons, strict=True)
        if reason
    )
    bars = _sorted(answer.bars.select(reasons == ""))
    rejections = answer.rejections + named
    _require_rows(answer, bars, rejections)
    return CleanPrices(bars, actions, rejections + action_faults)


def _sorted(bars: Bars) -> Bars:
    return bars.select(np.argsort(bars.dates, kind="stable"))


def _value_faults(bars: Bars) -> list[tuple[Flags, str]]:
    ranges = np.stack([bars.opens, bars.highs, bars.lows])
    return [
        (np.isnan(bars.closes), "the close is missing"),
        (np.isinf(bars.closes), "the close is infinite"),
        (bars.closes <= 0, "the close is not above zero"),
        (bars.closes > _HIGHEST, "the close is above a trillion"),
        (np.logical_or.reduce(np.isinf(ranges)), "open, high or low is infinite"),
        (np.logical_or.reduce(ranges <= 0), "open, high or low is not above zero"),
        (np.logical_or.reduce(ranges > _HIGHEST), "open, high or low is above a trillion"),
        (bars.highs < bars.lows, "the high is below the low"),
        (np.isinf(bars.volumes) | (bars.volumes < 0), "the volume is infinite or negative"),
    ]


def _adjusted_faults(bars: Bars) -> list[tuple[Flags, str]]:
    return [
        (np.isnan(bars.adj_closes), "the adjusted close is missing"),
        (np.isinf(bars.adj_closes), "the adjusted close is infinite"),
        (bars.adj_closes <= 0, "the adjusted close is not above zero"),
        (bars.adj_closes > _HIGHEST, "the adjusted close is above a trillion"),
    ]


def _date_faults(
    bars: Bars, calendar: Sessions, last_final: np.datetime64, start: str | None
) -> list[tuple[Flags, str]]:
    closed = calendar.closed_on(bars.dates)
    faults = [
        (np.isnat(bars.dates), "the date is missing"),
        (bars.dates < _OLDEST_DAY, "the date lies before 1900"),
        (bars.dates > last_final, "its session is not over yet"),
        # Some exchanges hold sessions on Saturdays or Sundays; their calendar says so.
        (closed & ~np.is_busday(bars.dates), f"no session of {calendar.exchange} on this weekend"),
        (closed & untraded(bars), f"filler: {calendar.exchange} was closed, nothing was traded"),
    ]
    if start is not None:
        faults.append((bars.dates < np.datetime64(start, "D"), f"before {start}, not asked for"))
    return faults


def _mark_order_faults(dates: Dates, reasons: np.ndarray) -> None:
    """Reject repeated days, and rows that break the order of an otherwise ordered answer."""
    rows = np.flatnonzero(reasons == "")
    last_of_day = {day: row for row, day in zip(rows.tolist(), dates[rows].tolist(), strict=True)}
    unique = sorted(last_of_day.values())
    reasons[np.setdiff1d(rows, unique)] = "repeated day; the last row of it was kept"
    reasons[_misplaced(dates, unique)] = "out of order: the date does not fit its neighbours"


def _misplaced(dates: Dates, rows: list[int]) -> list[int]:
    """Find single rows whose removal leaves the answer in order, oldest or newest first.

    Such a date was probably mistyped. Where misplaced rows are adjacent, the answer was put
    together in no order, or from pieces, and its dates are not to blame: it is sorted.
    """
    days = dates[rows].astype(np.int64).tolist()
    if sum(later > earlier for earlier, later in pairwise(days)) * 2 < len(days) - 1:
        days = [-day for day in days]
    ordered = set(_longest_increasing(days))
    misplaced = [place for place in range(len(days)) if place not in ordered]
    if any(later == earlier + 1 for earlier, later in pairwise(misplaced)):
        return []
    return [rows[place] for place in misplaced]


def _longest_increasing(values: Sequence[int]) -> list[int]:
    """Return the positions of a longest increasing subsequence (patience sorting)."""
    tails: list[int] = []
    tail_places: list[int] = []
    before: list[int] = []
    for place, value in enumerate(values):
        length = bisect_left(tails, value)
        before.append(tail_places[length - 1] if length else -1)
        tails[length : length + 1] = [value]
        tail_places[length : length + 1] = [place]
    chain: list[int] = []
    place = tail_places[-1] if tail_places else -1
    while place >= 0:
        chain.append(place)
        place = before[place]
    return chain[::-1]


def _clean_actions(
    actions: tuple[Action, ...],
) -> tuple[tuple[Action, ...], tuple[Rejection, ...]]:
    good = {
        (action.date, action.kind): action
        for action in actions
        if np.isfinite(action.value) and action.value > 0
    }
    faults = tuple(
        Rejection(action.date, f"the {action.kind} is not above zero")
        for action in actions
        if not (np.isfinite(action.value) and action.value > 0)
    )
    return tuple(good[key] for key in sorted(good)), faults


def _require_rows(answer: SourceAnswer, bars: Bars, rejections: tuple[Rejection, ...]) -> None:
    if len(bars) or not rejections:
        return
    first = rejections[0]
    raise RejectedDataError(
        f"{answer.instrument.ticker}: none of {len(rejections)} rows is usable; "
        f"the first, {first.date}: {first.reason}",
        hint=f"look at what {answer.source} gave, or take another --source",
    )
