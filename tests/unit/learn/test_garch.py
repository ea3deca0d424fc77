import sys

import numpy as np
import pytest
from scipy import stats

from stocklstm.core.settings.config import LEVELS
from stocklstm.learn.garch import fit_garch
from tests.support.made_prices import bars_of, made_bars


def test_it_is_the_model_that_arch_fits(sample_bars):
    from arch import arch_model

    rows = 2800
    garch = fit_garch(sample_bars, rows)
    assert garch is not None

    percent = 100 * sample_bars.log_returns[1:rows]
    fitted = arch_model(percent, vol="GARCH", dist="t", rescale=False).fit(disp="off")
    # The variance after each training close is the one that arch expects for the next return.
    expected = fitted.conditional_volatility / 100
    assert np.sqrt(garch.variances(sample_bars)[: rows - 1]) == pytest.approx(expected, rel=1e-9)
    freedom = fitted.params["nu"]
    unit = stats.t.ppf(LEVELS, freedom) * np.sqrt((freedom - 2) / freedom)
    assert garch.quantiles == pytest.approx(unit, rel=1e-9)
    assert garch.mean == pytest.approx(fitted.params["mu"] / 100)


def test_a_made_process_is_found_again():
    rng = np.random.default_rng(5)
    variance, returns = 2e-4, []
    for _ in range(8000):
        innovation = rng.standard_t(6) * np.sqrt(4 / 6)
        returns.append(np.sqrt(variance) * innovation)
        variance = 1e-5 + 0.08 * returns[-1] ** 2 + 0.87 * variance
    garch = fit_garch(bars_of(50 * np.exp(np.cumsum(returns))), 8000)
    assert garch is not None
    assert garch.alpha == pytest.approx(0.08, abs=0.02)
    assert garch.beta == pytest.approx(0.87, abs=0.03)
    assert garch.omega / (1 - garch.alpha - garch.beta) == pytest.approx(2e-4, rel=0.25)


def test_later_rows_change_nothing(sample_bars):
    assert fit_garch(sample_bars, 2000) == fit_garch(sample_bars.select(slice(0, 2000)), 2000)


def test_nothing_to_estimate_is_no_error():
    assert fit_garch(bars_of(np.full(400, 7.0)), 400) is None
    assert fit_garch(made_bars(250), 250) is None


def test_without_the_package_there_is_none(sample_bars, monkeypatch):
    monkeypatch.setitem(sys.modules, "arch", None)
    assert fit_garch(sample_bars, 2800) is None
