"""How far apart the rows of a series are: daily bars, or weekly and monthly ones."""

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


def spacing_days(dates: Dates) -> int:
    """Find how many days lie between the rows of a series, as a rule.

    Args:
        dates: In any order.

    Returns:
        The median gap where at least half of all gaps are as long as a week, a month or a year,
        such as 7 for weekly bars; else 1: daily bars, whatever their gaps. Fewer than three rows
        tell nothing.
    """
    gaps = np.sort(np.diff(np.unique(dates)).astype(np.int64))
    if len(gaps) < 2:
        return 1
    low, middle, high = (int(gaps[(len(gaps) - 1) * quarter // 4]) for quarter in (1, 2, 3))
    regular = any(low in span and high in span for span, _ in _SPACINGS)
    return middle if regular else 1


def spacing_name(days: int) -> str:
    """Put a spacing that `spacing_days` finds in a word, such as weekly for 7 days."""
    return next(name for span, name in _SPACINGS if days in span)
