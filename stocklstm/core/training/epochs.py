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

_HEADER = "epoch,train_loss,val_loss,learning_rate,seconds,best_epoch"
# Far more than any loss, and far from what can no longer be drawn.
_MOST = 1e15


def history_csv(history: History) -> str:
    """Write the history as CSV with a header; an unknown training loss is empty."""
    lines = [_HEADER]
    lines += [
        f"{r.epoch},{'' if r.train_loss is None else r.train_loss},{r.val_loss},"
        f"{r.learning_rate},{r.seconds:.3f},{r.best_epoch}"
        for r in history
    ]
    return "\n".join(lines) + "\n"


def read_history(text: str) -> tuple[EpochRecord, ...]:
    """Read what `history_csv` has written; the file may come from anybody.

    Raises:
        ValueError: It is no history.
    """
    header, *rows = text.removesuffix("\n").split("\n")
    history = tuple(
        EpochRecord(
            int(epoch),
            _number(train_loss) if train_loss else None,
            _number(val_loss),
            _number(rate),
            _number(seconds),
            int(best),
        )
        for epoch, train_loss, val_loss, rate, seconds, best in (row.split(",") for row in rows)
    )
    epochs = [record.epoch for record in history]
    whole = bool(epochs) and epochs[0] in {0, 1} and epochs == [*range(epochs[0], epochs[-1] + 1)]
    if header != _HEADER or not whole or history[-1].best_epoch not in epochs:
        raise ValueError("it is not the history of a training")
    return history


def _number(text: str) -> float:
    number = float(text)
    if not 0 <= number < _MOST:
        raise ValueError(f"{text[:40]!a} is out of bounds")
    return number
