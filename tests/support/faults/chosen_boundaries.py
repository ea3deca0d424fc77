"""Which of all boundaries a test tries."""

import os
from collections.abc import Sequence
from itertools import pairwise

# How many tests share the boundaries of a command, so that processes can share the tests.
PARTS = 2

_ALL = os.environ.get("STOCKLSTM_FAULTS") == "all"


def chosen(command: str, boundaries: Sequence[str], part: int, most: int) -> list[int]:
    """Choose some boundaries, evenly spread.

    Args:
        command: Its name.
        boundaries: Those of the whole command.
        part: Which of the `PARTS`.
        most: How many at most, all parts together.
    """
    return spread(command, boundaries, most)[part::PARTS]


def spread(command: str, boundaries: Sequence[str], most: int) -> list[int]:
    """Choose some for one test alone."""
    # Opening the store is the same in every command: one of them stands for all.
    first = 0 if command == "predict" or _ALL else _opened(boundaries)
    numbers = range(first, len(boundaries))
    if not _ALL and len(numbers) > most:
        step = (len(numbers) - 1) / (most - 1)
        return sorted({numbers[round(step * index)] for index in range(most)})
    return list(numbers)


def _opened(boundaries: Sequence[str]) -> int:
    """Count the boundaries up to the first that is not SQLite's, after those that are."""
    ours = [number for number, name in enumerate(boundaries) if not name.startswith("sqlite")]
    # Where SQLite's cannot be seen there are only ours, one next to the other.
    return next((b for a, b in pairwise(ours) if b > a + 1), 0)
