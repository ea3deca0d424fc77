"""The optimizer, and the schedule of its learning rate."""

import inspect
import warnings
from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import nn, optim
from torch.optim import lr_scheduler

from stocklstm.core.settings.config import TrainingConfig

Kind = TypeVar("Kind", bound=optim.Optimizer)


def _uncompiled(kind: type[Kind]) -> type[Kind]:
    """Derive an optimizer whose methods do not import PyTorch's compiler, which is never used here.

    The decorators of these methods import it when they are called first: 1.3 s and 65 MiB for
    every process that trains. What they decorate is all that training needs.
    """
    decorated = ("add_param_group", "load_state_dict", "state_dict", "step", "zero_grad")
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in decorated}
    # All else that the decorator of `step` did.
    methods["step"] = torch.no_grad()(methods["step"])
    return type(kind.__name__, (kind,), methods)


_Adam, _AdamW = _uncompiled(optim.Adam), _uncompiled(optim.AdamW)
_SGD, _RMSprop = _uncompiled(optim.SGD), _uncompiled(optim.RMSprop)


def make_optimizer(config: TrainingConfig, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
    """Make the optimizer of the settings, which weight decay and momentum belong to."""
    rate, decay, momentum = config.learning_rate, config.weight_decay, config.momentum
    match config.optimizer:
        case "adamw":
            return _AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
        case "sgd":
            return _SGD(parameters, lr=rate, weight_decay=decay, momentum=momentum)
        case "rmsprop":
            return _RMSprop(parameters, lr=rate, weight_decay=decay, momentum=momentum)
        case _:
            return _Adam(parameters, lr=rate, weight_decay=decay, fused=True)


class Schedule:
    """The learning rate from epoch to epoch, by the setting `schedule`."""

    def __init__(self, config: TrainingConfig, optimizer: optim.Optimizer) -> None:
        """Set the learning rate of the first epoch."""
        self._optimizer = optimizer
        self._scheduler = _make_scheduler(config, optimizer)

    @property
    def learning_rate(self) -> float:
        """That of the epoch to come."""
        return float(self._optimizer.param_groups[0]["lr"])

    def step(self, val_loss: float) -> None:
        """Go on to the next epoch, given the validation loss of the one that has ended."""
        with warnings.catch_warnings():
            # A resumed run may end an epoch whose steps another process made; PyTorch misses them.
            warnings.simplefilter("ignore")
            if isinstance(self._scheduler, lr_scheduler.ReduceLROnPlateau):
                self._scheduler.step(val_loss)
            else:
                self._scheduler.step()

    def state_dict(self) -> dict[str, object]:
        """The place in the schedule."""
        return self._scheduler.state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Return to a place that `state_dict` gave."""
        self._scheduler.load_state_dict(state)


def _make_scheduler(
    config: TrainingConfig, optimizer: optim.Optimizer
) -> lr_scheduler.LRScheduler | lr_scheduler.ReduceLROnPlateau:
    match config.schedule:
        case "plateau":
            return lr_scheduler.ReduceLROnPlateau(
                optimizer,
                factor=config.lr_factor,
                patience=config.lr_patience,
                min_lr=config.min_lr,
                threshold=0.0,
            )
        case "exponential":
            return lr_scheduler.ExponentialLR(optimizer, config.lr_gamma)
        case "cosine":
            return _cosine(config, optimizer, config.epochs)
        case "warmup-cosine":
            rising = config.warmup_epochs
            warmup = lr_scheduler.LinearLR(
                optimizer, start_factor=1 / (rising + 1), total_iters=rising
            )
            falling = _cosine(config, optimizer, config.epochs - rising)
            return lr_scheduler.SequentialLR(optimizer, [warmup, falling], milestones=[rising])
        case _:
            return lr_scheduler.ConstantLR(optimizer, factor=1.0)


def _cosine(
    config: TrainingConfig, optimizer: optim.Optimizer, epochs: int
) -> lr_scheduler.CosineAnnealingLR:
    # The first of these epochs has the whole learning rate, the last one the smallest.
    return lr_scheduler.CosineAnnealingLR(optimizer, max(1, epochs - 1), eta_min=config.min_lr)
