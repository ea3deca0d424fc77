"""GARCH(1,1) with Student t innovations: the textbook's forecast of a return's distribution."""

from dataclasses import dataclass

import numpy as np

from stocklstm.core.prices.series import Bars, Floats, Indices


@dataclass(frozen=True)
class Garch:
    """A fitted GARCH(1,1) (Bollerslev 1986) with t innovations (Bollerslev 1987).

    Attributes:
        mean: Mean log return of a session.
        omega: Constant of the variance.
        alpha: Weight of the last squared surprise in the next variance.
        beta: Weight of the last variance.
        start: Variance expected for the first return.
        quantiles: Over `LEVELS`, of an innovation with variance one.
        name: What tables call it.
    """

    mean: float
    omega: float
    alpha: float
    beta: float
    start: float
    quantiles: tuple[float, ...]
    name: str = "GARCH(1,1)-t"

    def variances(self, bars: Bars) -> Floats:
        """Compute at each close the variance expected of the next log return, (N,)."""
        expected = np.empty(len(bars))
        expected[0] = variance = self.start
        for row, surprise in enumerate((bars.log_returns[1:] - self.mean).tolist(), start=1):
            variance = self.omega + self.alpha * surprise**2 + self.beta * variance
            expected[row] = variance
        return expected

    def returns(self, bars: Bars, origins: Indices, horizon: int = 1) -> Floats:
        """Forecast quantiles of the log return to come.

        Over several sessions the variances expected for each add up; the shape of the sum is taken
        to be that of one innovation.

        Args:
            origins: (M,) rows at whose close the forecasts are made.
            horizon: Sessions ahead.

        Returns:
            (M, Q) over `LEVELS`.
        """
        step = self.variances(bars)[origins]
        total = step
        for _ in range(horizon - 1):
            step = self.omega + (self.alpha + self.beta) * step
            total = total + step
        spread = np.sqrt(total)[:, None] * np.asarray(self.quantiles, np.float64)
        return horizon * self.mean + spread
