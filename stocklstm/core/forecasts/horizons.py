"""How many sessions ahead: read from 5, 1-5 or 1,5,20, and written likewise."""

from collections.abc import Sequence
from itertools import groupby, pairwise

from stocklstm.errors import ConfigError

FARTHEST = 250
"""Sessions ahead at most: a year."""

MOST = 60
"""Horizons at once: a quarter of a year of sessions."""

PREDICT = "stocklstm predict --horizon"


def parse_horizons(text: str, command: str = PREDICT) -> tuple[int, ...]:
    """Read horizons, such as 5, 1-5 or 1-5,20; in any order, nearest first when read.

    Args:
        command: Whose last word is the option, for errors.

    Raises:
        ConfigError: It is none, backwards, twice the same, too far or too many.
    """
    horizons: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        low = _number(first, part, command)
        high = _number(last, part, command) if dash else low
        if low > high:
            raise ConfigError(
                f"{_option(command)} {low}-{high} goes backwards", hint=f"{command} {high}-{low}"
            )
        require_in_range([low, high], command)
        horizons += range(low, high + 1)
    require_horizons(horizons, command)
    return tuple(sorted(horizons))


def _number(digits: str, part: str, command: str) -> int:
    digits = digits.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
        raise ConfigError(
            f"{_option(command)} is a number of sessions, or several (1-5, or 1,5,20), not "
            f"{part[:30]!a}",
            hint=f"{command} 1-5",
        )
    return int(digits)


def _option(command: str) -> str:
    return command.rpartition(" ")[2]


def require_in_range(horizons: Sequence[int], command: str = PREDICT) -> None:
    """Refuse what is no session to come, or too far a one.

    Raises:
        ConfigError: One is.
    """
    for horizon in horizons:
        if not 1 <= horizon <= FARTHEST:
            raise ConfigError(
                f"{_option(command)} must be from 1 to {FARTHEST}, not {horizon}",
                hint=f"{command} 5",
            )


def require_horizons(horizons: Sequence[int], command: str = PREDICT) -> None:
    """Refuse horizons that cannot be forecast together.

    Raises:
        ConfigError: One is out of range or there twice, or there are none or too many.
    """
    require_in_range(horizons, command)
    if not horizons:
        raise ConfigError(f"{_option(command)} names no session", hint=f"{command} 1-5")
    ordered = sorted(horizons)
    if twice := [one for one, other in pairwise(ordered) if one == other]:
        raise ConfigError(
            f"{_option(command)} names {twice[0]} twice",
            hint=f"{command} {horizons_text(sorted({*ordered})[:MOST])}",
        )
    if len(horizons) > MOST:
        raise ConfigError(
            f"{_option(command)} names {len(horizons)} sessions, and {MOST} at once are the most",
            hint=f"{command} 1-{MOST}",
        )


def horizons_text(horizons: Sequence[int]) -> str:
    """Write horizons as short as they can be read, such as 1-5,20.

    Args:
        horizons: Increasing, at least one.
    """
    # Neighbours are as far from their places in the row as each other.
    runs = (
        [horizon for _, horizon in run]
        for _, run in groupby(enumerate(horizons), lambda each: each[1] - each[0])
    )
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
