"""The training loop."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn, optim
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from stocklstm.core.config import TrainingConfig
from stocklstm.core.history import EpochRecord
from stocklstm.core.levels import LEVELS
from stocklstm.core.series import Indices
from stocklstm.errors import TrainingDivergedError
from stocklstm.learn.checkpoints import snapshot
from stocklstm.learn.losses import loss_function
from stocklstm.learn.model import StockLSTM

OnEpoch = Callable[[EpochRecord], None]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What the loop may see; nothing of the test part.

    Attributes:
        inputs: (N, F) float32 features of every row.
        targets: (N,) float32 labels of every row.
        train: Rows at which training windows end.
        validation: Rows at which validation windows end.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.float32]
    train: Indices
    validation: Indices


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """Outcome of a run.

    Attributes:
        network: With the weights that were kept, in evaluation mode.
        state: Checkpoint state of the same epoch.
        history: One record an epoch.
    """

    network: StockLSTM
    state: dict[str, Any]
    history: tuple[EpochRecord, ...]


def train_network(config: TrainingConfig, data: TrainingData, on_epoch: OnEpoch) -> TrainedNetwork:
    """Train by the settings and keep the best or the last epoch.

    Same settings, data and threads give the same weights on the same machine.

    Args:
        config: All settings.
        data: Features and labels.
        on_epoch: Called after each epoch.

    Raises:
        TrainingDivergedError: A loss is infinite or not a number.
    """
    with _isolated_torch(config):
        return _Run(config, data).train(on_epoch)


@contextmanager
def _isolated_torch(config: TrainingConfig) -> Iterator[None]:
    """Seed PyTorch and set its threads for the run alone: a notebook's own state stays its own."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


class _Run:
    def __init__(self, config: TrainingConfig, data: TrainingData) -> None:
        self.config = config
        # Views of one array: a batch copies its own windows and nothing else.
        inputs = torch.from_numpy(data.inputs)
        self.windows = inputs.unfold(0, config.seq_length, 1).transpose(1, 2)
        self.targets = torch.from_numpy(data.targets)
        self.train_rows = torch.from_numpy(data.train)
        self.validation_rows = torch.from_numpy(data.validation)
        self.network = StockLSTM.from_config(config)
        if config.target == "return":
            labels = data.targets[data.train].astype(np.float64)
            self.network.start_from(torch.from_numpy(np.quantile(labels, LEVELS)))
        self.averaged = self._average(config.ema_decay)
        self.loss = loss_function(config.loss)
        self.optimizer = optim.Adam(self.network.parameters(), lr=config.learning_rate)
        self.scheduler = optim.lr_scheduler.ConstantLR(self.optimizer, factor=1.0)
        self.shuffler = torch.Generator().manual_seed(config.seed)
        self.history: list[EpochRecord] = []
        self.best: dict[str, Any] = {}

    def _average(self, decay: float | None) -> AveragedModel | None:
        if decay is None:
            return None
        return AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]

    @property
    def _served(self) -> nn.Module:
        return self.network if self.averaged is None else self.averaged.module

    def train(self, on_epoch: OnEpoch) -> TrainedNetwork:
        if self.config.target == "return":
            # Before the first step the head is filtered historical simulation: a candidate.
            self._record(0, None, time.perf_counter(), on_epoch)
        for epoch in range(1, self.config.epochs + 1):
            started = time.perf_counter()
            self._record(epoch, self._pass(), started, on_epoch)
            self.scheduler.step()
            patience = self.config.patience
            if patience and epoch - self.history[-1].best_epoch >= patience:
                break
        kept = self.best if self.config.patience else self._snapshot(self.history[-1].epoch)
        self.network.load_state_dict(kept["weights"])
        return TrainedNetwork(self.network.eval(), kept, tuple(self.history))

    def _pass(self) -> float:
        self.network.train()
        order = torch.randperm(len(self.train_rows), generator=self.shuffler)
        total = 0.0
        for chosen in torch.split(order, self.config.batch_size):
            loss = self._step(self.train_rows[chosen])
            total += loss * len(chosen)
        return total / len(order)

    def _step(self, rows: Tensor) -> float:
        self.optimizer.zero_grad()
        loss = self._loss(self.network, rows)
        value = loss.item()
        if not math.isfinite(value):
            raise _diverged(value)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.config.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        self.optimizer.step()
        if self.averaged is not None:
            self.averaged.update_parameters(self.network)
        return value

    def _loss(self, network: nn.Module, rows: Tensor) -> Tensor:
        # Row r is the last of window r - T + 1.
        windows = self.windows[rows - (self.config.seq_length - 1)]
        return self.loss(network(windows), self.targets[rows])

    def _record(
        self, epoch: int, train_loss: float | None, started: float, on_epoch: OnEpoch
    ) -> None:
        with torch.inference_mode():
            value = self._loss(self._served.eval(), self.validation_rows).item()
        if not math.isfinite(value):
            raise _diverged(value)
        if not self.history or value < min(record.val_loss for record in self.history):
            best = epoch
            self.best = self._snapshot(epoch)
        else:
            best = self.history[-1].best_epoch
        record = EpochRecord(
            epoch=epoch,
            train_loss=train_loss,
            val_loss=value,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            seconds=time.perf_counter() - started,
            best_epoch=best,
        )
        self.history.append(record)
        on_epoch(record)

    def _snapshot(self, epoch: int) -> dict[str, Any]:
        return snapshot(
            self.network, self.averaged, self.optimizer, self.scheduler, self.shuffler, epoch
        )


def _diverged(loss: float) -> TrainingDivergedError:
    return TrainingDivergedError(
        f"training diverged: the loss became {loss}",
        hint="train with a smaller --learning-rate, such as 0.001; nothing was published",
    )
