"""The tickers of a pool, each parted on the days of all: what training and its audit share."""

from collections.abc import Sequence
from dataclasses import dataclass

from stocklstm.core.inputs.scaling import PooledScaling, warm_up_rows
from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.prices.pool_splits import PoolDays, pool_split
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.splits import Split
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.store.manifest import SplitRecord


@dataclass(frozen=True, eq=False)
class PoolSeries:
    """One ticker made ready for the pool.

    Attributes:
        ticker: Whose.
        bars: N sessions.
        split: Its parts, on the days of the pool.
        anchor: Measured on its rows before the validation part.
    """

    ticker: str
    bars: Bars
    split: Split
    anchor: VolatilityAnchor


def part_series(ticker: str, bars: Bars, days: PoolDays, config: TrainingConfig) -> PoolSeries:
    """Part one ticker and measure how volatile it is.

    Args:
        ticker: Whose.
        bars: N sessions, at least 120.
        days: Of the pool.
        config: All settings.
    """
    split = pool_split(bars.dates, days, warm_up_rows(config), config)
    return PoolSeries(ticker, bars, split, VolatilityAnchor.fit(bars, split.train_rows))


def fit_shared(taught: Sequence[PoolSeries], config: TrainingConfig) -> PooledScaling:
    """Fit what all tickers share on the training parts of those that have one.

    Args:
        taught: Those.
        config: All settings.
    """
    parts = [(each.bars, each.split.train_rows, each.anchor) for each in taught]
    return PooledScaling.fit(parts, config)


def split_record(series: Sequence[PoolSeries], horizon: int) -> SplitRecord:
    """Find the first and last day that is forecast in each part, over all tickers.

    Args:
        series: The tickers.
        horizon: Sessions ahead.
    """

    def days(part: str) -> list[str]:
        chosen = [(each.bars.dates, getattr(each.split, part)) for each in series]
        ends = [(dates, row) for dates, rows in chosen for row in (*rows[:1], *rows[-1:])]
        return sorted(str(dates[row + horizon]) for dates, row in ends)

    train, validation, test = days("train"), days("validation"), days("test")
    return SplitRecord(
        train_start=train[0],
        train_end=train[-1],
        validation_start=validation[0],
        test_start=test[0],
        test_end=test[-1],
    )
