"""Walk-forward evaluation: which days each training forecasts, and what it may have seen."""

from dataclasses import dataclass

import numpy as np

from stocklstm.core.prices.splits import Split, split_before
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ConfigError, SeriesTooShortError

REFIT_EVERY = 20
"""Sessions between two trainings, unless told otherwise: about a month."""


@dataclass(frozen=True)
class WalkForward:
    """How a walk-forward evaluation moves through the sessions.

    Example:
        >>> stocklstm.WalkForward(sessions=250).refit_every
        20

    Attributes:
        sessions: Latest sessions that are forecast.
        refit_every: Sessions that one training forecasts before the next one is made.
        embargo: Sessions left out between two parts beyond the horizon, which always is.
    """

    sessions: int
    refit_every: int = REFIT_EVERY
    embargo: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers outside their limits."""
        limits = {
            "--walk-forward": (self.sessions, 1),
            "--refit-every": (self.refit_every, 1),
            "--embargo": (self.embargo, 0),
        }
        for option, (value, least) in limits.items():
            if not least <= value <= 1_000_000:
                raise ConfigError(
                    f"{option} must be from {least} to 1000000, not {value}",
                    hint="stocklstm evaluate --walk-forward 250 --refit-every 20",
                )


def fold_splits(
    rows: int, warm_up: int, config: TrainingConfig, walk: WalkForward
) -> tuple[Split, ...]:
    """Split a series once for every training, oldest first.

    The test parts follow each other and end with the series. Everything else of a split was known
    at the close of the first row of its test part, labels included.

    Args:
        rows: Rows of the series.
        warm_up: Leading rows that cannot be in any window.
        config: Gives window length, horizon and the shares of the parts.

    Raises:
        SeriesTooShortError: There is too little before the first day that is to be forecast.
    """
    end = rows - config.horizon
    start = end - walk.sessions
    try:
        return tuple(
            split_before(
                np.arange(first, min(first + walk.refit_every, end)), warm_up, config, walk.embargo
            )
            for first in range(start, end, walk.refit_every)
        )
    except SeriesTooShortError as error:
        needed = error.needed + rows - error.found
        since = "" if config.start is None else f" from {config.start} on"
        fewer = "give a smaller number with --walk-forward"
        raise SeriesTooShortError(
            f"{rows} rows{since} are too few: to forecast the last {walk.sessions} with these "
            f"settings takes at least {needed}",
            needed=needed,
            found=rows,
            hint=f"fetch a longer history, or {fewer}" if config.start is None else fewer,
        ) from error
