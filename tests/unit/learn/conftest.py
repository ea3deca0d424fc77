"""Training data from real prices."""

import pytest

from stocklstm.core.inputs.scaling import fit_scaling, warm_up_rows
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.splits import split_origins
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.loop import TrainingData
from stocklstm.market.sample import SampleSource
from stocklstm.market.source import FetchRequest


@pytest.fixture(scope="session")
def sample_bars() -> Bars:
    return SampleSource().fetch(FetchRequest("PETR4.SA")).bars


@pytest.fixture
def data(sample_bars: Bars, tiny: TrainingConfig) -> TrainingData:
    """Give the last 800 sessions, so that an epoch takes a fraction of a second."""
    return training_data(sample_bars.select(slice(-800, None)), tiny)


def training_data(bars: Bars, config: TrainingConfig) -> TrainingData:
    split = split_origins(len(bars), warm_up_rows(config), config)
    scaling = fit_scaling(bars, split, config)
    return TrainingData(scaling.inputs(bars), scaling.targets(bars), split.train, split.validation)
