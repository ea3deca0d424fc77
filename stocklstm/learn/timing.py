"""How long a training would take, measured on its first steps."""

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.checkpoints import State
from stocklstm.learn.devices import describe_device, finish_work, skipped_devices
from stocklstm.learn.loop import TrainingData, TrainingRun, isolated_torch

# The first repetitions choose kernels and fill caches; a large network is not repeated for long.
_WARM_UP = 2
_LEAST = _WARM_UP + 3
_MOST = _WARM_UP + 40
_BUDGET_S = 1.0


@dataclass(frozen=True)
class Pace:
    """Times of the first steps of a training.

    Attributes:
        parameters: Trainable numbers of the network.
        device: Where it would be trained, in words.
        skipped_devices: What there is and `device` auto does not take, each with the reason.
        steps_per_epoch: Optimizer steps in a pass over the training windows.
        step_s: Median time of a step, in seconds.
        validation_s: Median time of a pass over the validation windows.
    """

    parameters: int
    device: str
    skipped_devices: tuple[str, ...]
    steps_per_epoch: int
    step_s: float
    validation_s: float

    def seconds(self, epochs: int) -> float:
        """Estimate the wall time of so many epochs; the first weights are validated as well."""
        steps = epochs * self.steps_per_epoch
        return steps * self.step_s + (epochs + 1) * self.validation_s


def measure_pace(config: TrainingConfig, data: TrainingData, *, start: State | None = None) -> Pace:
    """Start a training as `train_network` would, time some steps, and discard it.

    Raises:
        TrainingDivergedError: A loss is infinite or not a number that early.
        ConfigError: The weights to start from are of another architecture, or the device is not
            there.
    """
    with isolated_torch(config) as threads:
        run = TrainingRun(config, data, lambda _: None, threads=threads)
        run.begin(start)
        validation_s = _typical_s(run.validation_loss, run.device)
        batches = run.begin_epoch()
        turns = itertools.cycle(batches)
        return Pace(
            parameters=run.network.parameter_count,
            device=describe_device(run.device),
            skipped_devices=skipped_devices(config),
            steps_per_epoch=len(batches),
            step_s=_typical_s(lambda: run.step(next(turns)), run.device),
            validation_s=validation_s,
        )


def _typical_s(task: Callable[[], object], device: torch.device) -> float:
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < _LEAST or (len(times) < _MOST and time.perf_counter() - began < _BUDGET_S):
        started = time.perf_counter()
        task()
        finish_work(device)
        times.append(time.perf_counter() - started)
    return statistics.median(times[_WARM_UP:])
