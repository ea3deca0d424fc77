"""Function matching: a network that was made smaller learns the outputs that it had before.

The labels are the outputs of the original network, on the training windows and on as many random
variations of them as there are steps (Beyer et al. 2022, arXiv 2106.05237). So the smaller network
learns nothing new about the market, and agrees with its parent at prices beyond those of the
training part, too, which is where a price model is used.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.compress.weight_transforms import (
    Pruning,
    TransformedRun,
    WeightTransform,
    start_state,
)
from stocklstm.learn.loop import OnEpoch, TrainedNetwork, TrainingData, isolated_torch
from stocklstm.learn.network import Architecture, StockLSTM
from stocklstm.learn.shards import Batch

_UNCHANGED = 0.3
"""Share of windows that are not varied."""

_STRETCH = 0.4
"""Standard deviation of the logarithm of the factor by which a window is stretched."""


def match(
    config: TrainingConfig,
    data: TrainingData,
    teacher: StockLSTM,
    student: StockLSTM,
    on_epoch: OnEpoch,
    transform: WeightTransform | Pruning | None = None,
) -> TrainedNetwork:
    """Train a student to have the outputs of a teacher.

    Args:
        config: Settings of this training, without dropout. Validation losses are those on the
            labels, as in any training.
        teacher: In evaluation mode.
        student: Has the first weights.
        transform: Applied to the student's weights in each forward pass.

    Returns:
        The student with its untransformed weights. Of the two biases that are added up in each
        gate, the second is zero, which compresses to nothing.
    """
    with isolated_torch(config) as threads:
        run = _MatchingRun(config, data, on_epoch, teacher, transform, threads=threads)
        run.begin(start_state(without_dropout(student), config))
        return _with_one_bias(run.train())


def _with_one_bias(trained: TrainedNetwork) -> TrainedNetwork:
    weights = dict(trained.network.state_dict())
    for name in [name for name in weights if "bias_hh" in name]:
        first = name.replace("bias_hh", "bias_ih")
        weights[first] = weights[first] + weights[name]
        weights[name] = torch.zeros_like(weights[name])
    trained.network.load_state_dict(weights)
    return replace(trained, state=trained.state | {"weights": weights})


def without_dropout(network: StockLSTM) -> StockLSTM:
    """Copy a network, so that its outputs in training are those in evaluation."""
    architecture: Architecture = {**network.architecture, "dropout": 0.0}
    copy = StockLSTM(**architecture)
    copy.load_state_dict(network.state_dict())
    return copy


def augmented(windows: Tensor, spread: Tensor) -> Tensor:
    """Stretch windows about their mean and shift them, all but some.

    Args:
        windows: (N, T, F).
        spread: (F,) standard deviation of each feature: that of the shifts.

    Returns:
        (N, T, F), by PyTorch's random numbers.
    """
    centre = windows.mean(1, keepdim=True)
    stretch = torch.exp(_STRETCH * torch.randn_like(centre))
    shift = spread * torch.randn_like(centre)
    kept = torch.rand_like(centre[:, :, :1]) < _UNCHANGED
    return torch.where(kept, windows, centre + stretch * (windows - centre) + shift)


class _MatchingRun(TransformedRun):
    def __init__(
        self,
        config: TrainingConfig,
        data: TrainingData,
        on_epoch: OnEpoch,
        teacher: StockLSTM,
        transform: WeightTransform | Pruning | None,
        *,
        threads: int,
    ) -> None:
        super().__init__(config, data, on_epoch, transform, threads=threads)
        self.teacher = without_dropout(teacher).to(self.device).eval()
        self.spread = torch.from_numpy(data.inputs[data.train].std(axis=0)).to(self.device)

    def _batch(self, rows: Tensor) -> Batch:
        windows = augmented(self._windows_at(rows), self.spread)
        with torch.no_grad():
            return [windows, self.teacher(windows)]

    def _shard_loss(self, network: StockLSTM, shard: Batch) -> Tensor:
        windows, taught = shard
        return nn.functional.mse_loss(self._training_outputs(network, windows, ()), taught)

    def _check_divergence(self, epoch: int) -> None:
        """Skip the check: the difference from a teacher is no loss of a forecast."""
