"""The current time and ISO days, in the one form in which they are stored and compared."""

from datetime import UTC, date, datetime


def now() -> datetime:
    """Give the current time, in UTC."""
    return datetime.now(UTC)


def utc_now() -> str:
    """Give the current time as UTC ISO 8601 to the second, such as 2024-03-14T21:05:00Z."""
    return now().strftime("%Y-%m-%dT%H:%M:%SZ")


def is_day(text: str) -> bool:
    """Tell if a text is an ISO day such as 2024-03-13.

    20240313 is ISO 8601 too, but to NumPy it is a year.
    """
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
