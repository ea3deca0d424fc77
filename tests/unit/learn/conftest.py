"""Training data from real prices."""

import pytest

from stocklstm.core.prices.series import Bars
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.loop import TrainingData
from tests.support.bundled_prices import bundled
from tests.support.training_data import training_data


@pytest.fixture(scope="session")
def sample_bars() -> Bars:
    return bundled().bars


@pytest.fixture
def data(sample_bars: Bars, tiny: TrainingConfig) -> TrainingData:
    """Give the last 800 sessions, so that an epoch takes a fraction of a second."""
    return training_data(sample_bars.select(slice(-800, None)), tiny)
