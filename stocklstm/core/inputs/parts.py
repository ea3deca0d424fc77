"""Which rows of each ticker teach, choose and judge: of one ticker, or of the tickers of a pool."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stocklstm.core.inputs.scaling import PooledScaling, warm_up_rows
from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.prices.pool_splits import PoolDays, pool_days, pool_split, require_parts
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.splits import Split, split_origins
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import NotEnoughDataError


@dataclass(frozen=True, eq=False)
class SplitSeries:
    """The prices of one ticker, N sessions, and their parts."""

    bars: Bars
    split: Split


@dataclass(frozen=True, eq=False)
class PoolSeries(SplitSeries):
    """One ticker of a pool; its parts lie on the days of the pool.

    Attributes:
        ticker: Its name.
        anchor: Measured on its rows before the validation part.
    """

    ticker: str
    anchor: VolatilityAnchor


def split_ticker(bars: Bars, config: TrainingConfig) -> SplitSeries:
    """Part the prices of one ticker, from the first day on that it may learn from.

    Raises:
        SeriesTooShortError: There are too few rows for these settings.
    """
    known = bars.since(config.start)
    return SplitSeries(known, split_origins(len(known), warm_up_rows(config), config))


def split_pool(
    bars: Mapping[str, Bars], config: TrainingConfig, days: PoolDays | None = None
) -> tuple[PoolDays, tuple[PoolSeries, ...]]:
    """Part the prices of all tickers on the same days, from the first day on they may learn from.

    Args:
        bars: By ticker; the order does not matter.
        config: All settings.
        days: Those days; by default those that the settings choose.

    Raises:
        SeriesTooShortError: All tickers together are too short for these settings.
        NotEnoughDataError: Only one is old enough to learn from.
    """
    known = {ticker: bars[ticker].since(config.start) for ticker in sorted(bars)}
    if days is None:
        days = pool_days([each.dates for each in known.values()], warm_up_rows(config), config)
    series = tuple(part_series(ticker, each, days, config) for ticker, each in known.items())
    require_parts([each.split for each in series], config)
    taught = [each.ticker for each in series if len(each.split.train)]
    if len(taught) < 2:
        raise NotEnoughDataError(
            f"of these tickers only {taught[0]} is old enough to learn from",
            hint=f"stocklstm train --ticker {taught[0]}, or name further tickers",
        )
    return days, series


def part_series(ticker: str, bars: Bars, days: PoolDays, config: TrainingConfig) -> PoolSeries:
    """Part one ticker of at least 120 sessions, and measure how volatile it is."""
    split = pool_split(bars.dates, days, warm_up_rows(config), config)
    anchor = VolatilityAnchor.fit(bars, split.train_rows, config.range_decay)
    return PoolSeries(bars, split, ticker, anchor)


def fit_shared(series: Sequence[PoolSeries], config: TrainingConfig) -> PooledScaling:
    """Fit what all tickers share on the training parts of those that have one."""
    parts = [
        (each.bars, each.split.train_rows, each.anchor) for each in series if len(each.split.train)
    ]
    return PooledScaling.fit(parts, config)


def forecast_days(series: Sequence[SplitSeries], part: str, horizon: int) -> list[str]:
    """List the first and the last ISO day that is forecast in a part of each ticker, in order."""
    return sorted(
        forecast_day(each.bars, int(row), horizon)
        for each in series
        for rows in [getattr(each.split, part)]
        for row in (*rows[:1], *rows[-1:])
    )


def forecast_day(bars: Bars, origin: int, horizon: int) -> str:
    """Name the ISO day that is forecast at the close of a row, so many sessions ahead."""
    return str(bars.dates[origin + horizon])
