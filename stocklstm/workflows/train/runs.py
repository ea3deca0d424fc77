"""A training run under way: what it tells, and what it keeps so that it can be resumed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stocklstm.core.training.epochs import EpochRecord
from stocklstm.errors import ArtifactCorruptError, InterruptedWorkError, TrainingDivergedError
from stocklstm.learn.checkpoints import RunFiles, State, decode_state
from stocklstm.store.manifest import training_command
from stocklstm.store.runs import Run, RunRecord


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
        run: Identity of the run, to be resumed; "auto" where there are several.
    """

    def __init__(self, run: str, options: str = "") -> None:
        """Keep the identity.

        Args:
            run: Of the run, or "auto".
            options: Of the command that goes on, each with a space before it.
        """
        super().__init__(f"stocklstm train --resume {run}{options}")
        self.run = run


def state_of(record: RunRecord, files: RunFiles) -> State | None:
    """Read where a run was stopped; None if it has not come as far.

    Args:
        record: Of the run.
        files: Where it keeps what it needs to go on.

    Raises:
        ArtifactCorruptError: It is damaged.
    """
    content = files.state()
    if content is None:
        return None
    try:
        return decode_state(content, "state.pth")
    except ArtifactCorruptError as error:
        raise ArtifactCorruptError(
            f"the run {record.id} is damaged: {error.message}",
            hint=f"{training_command(record.ticker)} starts a new one",
        ) from error


@contextmanager
def kept(run: Run) -> Iterator[None]:
    """Keep what can be gone on with, and remove what was published or can never be.

    Args:
        run: Whose version is trained and published meanwhile.
    """
    try:
        yield
    except TrainingDivergedError:
        # It would diverge again.
        run.remove()
        raise
    except BaseException:
        if run.state() is None:
            run.remove()
        raise
    run.remove()
