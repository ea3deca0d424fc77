"""Trials of a search: trainings of which only the validation losses are kept."""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from stocklstm.core.inputs.windows import sliding_windows
from stocklstm.core.prices.series import Floats
from stocklstm.core.settings.config import AxisValues, TrainingConfig
from stocklstm.core.training.epochs import EpochRecord
from stocklstm.core.training.search import COMPLETE, DIVERGED, PRUNED, Trial, applied
from stocklstm.errors import TrainingDivergedError
from stocklstm.learn.loop import TrainedNetwork, TrainingData, train_network
from stocklstm.learn.losses import loss_function
from stocklstm.learn.network import network_outputs
from stocklstm.learn.search import Pruner
from stocklstm.learn.stopping import ShouldStop, never
from stocklstm.learn.workers import LocalWorkers, all_results


class _PrunedError(Exception):
    """The pruner ended the trial."""


@dataclass(frozen=True, eq=False)
class Trials:
    """Runs the trials of one search.

    Attributes:
        config: All settings; those that are searched are replaced.
        data: Features and labels, of which nothing lies in the test part.
        workers: Processes that train; this one if there is but one.
        should_stop: Asked after every step where trials train in this process, else after every
            trial.
    """

    config: TrainingConfig
    data: TrainingData
    workers: LocalWorkers = field(default_factory=lambda: LocalWorkers(1))
    should_stop: ShouldStop = never

    def run(
        self, wanted: Sequence[tuple[int, AxisValues]], pruner: Pruner | None = None
    ) -> Generator[Trial]:
        """Run trials, given by number and settings, and yield each as it ends.

        Raises:
            StoppedError: `should_stop` said so.
            ConfigError: Settings do not fit each other, or the device is not there.
            TryAgainError: A process that trained was ended from outside.
        """
        # The arrays travel with each task: a few thousand rows, against seconds of training.
        calls = [(number, settings, self.config, self.data, pruner) for number, settings in wanted]
        return all_results(
            self.workers,
            run_trial,
            calls,
            self.should_stop,
            hint="stocklstm tune --resume auto --jobs 1 goes on with less memory",
        )


def run_trial(
    number: int,
    settings: AxisValues,
    config: TrainingConfig,
    data: TrainingData,
    pruner: Pruner | None,
    should_stop: ShouldStop = never,
) -> Trial:
    """Train once with some settings changed, and keep the losses.

    Raises:
        StoppedError: `should_stop` said so.
    """
    chosen = applied(config, settings)
    curve: list[float] = []

    def on_epoch(record: EpochRecord) -> None:
        if record.epoch > 0:
            curve.append(record.val_loss)
            if pruner is not None and pruner.should_prune(curve):
                raise _PrunedError

    status, loss, kept, losses = COMPLETE, float("inf"), 0, np.empty(0)
    started = time.perf_counter()
    try:
        trained = train_network(chosen, data, on_epoch, should_stop=should_stop)
    except TrainingDivergedError:
        status = DIVERGED
    except _PrunedError:
        status, loss, kept = PRUNED, min(curve), int(np.argmin(curve)) + 1
    else:
        kept = int(trained.state["epoch"])
        loss = next(record.val_loss for record in trained.history if record.epoch == kept)
        losses = _validation_losses(trained, chosen, data)
    return Trial(
        number=number,
        settings=settings,
        status=status,
        loss=loss,
        curve=tuple(curve),
        kept_epoch=kept,
        losses=losses,
        seconds=time.perf_counter() - started,
    )


def _validation_losses(
    trained: TrainedNetwork, config: TrainingConfig, data: TrainingData
) -> Floats:
    windows = sliding_windows(data.inputs, config.seq_length)
    outputs = torch.from_numpy(
        network_outputs(trained.network, windows[data.validation - (config.seq_length - 1)])
    )
    targets = torch.from_numpy(data.targets[data.validation])
    loss = loss_function(config.loss)
    days = range(len(targets))
    return np.array([loss(outputs[day : day + 1], targets[day : day + 1]).item() for day in days])
