"""Stores that the tests of several rooms use, made once."""

import shutil
from pathlib import Path

import pytest

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
