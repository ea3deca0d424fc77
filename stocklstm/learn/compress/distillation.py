"""Distillation: a smaller network learns from the labels and from a larger network."""

import torch
from torch import Tensor, nn

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.loop import OnEpoch, TrainedNetwork, TrainingData, TrainingRun, isolated_torch
from stocklstm.learn.network import StockLSTM
from stocklstm.learn.shards import Batch


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
        teacher: In evaluation mode.
        alpha: Weight of the mean squared difference from the teacher's outputs; the rest is the
            weight of the loss on the labels. Epochs are compared by the latter alone.
    """
    with isolated_torch(config) as threads:
        run = _DistillingRun(config, data, teacher, alpha, on_epoch, threads=threads)
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
        *,
        threads: int,
    ) -> None:
        super().__init__(config, data, on_epoch, threads=threads)
        self.alpha = alpha
        self.taught = self._teacher_outputs(teacher)

    def _teacher_outputs(self, teacher: StockLSTM) -> Tensor:
        """Run the teacher on each training window, once; rows of others are zero."""
        outputs = torch.zeros(len(self.targets), self.config.outputs, device=self.device)
        teacher = teacher.to(self.device)
        with torch.no_grad():
            for rows in torch.split(self.train_rows, 1_024):
                outputs[rows] = teacher(self._windows_at(rows))
        teacher.cpu()
        return outputs

    def _shard_loss(self, network: StockLSTM, shard: Batch) -> Tensor:
        rows, *bits = shard
        outputs = self._training_outputs(network, self._windows_at(rows), bits)
        taught = nn.functional.mse_loss(outputs, self.taught[rows])
        return (1 - self.alpha) * self.loss(outputs, self.targets[rows]) + self.alpha * taught
