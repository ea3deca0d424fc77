"""What a training tells while it goes on, and how it is asked to stop.

Without PyTorch: a process that only hands out trainings does not wait for its import.
"""

from typing import TYPE_CHECKING, Any

from stocklstm.core.training.epochs import EpochRecord

if TYPE_CHECKING:
    from stocklstm.learn.model import StockLSTM

State = dict[str, Any]


class Keeper:
    """Where a run puts what must survive it; this one keeps nothing and never stops."""

    def save_state(self, state: State) -> None:
        """Keep what the run needs to go on, in the place of what was kept before."""

    def save_checkpoint(
        self, network: "StockLSTM", state: State, history: tuple[EpochRecord, ...]
    ) -> None:
        """Keep the checkpoint of an epoch."""

    def drop_checkpoint(self, epoch: int) -> None:
        """Let the checkpoint of an epoch go, if it is there."""

    def should_stop(self) -> bool:
        """Tell whether somebody asked the run to stop."""
        return False


class StoppedError(Exception):
    """The run was asked to stop, and its state is kept."""
