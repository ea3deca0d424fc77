"""Forecasts as they were given, beside their outcomes."""

import math

import numpy as np

from stocklstm.core.forecasts.quantiles import interval
from stocklstm.core.prices.series import (
    Dates,
    Flags,
    Floats,
    Indices,
)
from stocklstm.core.records import dataclass
from stocklstm.core.settings.config import INTERVAL_LEVELS

FEWEST = 20
"""Forecasts below which scores say nothing: of 19 a right 80 % interval may hold 12, or 18."""


@dataclass(frozen=True, eq=False)
class ClosedForecasts:
    """Forecasts on record whose session has closed, oldest first; n of them.

    Prices are in the currency and the scale of the prices as they are stored now: a split since
    has rescaled the forecasts with them.

    Attributes:
        dates: (n,) days that were forecast.
        versions: (n,) versions that made the forecasts.
        origins: (n,) rows of the stored bars at whose close they were made.
        last_closes: (n,) closes of those rows: the naive forecast.
        actuals: (n,) closes that came, dividends added back.
        points: (n,) forecast closes.
        quantiles: (n, Q) over `LEVELS`.
    """

    dates: Dates
    versions: Indices
    origins: Indices
    last_closes: Floats
    actuals: Floats
    points: Floats
    quantiles: Floats

    def __len__(self) -> int:
        """Count the forecasts."""
        return len(self.dates)

    def select(self, rows: Indices | Flags | slice) -> "ClosedForecasts":
        """Keep some forecasts, chosen by anything that indexes an array along its first axis."""
        return ClosedForecasts(
            self.dates[rows],
            self.versions[rows],
            self.origins[rows],
            self.last_closes[rows],
            self.actuals[rows],
            self.points[rows],
            self.quantiles[rows],
        )


@dataclass(frozen=True)
class LiveRecord:
    """What the latest closed forecasts were worth, in three figures.

    Attributes:
        n: Forecasts.
        coverage: Share of outcomes inside each interval, by its level.
        skill: 1 - root mean squared error over that of the last close; None if the price never
            changed.
    """

    n: int
    coverage: dict[str, float]
    skill: float | None


def live_record(closed: ClosedForecasts) -> LiveRecord | None:
    """Sum up closed forecasts; None if there are none."""
    if not len(closed):
        return None
    actuals = closed.actuals
    coverage: dict[str, float] = {}
    for level in INTERVAL_LEVELS:
        lower, upper = interval(closed.quantiles, level)
        held = np.count_nonzero((lower <= actuals) & (actuals <= upper))
        coverage[f"{level:g}"] = float(held / len(closed))
    rmse, rmse_naive = (
        math.sqrt(((actuals - forecast) ** 2).sum() / len(closed))
        for forecast in (closed.points, closed.last_closes)
    )
    skill = 1 - rmse / rmse_naive if rmse_naive > 0 else None
    return LiveRecord(len(closed), coverage, skill)
