"""Checkpoints: a network and the state of its training, as bytes."""

import copy
import io
import pickle
import warnings
from dataclasses import asdict
from typing import Any, Protocol

import torch
from torch import nn, optim

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.training.epochs import History
from stocklstm.errors import ArtifactCorruptError
from stocklstm.learn.flat import FlatWeights, WeightAverage
from stocklstm.learn.network import StockLSTM
from stocklstm.learn.optimization import Schedule
from stocklstm.learn.safety import check_checkpoint

FORMAT = 1

LOOP = 2
"""The training loop that made a state: another one would not go on with the same numbers."""

State = dict[str, Any]
"""The state of a training: tensors, numbers, words, lists and dictionaries."""


class RunFiles(Protocol):
    """Where a run saves what it needs to be resumed: `store.runs.Run`, or memory."""

    def save_state(self, content: bytes) -> None:
        """Save the state in the place of the one before."""

    def state(self) -> bytes | None:
        """Read the state; None if none was saved yet."""

    def save_checkpoint(self, epoch: int, content: bytes) -> None:
        """Save the checkpoint of an epoch."""

    def checkpoint(self, epoch: int) -> bytes:
        """Read the checkpoint of an epoch."""

    def drop_checkpoint(self, epoch: int) -> None:
        """Remove the checkpoint of an epoch, if it is there."""


def snapshot(
    weights: FlatWeights,
    averaged: WeightAverage | None,
    optimizer: optim.Optimizer,
    schedule: Schedule,
    shuffler: torch.Tensor,
    epoch: int,
) -> State:
    """Copy everything that training changes.

    Args:
        weights: Of the network that takes the steps.
        averaged: Moving average of them, if the settings want one; then that is served.
        optimizer: Of the weights.
        schedule: Of the learning rate.
        shuffler: State of the generator of the data order.
        epoch: The one that has ended, or is under way.
    """
    return {
        "weights": _cloned(weights.network if averaged is None else averaged.network),
        "stepping": None if averaged is None else _cloned(weights.network),
        "averaged_steps": 0 if averaged is None else averaged.steps,
        "optimizer": weights.optimizer_state(optimizer),
        "scheduler": copy.deepcopy(schedule.state_dict()),
        "rng": {"torch": torch.get_rng_state(), "shuffle": shuffler.clone()},
        "epoch": epoch,
    }


def restore(
    state: State,
    weights: FlatWeights,
    averaged: WeightAverage | None,
    optimizer: optim.Optimizer,
    schedule: Schedule,
) -> None:
    """Restore everything from a `snapshot`, to the last bit."""
    if averaged is None:
        weights.network.load_state_dict(state["weights"])
    else:
        weights.network.load_state_dict(state["stepping"])
        averaged.network.load_state_dict(state["weights"])
        averaged.steps = int(state["averaged_steps"])
    weights.load_optimizer_state(optimizer, state["optimizer"])
    schedule.load_state_dict(copy.deepcopy(state["scheduler"]))
    torch.set_rng_state(state["rng"]["torch"])


def _cloned(network: nn.Module) -> dict[str, torch.Tensor]:
    # On the CPU, wherever the network is: a checkpoint must load on any machine.
    return {name: value.to("cpu", copy=True) for name, value in network.state_dict().items()}


def encode_checkpoint(
    network: StockLSTM, state: State, config: TrainingConfig, history: History
) -> bytes:
    """Write a checkpoint that `torch.load(weights_only=True)` reads.

    The history is of the whole run; the weights are those of `state["epoch"]`.
    """
    checkpoint = state | {
        "format": FORMAT,
        "architecture": network.architecture,
        "config": asdict(config),
        "losses": {
            "epoch": [record.epoch for record in history],
            "train": [record.train_loss for record in history],
            "validation": [record.val_loss for record in history],
        },
        "best_epoch": history[-1].best_epoch,
    }
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    return buffer.getvalue()


def encode_state(state: State) -> bytes:
    """Write the state of a run."""
    buffer = io.BytesIO()
    torch.save(state | {"format": FORMAT, "loop": LOOP}, buffer)
    return buffer.getvalue()


def decode_state(content: bytes, name: str) -> State:
    """Read a state or a checkpoint; nothing in it is ever executed.

    Raises:
        ArtifactCorruptError: It is none, or damaged, or holds weights that are not finite.
    """
    state = load_tensors(content, name)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ArtifactCorruptError(f"{name} is not a checkpoint of this format")
    return state


def load_tensors(content: bytes, name: str) -> Any:  # noqa: ANN401 - what the file holds
    """Read a PyTorch file of plain values and tensors; nothing in it is ever executed.

    Raises:
        ArtifactCorruptError: It is none, or asks for more memory than it has bytes.
    """
    try:
        check_checkpoint(content)
        with warnings.catch_warnings():
            # PyTorch asks users to report pickles it does not know; ours it knows.
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ArtifactCorruptError(f"{name} is not a safe checkpoint: {reason}") from error


def decode_checkpoint(content: bytes) -> State:
    """Read the checkpoint of a version.

    Raises:
        ArtifactCorruptError: It is none, or damaged.
    """
    return decode_state(content, "model.pth")


def rebuild_network(checkpoint: State) -> StockLSTM:
    """Rebuild the network of a checkpoint, in evaluation mode.

    Raises:
        ArtifactCorruptError: Architecture and weights do not fit each other.
    """
    try:
        architecture, weights = checkpoint["architecture"], checkpoint["weights"]
        # As many layers as there are weights of, and without memory of their own until these
        # have fitted them.
        layers = sum("weight_ih" in name for name in weights)
        with torch.device("meta"):
            network = StockLSTM(**{**architecture, "num_layers": layers})
        network.load_state_dict(weights, assign=True)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ArtifactCorruptError(f"model.pth does not describe a network: {reason}") from error
    return network.eval()
