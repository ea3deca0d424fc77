"""Which rows of a source's answer are credible; every other row is named with its reason."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from stocklstm.core.language import english
from stocklstm.core.prices.answers import Basis, Rejection, SourceAnswer
from stocklstm.core.prices.series import Action, Bars, Dates, Flags, Floats
from stocklstm.core.prices.soundness import special_sessions
from stocklstm.errors import RejectedDataError
from stocklstm.market.calendar import Sessions

# No share or index costs as much in any currency; arithmetic on such numbers would overflow.
_HIGHEST = 1e12
# Nor as little, and the ratio of two prices would be none.
_LOWEST = 1e-12

_OLDEST_DAY = np.datetime64("1900-01-01", "D")
# India has sessions on weekends, never two within this time.
_BETWEEN_SPECIAL = np.timedelta64(28, "D")

_NEVER = np.datetime64("9999-12-31", "D")


@dataclass(frozen=True, eq=False)
class CleanPrices:
    """The credible part of an answer.

    Attributes:
        bars: Strictly increasing dates, closes finite and above zero; adjusted closes too, if
            the source gave them.
        actions: Dividends and splits, oldest first; also those of days whose prices were
            rejected.
        rejections: Every row that was left out, those first that could not even be read.
        incomplete: Every row that was kept with an open, high or low that is not known, because
            what the source gave cannot be one.
    """

    bars: Bars
    actions: tuple[Action, ...]
    rejections: tuple[Rejection, ...]
    incomplete: tuple[Rejection, ...] = ()


def clean(
    answer: SourceAnswer,
    calendar: Sessions,
    *,
    last_final: np.datetime64,
    start: str | None = None,
) -> CleanPrices:
    """Check an answer row by row.

    A close outside the day's range is kept: it makes the range worthless, not the close. An open,
    high or low that cannot be a price (sources write 0 for what they do not know) is unknown.
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
    given, doubts = _without_false_ranges(answer.bars)
    reasons = np.full(len(given), "", dtype=object)
    faults = _value_faults(given) + _date_faults(given, calendar, last_final, start)
    if answer.basis is Basis.ADJUSTED:
        faults += _adjusted_faults(given)
    for flags, reason in faults:
        reasons[flags & (reasons == "")] = reason
    _mark_weekends(given, calendar, reasons)
    _mark_order_faults(given.dates, reasons)
    actions, action_faults = _clean_actions(answer.actions)
    bars = _sorted(given.select(reasons == ""))
    rejections = answer.rejections + _named(given.dates, reasons)
    _require_rows(answer, bars, rejections)
    doubts[reasons != ""] = ""
    return CleanPrices(bars, actions, rejections + action_faults, _named(given.dates, doubts))


def _named(dates: Dates, reasons: np.ndarray) -> tuple[Rejection, ...]:
    rows = np.flatnonzero(reasons != "")
    return tuple(Rejection(str(dates[row]), str(reasons[row])) for row in rows)


def _without_false_ranges(bars: Bars) -> tuple[Bars, np.ndarray]:
    """Set opens, highs and lows that cannot be prices to NaN.

    Returns:
        The bars, and (N,) what was wrong with each row; "" where nothing was.
    """
    bad = {name: _no_price(getattr(bars, f"{name}s")) for name in ("open", "high", "low")}
    crossed = ~bad["high"] & ~bad["low"] & (bars.highs < bars.lows)
    # A high is worth nothing without its low, and of two that cross either may be the wrong one.
    ranges = crossed | bad["high"] | bad["low"]
    unknown = {"open": bad["open"], "high": ranges, "low": ranges}
    kept: dict[str, Any] = {
        f"{name}s": np.where(unknown[name], np.nan, getattr(bars, f"{name}s")) for name in bad
    }
    reasons = np.full(len(bars), "", dtype=object)
    for row in np.flatnonzero(ranges | bad["open"]):
        values = [f"{getattr(bars, f'{name}s')[row]:g}" for name in bad if bad[name][row]]
        causes = [f"{value} is no price" for value in dict.fromkeys(values)]
        causes += ["the high is below the low"] if crossed[row] else []
        names = [name for name in unknown if unknown[name][row]]
        reasons[row] = f"{_listed(names)} unknown ({', '.join(causes)})"
    return replace(bars, **kept), reasons


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _no_price(values: Floats) -> Flags:
    """Flag what is given and cannot be a price."""
    flags: Flags = ~np.isnan(values) & ~((values >= _LOWEST) & (values <= _HIGHEST))
    return flags


