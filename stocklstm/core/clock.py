"""The current time and ISO days, in the one form in which they are stored and compared."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime


def now() -> datetime:
    """Give the current time, in UTC."""
    return datetime.now(UTC)


def utc_now() -> str:
    """Give the current time as UTC ISO 8601 to the second, such as 2024-03-14T21:05:00Z."""
    return utc_text(now())


def utc_text(moment: datetime) -> str:
    """Write a moment, which knows its zone, as UTC ISO 8601 to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Stopwatch:
    """Measures where time goes.

    Attributes:
        seconds: Wall time of each part, in the order in which they began.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Add the time that a block takes to that of a part."""
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[part] = self.seconds.get(part, 0.0) + spent


def is_day(text: str) -> bool:
    """Tell if a text is an ISO day such as 2024-03-13.

    20240313 is ISO 8601 too, but to NumPy it is a year.
    """
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
