"""What of a training needs no store: prices go in, the files of a version come out."""

from collections.abc import Callable
from dataclasses import dataclass, field

from stocklstm.core.digest import sha256_hex
from stocklstm.core.prices.series import Bars
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.training.epochs import EpochRecord, history_csv
from stocklstm.learn.checkpoints import RunFiles, decode_checkpoint, encode_checkpoint
from stocklstm.learn.stopping import ShouldStop, StoppedError
from stocklstm.report.loss_curves import history_png
from stocklstm.store.manifest import CHECKPOINT_FILE, SERVING_FILE, FileRecord, Manifest
from stocklstm.store.runs import RunRecord, checkpoint_name
from stocklstm.workflows.train.fit import Fitted, fit, prepare
from stocklstm.workflows.train.runs import state_of


@dataclass(frozen=True)
class RunInMemory:
    """Where a run goes on that shares no disk with the store: what is new is lost with it.

    Attributes:
        begun: State that it goes on from; None if it begins.
        checkpoints: Those of its epochs.
    """

    begun: bytes | None = None
    checkpoints: dict[int, bytes] = field(default_factory=dict)

    def save_state(self, content: bytes) -> None:
        """Keep nothing."""

    def state(self) -> bytes | None:
        """Give what it goes on from."""
        return self.begun

    def save_checkpoint(self, epoch: int, content: bytes) -> None:
        """Keep the checkpoint of an epoch."""
        self.checkpoints[epoch] = content

    def checkpoint(self, epoch: int) -> bytes:
        """Give the checkpoint of an epoch."""
        return self.checkpoints[epoch]

    def drop_checkpoint(self, epoch: int) -> None:
        """Forget the checkpoint of an epoch."""
        self.checkpoints.pop(epoch, None)


@dataclass(frozen=True, eq=False)
class TrainingOrder:
    """All that a training needs; it can travel to another process.

    Attributes:
        record: What the run is told to do.
        bars: The prices, N sessions.
        sources: Where they came from.
        currency: ISO 4217 code of them.
        files: Where the run keeps what it needs to go on.
        start: Checkpoint whose weights are to be the first ones; None for random ones.
    """

    record: RunRecord
    bars: Bars
    sources: tuple[str, ...]
    currency: str
    files: RunFiles
    start: bytes | None = None


@dataclass(frozen=True, eq=False)
class FinishedVersion:
    """A version that is not published yet.

    Attributes:
        manifest: Of it, with `UNNUMBERED` for its number.
        files: Its other files by name.
        seconds: Wall time of training.
        diagnosis: What the losses show, in words.
        days: Test part, scored day by day.
    """

    manifest: Manifest
    files: dict[str, bytes]
    seconds: float
    diagnosis: str
    days: ScoredDays


def carry_out(
    order: TrainingOrder,
    should_stop: ShouldStop,
    on_epoch: Callable[[EpochRecord], None] = lambda _: None,
) -> FinishedVersion:
    """Train, or go on with training, up to the version's files.

    Args:
        order: What to do.
        should_stop: Asked after every step.
        on_epoch: Called after every epoch.

    Raises:
        TrainingDivergedError: The loss became infinite, or worse than that of an untrained network.
        StoppedError: `should_stop` said so.
        ArtifactCorruptError: What the run kept is damaged.
        ConfigError: The weights to start from are of another architecture.
    """
    if should_stop():
        raise StoppedError
    model = fit(
        prepare(order.bars, order.record.config),
        on_epoch,
        should_stop=should_stop,
        files=order.files,
        resume=state_of(order.record, order.files),
        start=None if order.start is None else decode_checkpoint(order.start),
    )
    files = fitted_files(model, order.files, model.title(order.record.ticker))
    sources = {order.record.ticker: order.sources}
    files |= model.own_files(order.record.ticker, sources, order.currency)
    records = {
        name: FileRecord(sha256_hex(content), len(content)) for name, content in files.items()
    }
    return FinishedVersion(
        manifest=model.manifest(order.record.ticker, sources, records),
        files=files,
        seconds=model.seconds,
        diagnosis=model.diagnosis.words,
        days=model.days,
    )


def fitted_files(model: Fitted, files: RunFiles, title: str) -> dict[str, bytes]:
    """Write what every version holds of its training, by the name of the file.

    Args:
        model: Trained.
        files: Where the run kept the checkpoints of its epochs.
        title: Of the picture.
    """
    network, config = model.network, model.config
    history = network.history
    return {
        SERVING_FILE: model.onnx,
        CHECKPOINT_FILE: encode_checkpoint(network.network, network.state, config, history),
        **{checkpoint_name(epoch): files.checkpoint(epoch) for epoch in network.checkpoints},
        "history.csv": history_csv(history).encode(),
        "training_history.png": history_png(
            history, network.constant, config, model.kept_epoch, title, model.diagnosis.words
        ),
    }