def _sorted(bars: Bars) -> Bars:
    return bars.select(np.argsort(bars.dates, kind="stable"))


def _value_faults(bars: Bars) -> list[tuple[Flags, str]]:
    return [
        (np.isnan(bars.closes), english("the close is missing")),
        (np.isinf(bars.closes), english("the close is infinite")),
        (bars.closes <= 0, english("the close is not above zero")),
        (bars.closes > _HIGHEST, english("the close is above a trillion")),
        (bars.closes < _LOWEST, english("the close is below a trillionth")),
        (
            np.isinf(bars.volumes) | (bars.volumes < 0),
            english("the volume is infinite or negative"),
        ),
    ]


def _adjusted_faults(bars: Bars) -> list[tuple[Flags, str]]:
    return [
        (np.isnan(bars.adj_closes), english("the adjusted close is missing")),
        (np.isinf(bars.adj_closes), english("the adjusted close is infinite")),
        (bars.adj_closes <= 0, english("the adjusted close is not above zero")),
        (bars.adj_closes > _HIGHEST, english("the adjusted close is above a trillion")),
        (bars.adj_closes < _LOWEST, english("the adjusted close is below a trillionth")),
    ]


def _date_faults(
    bars: Bars, calendar: Sessions, last_final: np.datetime64, start: str | None
) -> list[tuple[Flags, str]]:
    closed = calendar.closed_on(bars.dates)
    faults = [
        (np.isnat(bars.dates), english("the date is missing")),
        (bars.dates < _OLDEST_DAY, english("the date lies before 1900")),
        (bars.dates > last_final, english("its session is not over yet")),
        (
            closed & _untraded(bars),
            english(
                "filler: {exchange} was closed, nothing was traded", exchange=calendar.exchange
            ),
        ),
    ]
    if start is not None:
        faults.append(
            (
                bars.dates < np.datetime64(start, "D"),
                english("before {day}, not asked for", day=start),
            )
        )
    return faults


def _mark_weekends(bars: Bars, calendar: Sessions, reasons: np.ndarray) -> None:
    """Reject the rows of weekends, but for those of sessions that the calendar lacks.

    Rows whose dates are all a day late put every Friday on a Saturday, and leave Mondays without a
    row; so the session after a special one must have a row, too, if the answer goes on so far.
    """
    doubtful = (reasons == "") & calendar.closed_on(bars.dates) & ~np.is_busday(bars.dates)
    if not doubtful.any():
        return
    good = np.flatnonzero(reasons == "")
    rest = bars.select(good)
    special = np.zeros(len(bars), dtype=bool)
    special[good] = special_sessions(rest, calendar.dates)
    later = np.searchsorted(calendar.dates, bars.dates[doubtful])
    following = np.append(calendar.dates, _NEVER)[later]
    special[doubtful] &= np.isin(following, rest.dates) | (following > rest.dates.max())
    # Whatever has rows of every weekend, it is not of this exchange, or weekends were filled.
    days = np.unique(bars.dates[doubtful & special])
    frequent = np.diff(days) < _BETWEEN_SPECIAL
    special &= ~np.isin(bars.dates, [*days[1:][frequent], *days[:-1][frequent]])
    reasons[doubtful & ~special] = english(
        "no session of {exchange} on this weekend", exchange=calendar.exchange
    )


def _untraded(bars: Bars) -> Flags:
    """Flag the rows of which all that is known is the close, or equals it, without a volume.

    Where no volume is given at all, the close must be that of the day before, too.
    """
    ranges = np.stack([bars.opens, bars.highs, bars.lows])
    flat = np.logical_and.reduce(np.isnan(ranges) | (ranges == bars.closes))
    order = np.argsort(bars.dates, kind="stable")
    repeated = np.zeros(len(bars), bool)
    repeated[order[1:]] = bars.closes[order[1:]] == bars.closes[order[:-1]]
    flags: Flags = flat & ((bars.volumes == 0) | (np.isnan(bars.volumes) & repeated))
    return flags


def _mark_order_faults(dates: Dates, reasons: np.ndarray) -> None:
    """Reject repeated days, and rows that break the order of an otherwise ordered answer."""
    rows = np.flatnonzero(reasons == "")
    last_of_day = {day: row for row, day in zip(rows.tolist(), dates[rows].tolist(), strict=True)}
    unique = sorted(last_of_day.values())
    reasons[np.setdiff1d(rows, unique)] = english("repeated day; the last row of it was kept")
    reasons[_misplaced(dates, unique)] = english(
        "out of order: the date does not fit its neighbours"
    )


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
