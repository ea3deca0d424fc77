from importlib.resources import files

import numpy as np
import pytest

from stocklstm.core.prices.series import Bars


@pytest.fixture(scope="session")
def petr4() -> Bars:
    """All bundled prices of PETR4.SA."""
    lines = files("stocklstm").joinpath("data", "PETR4.SA.csv").read_text("utf-8").splitlines()
    rows = [line.split(",") for line in lines[1:]]
    dates = np.array([row[0] for row in rows], "datetime64[D]")
    return Bars(dates, *np.array([row[1:] for row in rows], np.float64).T.copy())
