"""Text of a stranger's file, as messages show it."""


def shown(text: str) -> str:
    """Shorten a text and escape its control characters."""
    return ascii(text if len(text) <= 40 else text[:37] + "...")[1:-1]
