"""How far apart the rows of a series are: daily bars, or weekly and monthly ones."""

from functools import lru_cache

import numpy as np

from stocklstm.core.prices.series import Dates

# What a week or a month is in days, whichever session of it a row is dated by.
_SPACINGS = (
    (range(5, 10), "weekly"),
    (range(12, 17), "fortnightly"),
    (range(26, 36), "monthly"),
    (range(85, 98), "quarterly"),
    (range(350, 380), "yearly"),
)

# Rows of which none lies closer to the next one are no days.
_NO_NEIGHBOURS = 5

# So many gaps of a week in a row are no share that is seldom traded.
_SHORTEST_RUN = 8


def spacing_days(dates: Dates) -> int:
    """Find how many days lie between the rows of a series, as a rule.

    Args:
        dates: In any order.

    Returns:
        1 for daily bars, whatever their gaps. Where two thirds of all gaps are as long as a week,
        or as a month, their median, such as 7 for weekly bars; where no two rows are neighbours,
        the median gap. Fewer than three rows tell nothing.
    """
    return _spacing(dates.astype("datetime64[D]").tobytes())


# Most tickers have the very same days.
@lru_cache(maxsize=8)
def _spacing(dates: bytes) -> int:
    # np.unique would take 1.4 MiB of memory, a fiftieth of all that a forecast needs.
    days = np.sort(np.frombuffer(dates, np.int64))
    gaps = days[1:] - days[:-1]
    gaps = gaps[gaps > 0]
    # Where more than a third are shorter than a week, two thirds cannot be as long, nor all.
    if len(gaps) < 2 or 3 * np.count_nonzero(gaps < _NO_NEIGHBOURS) > len(gaps):
        return 1
    for span, _ in _SPACINGS:
        alike = gaps[(gaps >= span.start) & (gaps < span.stop)]
        if len(alike) >= 2 and 3 * len(alike) >= 2 * len(gaps):
            return int(np.median(alike))
    return int(np.median(gaps)) if gaps.min() >= _NO_NEIGHBOURS else 1


def spaced_run(dates: Dates) -> Dates:
    """Find a stretch of weekly or monthly rows in a series of daily ones.

    Args:
        dates: In any order.

    Returns:
        The dates of a longest run of eight or more gaps that are all as long as a week, or as a
        month, oldest first; none if there is no such run.
    """
    days = np.unique(dates)
    gaps = np.diff(days).astype(np.int64)
    found = days[:0]
    for span, _ in _SPACINGS:
        alike = np.concatenate([[False], (gaps >= span.start) & (gaps < span.stop), [False]])
        edges = np.flatnonzero(np.diff(alike.astype(np.int8)))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            if end - start >= max(_SHORTEST_RUN, len(found)):
                found = days[start : end + 1]
    return found


def spacing_name(days: int) -> str:
    """Put a spacing in a word, such as weekly for 7 days; "" if there is none for it."""
    return next((name for span, name in _SPACINGS if days in span), "")


def spacing_words(days: int) -> str:
    """Put a spacing in words, such as "weekly, 7 days apart"."""
    name = spacing_name(days)
    return f"{name}, {days} days apart" if name else f"{days} days apart"
