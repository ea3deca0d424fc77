"""Stores for tests that run whole commands."""

import shutil
from pathlib import Path

import pytest

from tests.support.many_tickers import TICKERS, give_names


@pytest.fixture(scope="session")
def _many(_priced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("many") / "home"
    shutil.copytree(_priced, home)
    give_names(home, TICKERS)
    return home


@pytest.fixture
def many_home(_many: Path, home: Path) -> Path:
    """Give this test's store the prices of several tickers, no two of them alike."""
    shutil.copytree(_many, home)
    return home
