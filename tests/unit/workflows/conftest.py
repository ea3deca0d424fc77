"""Stores that the tests of several rooms use, made once."""

import shutil
from pathlib import Path

import pytest

from stocklstm import train
from stocklstm.core.settings.config import configure
from tests.conftest import TICKER, TINY
from tests.support.evenings import DAYS, cut_off, live_through
from tests.support.pooled_store import priced, trained_home


@pytest.fixture(scope="session")
def _pooled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_home(tmp_path_factory.mktemp("pooled") / "home")


@pytest.fixture
def pool_home(_pooled_home: Path, home: Path) -> Path:
    """Give this test's store the prices of four tickers and a champion of three, +b3@v1."""
    shutil.copytree(_pooled_home, home)
    return home


@pytest.fixture
def prices_home(home: Path) -> Path:
    """Give this test's store those prices and no model."""
    priced(home)
    return home


@pytest.fixture(scope="session")
def _journal(_priced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("journal") / "home"
    shutil.copytree(_priced, home)
    bars = cut_off(home, DAYS)
    assert not train([TICKER], configure("calibrated", **TINY), home=home).failures
    live_through(home, bars, range(len(bars) - DAYS - 1, len(bars)))
    return home


@pytest.fixture
def journal(_journal: Path, home: Path) -> Path:
    """Give this test's store seventy forecasts that have closed, and one that has not."""
    shutil.copytree(_journal, home)
    return home
