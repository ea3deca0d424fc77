"""A machine in March 2024."""

from pathlib import Path

import pytest

from tests.support.nights import Nights, living


@pytest.fixture
def nights(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    return living(model_home, monkeypatch)
