"""What the forecast that knows nothing is called."""


def naive_words(horizon: int) -> str:
    """Name the naive forecast.

    Args:
        horizon: Sessions ahead.
    """
    return "yesterday's close" if horizon == 1 else f"the close {horizon} sessions before"
