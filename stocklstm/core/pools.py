"""What pooled models are called: names that no ticker has.

Apart, as the command line reads names before it needs NumPy.
"""

import re

from stocklstm.errors import ConfigError

POOL_MARK = "+"
"""Begins the name of a pooled model wherever a ticker could stand; no ticker begins so."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,19}")


def is_pool(name: str) -> bool:
    """Tell a pooled model's name from a ticker."""
    return name.startswith(POOL_MARK)


def parse_pool(text: str) -> str:
    """Check the name of a pooled model before it becomes a key or a directory name.

    Args:
        text: As typed, with or without the mark; letter case does not matter.

    Returns:
        The name in lower case, with the mark.

    Raises:
        ConfigError: It has a form that none has.
    """
    typed = text.strip()
    name = typed.removeprefix(POOL_MARK).lower()
    # Lower case turns some foreign letters, such as the Kelvin sign, into ASCII ones.
    if not typed.isascii() or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{text[:40]!a} cannot be the name of a pooled model",
            hint="up to 20 of a to z, 0 to 9, - and _, beginning with a letter, such as b3",
        )
    return POOL_MARK + name
