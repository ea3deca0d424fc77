"""A training run under way: what it tells, and what it keeps so that it can be resumed."""

from collections.abc import Callable
from dataclasses import dataclass

from stocklstm.core.history import EpochRecord
from stocklstm.errors import ArtifactCorruptError, InterruptedWorkError
from stocklstm.learn.checkpoints import decode_state, encode_checkpoint, encode_state
from stocklstm.learn.loop import Keeper, State
from stocklstm.learn.model import StockLSTM
from stocklstm.store.manifest import training_command
from stocklstm.store.runs import Run


@dataclass(frozen=True)
class EpochEnded:
    """Sent after every epoch.

    Attributes:
        ticker: Whose model is training.
        epochs: Most epochs the run may take.
        record: The epoch.
    """

    ticker: str
    epochs: int
    record: EpochRecord


class TrainingStoppedError(InterruptedWorkError):
    """Somebody asked training to stop; nothing of it is lost.

    Attributes:
        run: Identity of the run, to be resumed.
    """

    def __init__(self, run: str) -> None:
        """Keep the identity.

        Args:
            run: Of the run.
        """
        super().__init__(f"stocklstm train --resume {run}")
        self.run = run


def state_of(run: Run) -> State | None:
    """Read where a run was stopped; None if it has not come as far.

    Raises:
        ArtifactCorruptError: It is damaged.
    """
    content = run.state()
    if content is None:
        return None
    try:
        return decode_state(content, "state.pth")
    except ArtifactCorruptError as error:
        raise ArtifactCorruptError(
            f"the run {run.record.id} is damaged: {error.message}",
            hint=f"{training_command(run.record.ticker)} starts a new one",
        ) from error


class RunKeeper(Keeper):
    """Writes what the loop wants kept into the directory of the run."""

    def __init__(self, run: Run, should_stop: Callable[[], bool]) -> None:
        """Take the run and what tells when to stop."""
        self.run = run
        self._should_stop = should_stop

    def should_stop(self) -> bool:
        """Ask."""
        return self._should_stop()

    def save_state(self, state: State) -> None:
        """Keep it in the place of the one before."""
        self.run.save_state(encode_state(state))

    def save_checkpoint(
        self, network: StockLSTM, state: State, history: tuple[EpochRecord, ...]
    ) -> None:
        """Keep it beside the others."""
        content = encode_checkpoint(network, state, self.run.record.config, history)
        self.run.save_checkpoint(state["epoch"], content)

    def drop_checkpoint(self, epoch: int) -> None:
        """Let it go."""
        self.run.drop_checkpoint(epoch)
