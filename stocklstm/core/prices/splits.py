"""Which windows train the network, which choose among its epochs, and which only judge it."""

from collections.abc import Callable, Mapping

import numpy as np

from stocklstm.core.prices.series import Indices
from stocklstm.core.records import dataclass
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import SeriesTooShortError

LEAST_PART = 20
"""Fewest windows in any part: below it neither quantiles nor an error mean anything."""

LEAST_SPANS = 10
"""Fewest spans that do not overlap, where a forecast is of several sessions ahead."""

# Each of three parts is rounded by a half at most, up for some numbers of windows, down for others.
_ROUNDED = 3

# No series has as many: of more than these the number may be a few too low.
_MOST_WINDOWS = 100_000


@dataclass(frozen=True, eq=False)
class Split:
    """Origins of each part, oldest part first.

    An origin is the row at whose close a forecast is made: the last row of its window. The row
    that is forecast lies `horizon` rows later. Between two parts `horizon` origins are left
    out (purged), so that no label of one part lies in the other.

    Attributes:
        train: Trains weights, scalers and anchors.
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
    """Split the rows of a series into parts in the order of time.

    Args:
        rows: Rows of the series.
        warm_up: Leading rows that cannot be in any window.

    Raises:
        SeriesTooShortError: A part would have fewer than `LEAST_PART` windows, or than
            `LEAST_SPANS` spans of the horizon.
    """

    def sizes(windows: int) -> dict[str, int]:
        test = round(windows * config.test_fraction)
        return {**_sizes_before(windows - test, config, config.horizon), "test": test}

    first = warm_up + config.seq_length - 1
    windows = rows - config.horizon - first
    if min(sizes(windows).values()) < _least(config):
        needed = first + _windows_needed(windows, config, sizes) + config.horizon
        raise _too_short(rows, needed, config)
    parts = _placed(first, sizes(windows), config.horizon)
    return Split(**parts, train_rows=_rows_seen(parts["train"], config))


def split_before(test: Indices, warm_up: int, config: TrainingConfig, embargo: int = 0) -> Split:
    """Split what was known at the first origin of a test part into the parts that come before it.

    Where the origins are the test part of `split_origins`, so are all other parts.

    Args:
        test: (n,) origins that follow each other, n >= 1.
        warm_up: Leading rows that cannot be in any window.
        config: Gives window length, horizon and the shares of the parts.
        embargo: Origins left out between two parts beyond those that are purged.

    Raises:
        SeriesTooShortError: A part would be too small, as for `split_origins`; it counts the rows
            up to the first origin.
    """
    gap = config.horizon + embargo

    def sizes(windows: int) -> dict[str, int]:
        return _sizes_before(windows, config, gap)

    first, known = warm_up + config.seq_length - 1, int(test[0]) + 1
    windows = known - 1 - first
    if min(sizes(windows).values()) < _least(config):
        raise _too_short(known, first + _windows_needed(windows, config, sizes) + 1, config)
    parts = _placed(first, sizes(windows), gap)
    return Split(**parts, test=test, train_rows=_rows_seen(parts["train"], config))


def _too_short(rows: int, needed: int, config: TrainingConfig) -> SeriesTooShortError:
    ahead = f" and a horizon of {config.horizon}" if config.horizon > 1 else ""
    since = "" if config.start is None else f" from {config.start} on"
    longer = "fetch a longer history" if config.start is None else "take an earlier --start"
    shorter = "--horizon" if _least(config) > LEAST_PART else "--seq-length"
    return SeriesTooShortError(
        f"{rows} rows{since} are too few: windows of {config.seq_length}{ahead} need at least "
        f"{needed}",
        needed=needed,
        found=rows,
        hint=f"{longer}, or train with a shorter {shorter}",
    )


def _placed(first: int, sizes: Mapping[str, int], gap: int) -> dict[str, Indices]:
    parts: dict[str, Indices] = {"calibration": np.arange(0)}
    start = first
    for name, size in sizes.items():
        parts[name] = np.arange(start, start + size)
        start += size + gap
    return parts


def _rows_seen(train: Indices, config: TrainingConfig) -> int:
    return int(train[-1]) + config.horizon + 1


def _least(config: TrainingConfig) -> int:
    return max(LEAST_PART, LEAST_SPANS * config.horizon if config.horizon > 1 else 0)


def _sizes_before(windows: int, config: TrainingConfig, gap: int) -> dict[str, int]:
    """Size the parts before a test part; `windows` includes those of the gap before it."""
    shares = {"validation": config.validation_fraction}
    if config.calibration_fraction:
        shares["calibration"] = config.calibration_fraction
    middle = {name: round(windows * share) for name, share in shares.items()}
    train = windows - sum(middle.values()) - (len(middle) + 1) * gap
    return {"train": train, **middle}


def _windows_needed(
    windows: int, config: TrainingConfig, sizes: Callable[[int], Mapping[str, int]]
) -> int:
    least = _least(config)
    # By halves: with a share of a millionth one would count for minutes.
    too_few, enough = max(windows, least), 2 * max(windows, least)
    while min(sizes(enough).values()) < least:
        too_few, enough = enough, 2 * enough
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if min(sizes(middle).values()) < least:
            too_few = middle
        else:
            enough = middle
    # Training has what the others leave. Rounding takes some of that away again as windows are
    # added, so that more may be too few: as many are needed as are enough from there on.
    longest = enough
    while (parts := sizes(longest))["train"] < least + _ROUNDED and longest < _MOST_WINDOWS:
        longest += 1
        if min(parts.values()) < least:
            enough = longest
    return enough
