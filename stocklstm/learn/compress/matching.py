"""A network that was cut learns to say again what it said when it was whole.

Not what came is taught but what the whole network says, and not of the training windows alone but
of variations of them, of which there are as many as there are steps (function matching: Beyer et
al. 2022, arXiv 2106.05237). So the smaller network neither forgets nor learns anything about the
market, and agrees with its parent where the prices of the training part have not been: the network
of a price model has to answer for prices that rose far beyond those.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.compress.reshaping import Pruning, Reshape, ReshapedRun, starting_with
from stocklstm.learn.loop import OnEpoch, TrainedNetwork, TrainingData, isolated_torch
from stocklstm.learn.model import Architecture, StockLSTM

_KEPT = 0.3
"""Share of windows that are taught as they are."""

_STRETCH = 0.4
"""Standard deviation of the logarithm of the factor by which a window is stretched."""


def match(
    config: TrainingConfig,
    data: TrainingData,
    teacher: StockLSTM,
    student: StockLSTM,
    on_epoch: OnEpoch,
    reshape: Reshape | Pruning | None = None,
) -> TrainedNetwork:
    """Train a network until it says what another one says.

    Args:
        config: Settings of this training, without dropout. Losses of its epochs on validation
            windows are those on what came, as in any training.
        data: Features and labels.
        teacher: Trained, in evaluation mode.
        student: Has the first weights.
        on_epoch: Called after each epoch.
        reshape: What is done to the student's weights in each forward pass; nothing if None.

    Returns:
        The student with its full weights. Of the two biases that are added up in each gate, the
        second is zero, which compresses to nothing.

    Raises:
        TrainingDivergedError: The difference became infinite or not a number.
    """
    with isolated_torch(config):
        run = _MatchingRun(config, data, on_epoch, teacher, reshape)
        run.begin(starting_with(without_dropout(student), config))
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
    """Copy a network that is to say the same in training as afterwards.

    Args:
        network: With any dropout.
    """
    architecture: Architecture = {**network.architecture, "dropout": 0.0}
    copy = StockLSTM(**architecture)
    copy.load_state_dict(network.state_dict())
    return copy


def varied(windows: Tensor, spread: Tensor) -> Tensor:
    """Stretch windows about their mean and shift them; leave some as they are.

    Args:
        windows: (N, T, F).
        spread: (F,) standard deviation of each feature: that of the shifts.

    Returns:
        (N, T, F), by PyTorch's random numbers.
    """
    centre = windows.mean(1, keepdim=True)
    stretch = torch.exp(_STRETCH * torch.randn_like(centre))
    shift = spread * torch.randn_like(centre)
    kept = torch.rand_like(centre[:, :, :1]) < _KEPT
    return torch.where(kept, windows, centre + stretch * (windows - centre) + shift)


class _MatchingRun(ReshapedRun):
    def __init__(
        self,
        config: TrainingConfig,
        data: TrainingData,
        on_epoch: OnEpoch,
        teacher: StockLSTM,
        reshape: Reshape | Pruning | None,
    ) -> None:
        super().__init__(config, data, on_epoch, reshape)
        self.teacher = without_dropout(teacher).to(self.device).eval()
        self.spread = torch.from_numpy(data.inputs[data.train].std(axis=0)).to(self.device)

    def _lesson(self, rows: Tensor) -> Tensor:
        windows = varied(self._windows_at(rows), self.spread)
        with torch.no_grad():
            taught = self.teacher(windows)
        return nn.functional.mse_loss(self._answers(windows), taught)

    def _require_sane(self, epoch: int) -> None:
        """Let it be: how far a network is from its teacher is no loss of a forecast."""
