"""The time of day, in the one form in which it is stored and compared."""

from datetime import UTC, datetime


def utc_now() -> str:
    """Give the current time as UTC ISO 8601 to the second, such as 2024-03-14T21:05:00Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
