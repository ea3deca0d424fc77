"""A machine in March 2024."""

from pathlib import Path

import pytest

from tests.support.many_tickers import give_names
from tests.support.nights import Nights, living


@pytest.fixture
def nights(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    return living(model_home, monkeypatch)


@pytest.fixture
def others(nights: Nights) -> Nights:
    """Store the same prices under two more names, which have no model."""
    give_names(nights.home, ("AAAA3.SA", "BBBB3.SA"))
    return nights
