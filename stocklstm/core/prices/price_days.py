"""Which days of a ticker are stored, and how many rows each source gave, in a bit a day.

They follow from the rows of prices, and are kept beside them: to find them takes as long as to read
a whole history. Each row of them is of a source: its first day, and a bit for every day from that
one on, 1 where the row of that day came from it.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from stocklstm.core.prices.series import Dates

DaysRow = tuple[str, str, bytes]
"""Source, first ISO day, and bits; none are left over but zeros that fill the last byte."""

_DAY_LENGTH = len("2024-03-13")


class Extent(NamedTuple):
    """What is stored of a ticker, apart from its prices.

    Attributes:
        dates: The days of the rows, (N,) datetime64[D], increasing; they may not be written.
        sources: How many rows each source gave, by its name, in order.
    """

    dates: Dates
    sources: dict[str, int]


def days_by_source(
    found: Iterable[tuple[str, str]], start: str = "", before: Sequence[DaysRow] = ()
) -> list[DaysRow]:
    """Note which days each source gave, in the order of these; none where one of them is no day.

    Args:
        found: Sources, each with its ISO days, one after the other without a gap between.
        start: ISO day from which on they are what was found.
        before: What was noted earlier, which holds for all days before that one.
    """
    try:
        parts = {source: [_dates(days)] for source, days in found}
        for source, first, bits in before:
            dates = _unpacked(first, bits)
            parts.setdefault(source, []).append(dates[dates < np.datetime64(start, "D")])
    except ValueError:
        return []
    joined = {source: np.sort(np.concatenate(each)) for source, each in sorted(parts.items())}
    return [(source, *_packed(dates)) for source, dates in joined.items() if len(dates)]


def _dates(days: str) -> Dates:
    """Read ISO days that stand one after the other without a gap."""
    content = np.frombuffer(days.encode(), f"S{_DAY_LENGTH}").astype("U")
    dates = content.astype("datetime64[D]")
    # NumPy reads much more as a day than is written as one here.
    if (dates.astype("U") != content).any():
        raise ValueError("a date of the prices is none")
    return dates


def _packed(dates: Dates) -> tuple[str, bytes]:
    places = (dates - dates[0]).astype(np.int64)
    flags = np.zeros(places[-1] + 1, bool)
    flags[places] = True
    return str(dates[0]), np.packbits(flags).tobytes()


@lru_cache(maxsize=8)
def _unpacked(first: str, bits: bytes) -> Dates:
    places = np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8)))
    dates: Dates = np.datetime64(first, "D") + places.astype("timedelta64[D]")
    # Most tickers have the very same days.
    dates.flags.writeable = False
    return dates


def extent_of(rows: Sequence[DaysRow]) -> Extent:
    """Put together what is stored of all sources; there must be a row.

    Raises:
        ValueError: A day is none.
    """
    parts = {source: _unpacked(first, bits) for source, first, bits in rows}
    dates, *others = parts.values()
    if others:
        dates = np.sort(np.concatenate([dates, *others]))
    return Extent(dates, {source: len(part) for source, part in parts.items()})


def count_of(rows: Sequence[DaysRow]) -> int:
    """Count the days of all sources."""
    return sum(int(np.unpackbits(np.frombuffer(bits, np.uint8)).sum()) for _, _, bits in rows)
