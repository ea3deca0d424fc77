"""Which windows may teach, which may choose, and which may only judge."""

from dataclasses import dataclass

import numpy as np

from stocklstm.core.config import TrainingConfig
from stocklstm.core.series import Indices
from stocklstm.errors import SeriesTooShortError

LEAST_PART = 20
"""Fewest windows in any part: below it neither quantiles nor an error mean anything."""

LEAST_SPANS = 10
"""Fewest spans that do not overlap, where a forecast is of several sessions ahead."""


@dataclass(frozen=True, eq=False)
class Split:
    """Origins of each part, oldest part first.

    An origin is the row at whose close a forecast is made: the last row of its window. The row
    that is forecast lies `horizon` rows later. Between two parts `horizon` origins are left
    out (purged), so that no label of one part lies in the other.

    Attributes:
        train: Teaches weights, scalers and anchors.
        validation: Chooses the epoch.
        calibration: Measures residuals; may be empty.
        test: Judges, and does nothing else.
        train_rows: Leading rows whose prices training may look at: up to its last label.
    """

    train: Indices
    validation: Indices
    calibration: Indices
    test: Indices
    train_rows: int


def split_origins(rows: int, warm_up: int, config: TrainingConfig) -> Split:
    """Cut the rows of a series into parts in the order of time.

    Args:
        rows: Rows of the series.
        warm_up: Leading rows that cannot be in any window.
        config: Gives window length, horizon and the shares of the parts.

    Raises:
        SeriesTooShortError: A part would have fewer than `LEAST_PART` windows, or than
            `LEAST_SPANS` spans of the horizon.
    """
    first = warm_up + config.seq_length - 1
    last = rows - 1 - config.horizon
    sizes = _part_sizes(last - first + 1, config)
    if min(sizes.values()) < _least(config):
        needed = first + _windows_needed(last - first + 1, config) + config.horizon
        ahead = f" and a horizon of {config.horizon}" if config.horizon > 1 else ""
        shorter = "--horizon" if _least(config) > LEAST_PART else "--seq-length"
        raise SeriesTooShortError(
            f"{rows} rows are too few: windows of {config.seq_length}{ahead} need at least "
            f"{needed}",
            needed=needed,
            found=rows,
            hint=f"fetch a longer history, or train with a shorter {shorter}",
        )
    parts: dict[str, Indices] = {"calibration": np.arange(0)}
    start = first
    for name, size in sizes.items():
        parts[name] = np.arange(start, start + size)
        start += size + config.horizon
    return Split(**parts, train_rows=int(parts["train"][-1]) + config.horizon + 1)


def _least(config: TrainingConfig) -> int:
    return max(LEAST_PART, LEAST_SPANS * config.horizon if config.horizon > 1 else 0)


def _part_sizes(windows: int, config: TrainingConfig) -> dict[str, int]:
    test = round(windows * config.test_fraction)
    shares = {"validation": config.validation_fraction}
    if config.calibration_fraction:
        shares["calibration"] = config.calibration_fraction
    middle = {name: round((windows - test) * share) for name, share in shares.items()}
    purged = (len(middle) + 1) * config.horizon
    train = windows - test - sum(middle.values()) - purged
    return {"train": train, **middle, "test": test}


def _windows_needed(windows: int, config: TrainingConfig) -> int:
    least = _least(config)
    # By halves: with a share of a millionth one would count for minutes.
    too_few, enough = max(windows, least), 2 * max(windows, least)
    while min(_part_sizes(enough, config).values()) < least:
        too_few, enough = enough, 2 * enough
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if min(_part_sizes(middle, config).values()) < least:
            too_few = middle
        else:
            enough = middle
    return enough
