"""Fitting GARCH(1,1)-t with the package arch (extra `garch`), where it is installed."""

import warnings
from importlib.util import find_spec

import numpy as np

from stocklstm.core.prices.series import Bars
from stocklstm.core.scores.garch import Garch
from stocklstm.core.settings.config import LEVELS

_LEAST_RETURNS = 250


def fit_garch(bars: Bars, rows: int) -> Garch | None:
    """Estimate the model on the leading rows, by maximum likelihood.

    Returns:
        None if arch is not installed, or nothing can be estimated: less than a year of returns,
        prices that hardly ever move, or a search that did not converge.
    """
    # arch works best on returns in per cent.
    percent = 100 * bars.log_returns[1:rows]
    if find_spec("arch") is None or len(percent) < _LEAST_RETURNS or np.ptp(percent) == 0:
        return None
    from arch import arch_model

    model = arch_model(percent, mean="Constant", vol="GARCH", p=1, q=1, dist="t", rescale=False)
    with warnings.catch_warnings():
        # The result says as much.
        warnings.simplefilter("ignore")
        found = model.fit(disp="off", show_warning=False)
    mean, omega, alpha, beta, freedom = (float(value) for value in found.params)
    quantiles = np.asarray(model.distribution.ppf(np.array(LEVELS), np.array([freedom])))
    numbers = [mean, omega, alpha, beta, *quantiles.tolist()]
    if found.convergence_flag != 0 or not np.isfinite(numbers).all():
        return None
    return Garch(
        mean=mean / 100,
        omega=omega / 100**2,
        alpha=alpha,
        beta=beta,
        start=float(found.conditional_volatility[0]) ** 2 / 100**2,
        quantiles=tuple(quantiles.tolist()),
    )
