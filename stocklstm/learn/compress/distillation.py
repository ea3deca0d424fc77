"""A smaller network that learns from what came and from what a larger one says."""

import torch
from torch import Tensor, nn

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.loop import OnEpoch, TrainedNetwork, TrainingData, TrainingRun, isolated_torch
from stocklstm.learn.model import StockLSTM


def distill(
    config: TrainingConfig,
    data: TrainingData,
    teacher: StockLSTM,
    alpha: float,
    on_epoch: OnEpoch,
) -> TrainedNetwork:
    """Train a student (Hinton et al. 2015, arXiv 1503.02531, for a regression).

    Args:
        config: The student's settings; inputs and outputs are those of the teacher.
        data: Features and labels.
        teacher: Trained, in evaluation mode.
        alpha: Weight of the mean squared difference from the teacher's outputs; the rest is that
            of the loss on what came. Epochs are compared by the loss on what came alone.
        on_epoch: Called after each epoch.

    Raises:
        TrainingDivergedError: As for `train_network`.
    """
    with isolated_torch(config):
        run = _DistillingRun(config, data, teacher, alpha, on_epoch)
        run.begin(None)
        return run.train()


class _DistillingRun(TrainingRun):
    def __init__(
        self,
        config: TrainingConfig,
        data: TrainingData,
        teacher: StockLSTM,
        alpha: float,
        on_epoch: OnEpoch,
    ) -> None:
        super().__init__(config, data, on_epoch)
        self.alpha = alpha
        self.taught = self._taught(teacher)

    def _taught(self, teacher: StockLSTM) -> Tensor:
        """Ask the teacher about each training window, once."""
        answers = torch.zeros(len(self.targets), self.config.outputs, device=self.device)
        teacher = teacher.to(self.device)
        with torch.no_grad():
            for rows in torch.split(self.train_rows, 1_024):
                answers[rows] = teacher(self._windows_at(rows))
        teacher.cpu()
        return answers

    def _lesson(self, rows: Tensor) -> Tensor:
        outputs = self._answers(self._windows_at(rows))
        taught = nn.functional.mse_loss(outputs, self.taught[rows])
        return (1 - self.alpha) * self.loss(outputs, self.targets[rows]) + self.alpha * taught
