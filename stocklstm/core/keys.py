"""Secrets that a user gives through the environment."""

import os

from stocklstm.core.operating_system import system
from stocklstm.errors import ConfigError

MAKE_ONE = f"make one with: {system().random}"
"""What to do about a secret that will not do."""

_FEWEST_CHARACTERS = 16


def given_key(variable: str) -> str | None:
    """Read a secret from the environment; None if it is not set or empty.

    Raises:
        ConfigError: It is so short that it could be guessed.
    """
    text = os.environ.get(variable)
    if not text:
        return None
    if len(text) < _FEWEST_CHARACTERS:
        raise ConfigError(
            f"{variable} could be guessed: it has {len(text)} of at least {_FEWEST_CHARACTERS} "
            "characters",
            hint=MAKE_ONE,
        )
    return text
