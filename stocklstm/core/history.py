"""What happened in each epoch of training, and what it means."""

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
    """Write the history as a table for spreadsheets.

    Args:
        history: In the order of epochs.

    Returns:
        CSV with a header; an unknown training loss is empty.
    """
    lines = ["epoch,train_loss,val_loss,learning_rate,seconds,best_epoch"]
    lines += [
        f"{r.epoch},{'' if r.train_loss is None else r.train_loss},{r.val_loss},"
        f"{r.learning_rate},{r.seconds:.3f},{r.best_epoch}"
        for r in history
    ]
    return "\n".join(lines) + "\n"


def diagnose(history: History, *, kept_epoch: int, epochs: int) -> str:
    """Say in words what the validation losses show.

    Args:
        history: At least one epoch.
        kept_epoch: Epoch whose weights were kept.
        epochs: Most epochs allowed.
    """
    last = history[-1]
    if last.best_epoch == 0:
        return (
            "no epoch improved on the starting point; what is kept is filtered historical "
            "simulation on the volatility anchor"
        )
    if last.best_epoch == last.epoch == epochs:
        return f"still improving at epoch {epochs}; more --epochs may help"
    if kept_epoch != last.best_epoch:
        return (
            f"validation loss was lowest at epoch {last.best_epoch}, but this preset keeps "
            f"the last epoch, {kept_epoch}"
        )
    return f"validation loss was lowest at epoch {last.best_epoch}; its weights were kept"
