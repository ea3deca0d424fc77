"""How two forecasts compare over time: does one win on the whole, or in one lucky month?"""

import math

import numpy as np

from stocklstm.core.prices.series import Floats
from stocklstm.core.scores.significance import diebold_mariano, student_t_quantile

ROLLING_DAYS = 60


def cumulative_gain(losses: Floats, reference: Floats) -> Floats:
    """Add up by how much a forecast's losses stayed below another's.

    The curve of Goyal & Welch (2008), "A comprehensive look at the empirical performance of
    equity premium prediction", Review of Financial Studies 21(4): where it rises, the forecast
    was better than the reference; where it falls, worse.

    Args:
        losses: (n,) losses of the forecast, n >= 1, none negative.
        reference: (n,) losses of the reference on the same days.

    Returns:
        (n,) shares of all losses of the reference. The last of squared errors is
        1 - (RMSE ratio)². All NaN if the reference was never wrong.
    """
    total = float(reference.sum())
    if not total > 0:
        return np.full(len(losses), np.nan)
    gains: Floats = np.cumsum(reference - losses) / total
    return gains


def chance_band(losses: Floats, reference: Floats, horizon: int = 1) -> Floats:
    """Bound how far two equally good forecasts drift apart by chance.

    The variance of the differences so far, scaled so that at the end it is that of the test of
    Diebold & Mariano: there the curve is outside the band if the test's p is below 0.05.

    Args:
        losses: (n,) losses of the forecast, n >= 2, none negative.
        reference: (n,) losses of the reference on the same days.
        horizon: Sessions ahead.

    Returns:
        (n,) half widths around 0 of a 95 % band, in the unit of `cumulative_gain`; NaN where the
        test says nothing.
    """
    differences = losses - reference
    stat, total = diebold_mariano(losses, reference, horizon).stat, float(reference.sum())
    if stat == 0 or not math.isfinite(stat) or not total > 0:
        return np.full(len(losses), np.nan)
    squares = np.cumsum((differences - differences.mean()) ** 2)
    critical = student_t_quantile(0.975, len(losses) / horizon - 1)
    at_end = critical * abs(float(differences.sum()) / stat)
    half_widths: Floats = at_end / total * np.sqrt(squares / squares[-1])
    return half_widths


def rolling_ratio(losses: Floats, reference: Floats, days: int = ROLLING_DAYS) -> Floats:
    """Divide the mean losses of the latest days by those of a reference.

    Args:
        losses: (n,) losses of the forecast, none negative.
        reference: (n,) losses of the reference on the same days.
        days: Length w of the stretch.

    Returns:
        (n - w + 1,) ratios, the first on day w; none if there are fewer days. NaN where the
        reference was never wrong.
    """
    if len(losses) < days:
        return np.empty(0)
    sums, references = (
        np.lib.stride_tricks.sliding_window_view(values, days).sum(axis=1)
        for values in (losses, reference)
    )
    ratios = np.full(len(sums), np.nan)
    np.divide(sums, references, out=ratios, where=references > 0)
    return ratios
