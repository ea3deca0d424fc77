"""What a network learns from, made of prices."""

from stocklstm.core.inputs.scaling import fit_scaling, warm_up_rows
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.splits import split_origins
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.loop import TrainingData


def training_data(bars: Bars, config: TrainingConfig) -> TrainingData:
    """Prepare what a network learns from as a training does."""
    split = split_origins(len(bars), warm_up_rows(config), config)
    scaling = fit_scaling(bars, split, config)
    return TrainingData(scaling.inputs(bars), scaling.targets(bars), split.train, split.validation)
