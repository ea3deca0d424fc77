"""What happened in each epoch of training."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class EpochRecord:
    """One pass over the training windows.

    Attributes:
        epoch: From 1; 0 is the network before its first step.
        train_loss: Mean loss over the pass with dropout active; None for epoch 0.
        val_loss: Loss on the validation part without dropout.
        learning_rate: Step size during the pass.
        seconds: Wall time of the pass.
        best_epoch: Epoch with the lowest validation loss so far.
    """

    epoch: int
    train_loss: float | None
    val_loss: float
    learning_rate: float
    seconds: float
    best_epoch: int


History = Sequence[EpochRecord]


def history_csv(history: History) -> str:
    """Write the history as CSV with a header; an unknown training loss is empty."""
    lines = ["epoch,train_loss,val_loss,learning_rate,seconds,best_epoch"]
    lines += [
        f"{r.epoch},{'' if r.train_loss is None else r.train_loss},{r.val_loss},"
        f"{r.learning_rate},{r.seconds:.3f},{r.best_epoch}"
        for r in history
    ]
    return "\n".join(lines) + "\n"
