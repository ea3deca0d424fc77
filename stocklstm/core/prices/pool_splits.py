"""How the series of several tickers are split on the same days, for a pooled model.

Shares move together: what one did on a day says much about what another did on it. No day that
any ticker is judged on may have taught anything.
"""

from collections.abc import Sequence

import numpy as np

from stocklstm.core.prices.series import Dates
from stocklstm.core.prices.splits import LEAST_PART, LEAST_SPANS, Split
from stocklstm.core.records import dataclass
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import SeriesTooShortError

LEAST_ROWS = 120
"""Sessions that a pooled model must know of a ticker: with fewer its anchor is a guess."""


@dataclass(frozen=True)
class PoolDays:
    """The days on which the parts of all tickers begin.

    Attributes:
        validation_from: ISO day at whose close the first validation forecasts are made; every label
            that taught anything was known before it.
        test_from: The same of the test part; every label that chose anything was known before it.
    """

    validation_from: str
    test_from: str


def pool_days(series: Sequence[Dates], warm_up: int, config: TrainingConfig) -> PoolDays:
    """Choose the days so that the shares of the settings hold over the windows of all tickers.

    Of a single series they are those of `split_origins`.

    Args:
        series: Days of each ticker, oldest first.
        warm_up: Leading rows of each that cannot be in any window.

    Raises:
        SeriesTooShortError: There are too few windows for three parts.
    """
    first, horizon = warm_up + config.seq_length - 1, config.horizon
    long = [dates for dates in series if len(dates) > first + horizon]
    if not long:
        raise _too_short(0, config)
    made = np.concatenate([dates[first:-horizon] for dates in long])
    known = np.concatenate([dates[first + horizon :] for dates in long])
    count = len(made)
    test_from = np.sort(made)[count - max(1, round(count * config.test_fraction))]
    before = np.sort(made[known < test_from])
    validation = round(int((made < test_from).sum()) * config.validation_fraction)
    if not 0 < validation < len(before):
        raise _too_short(count, config)
    return PoolDays(str(before[len(before) - validation]), str(test_from))


def known_rows(dates: Dates, days: PoolDays) -> int:
    """Count the leading rows that a ticker's anchor and baselines are measured on.

    Those before the validation part; of a ticker that is younger, the fewest that its anchor
    needs. Either way no later row changes the number.
    """
    before = int(np.searchsorted(dates, np.datetime64(days.validation_from, "D")))
    return max(LEAST_ROWS, before)


def pool_split(dates: Dates, days: PoolDays, warm_up: int, config: TrainingConfig) -> Split:
    """Split one ticker's rows on the days of its pool.

    A ticker that was too young to teach anything is still validated and tested on, from the row on
    at which its anchor is known.

    Args:
        dates: Its days, oldest first.
        warm_up: Leading rows that cannot be in any window.

    Returns:
        Parts that may be empty; `train_rows` is `known_rows`.
    """
    first, horizon = warm_up + config.seq_length - 1, config.horizon
    origins = np.arange(first, max(first, len(dates) - horizon))
    made, known = dates[origins], dates[origins + horizon]
    validation_from = np.datetime64(days.validation_from, "D")
    test_from = np.datetime64(days.test_from, "D")
    rows = known_rows(dates, days)
    settled = origins >= rows - 1
    taught = (known < validation_from) & (np.searchsorted(dates, validation_from) >= LEAST_ROWS)
    return Split(
        train=origins[taught],
        validation=origins[settled & (made >= validation_from) & (known < test_from)],
        calibration=np.arange(0),
        test=origins[settled & (made >= test_from)],
        train_rows=rows,
    )


def require_parts(splits: Sequence[Split], config: TrainingConfig) -> None:
    """Refuse a pool whose parts, over all tickers, are too small to mean anything.

    Raises:
        SeriesTooShortError: They are.
    """
    least = max(LEAST_PART, LEAST_SPANS * config.horizon if config.horizon > 1 else 0)
    parts = [(split.train, split.validation, split.test) for split in splits]
    smallest = min(sum(len(part) for part in each) for each in zip(*parts, strict=True))
    if smallest < least:
        raise _too_short(sum(len(part) for split in parts for part in split), config)


def _too_short(windows: int, config: TrainingConfig) -> SeriesTooShortError:
    return SeriesTooShortError(
        f"all tickers together have {windows} windows of {config.seq_length}, too few to train, "
        "validate and test on",
        needed=5 * LEAST_PART,
        found=windows,
        hint="fetch longer histories, or name more tickers"
        if config.start is None
        else f"take an earlier --start than {config.start}",
    )
