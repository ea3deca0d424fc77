"""Text of a stranger's file, as messages and hints show it."""

STANDARD_INPUT = "standard input"
"""What messages call it."""


def shown(text: str) -> str:
    """Shorten a text and escape what cannot be printed."""
    short = text if len(text) <= 40 else text[:37] + "..."
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in short)
