"""What of a training needs no store: prices go in, the files of a version come out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stocklstm.core.clock import Stopwatch
from stocklstm.core.inputs.parts import SplitSeries, split_pool, split_ticker
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import is_pool
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.training.epochs import EpochRecord
from stocklstm.errors import ArtifactCorruptError, ConfigError
from stocklstm.learn.checkpoints import LOOP, RunFiles, State, decode_checkpoint, decode_state
from stocklstm.learn.stopping import ShouldStop, StoppedError
from stocklstm.store.manifest import FileRecord, Manifest, training_command
from stocklstm.store.runs import RunRecord
from stocklstm.workflows.train.fit import Fitted, Prepared, Sources, fit, prepare
from stocklstm.workflows.train.pool_fit import prepare_pool


@dataclass(frozen=True)
class LeftOutTicker:
    """A ticker that the pool goes on without.

    Attributes:
        ticker: Its name.
        reason: Why, in words.
    """

    ticker: str
    reason: str


@dataclass(frozen=True, eq=False)
class Dataset:
    """What is to be trained on: the prices of one ticker, or of the tickers of a pool.

    Attributes:
        owner: The ticker, or the name of the pooled model with its mark.
        bars: Prices by ticker, N sessions each.
        sources: Where they came from.
        left_out: Tickers of the pool that cannot be used.
    """

    owner: str
    bars: Mapping[str, Bars]
    sources: Sources
    left_out: tuple[LeftOutTicker, ...] = ()

    def split(self, config: TrainingConfig) -> dict[str, SplitSeries]:
        """Part the prices of each ticker; what cannot be trained at all is found here already.

        Raises:
            NotEnoughDataError: There are too few rows for these settings.
        """
        if is_pool(self.owner):
            return {each.ticker: each for each in split_pool(self.bars, config)[1]}
        return {self.owner: split_ticker(self.bars[self.owner], config)}

    def prepare(self, config: TrainingConfig) -> Prepared[Any]:
        """Part the prices, fit the scaling and build what training may see.

        Raises:
            ConfigError: Prices are to be learned by a pooled model.
            NotEnoughDataError: There are too few rows for these settings.
        """
        if is_pool(self.owner):
            return prepare_pool(self.bars, config)
        return prepare(self.bars[self.owner], config)


@dataclass(frozen=True)
class RunInMemory:
    """The files of a run that shares no disk with the store: what is new is lost with it.

    Attributes:
        begun: State to resume from; None for a new run.
        checkpoints: Those of its epochs.
    """

    begun: bytes | None = None
    checkpoints: dict[int, bytes] = field(default_factory=dict)

    def save_state(self, content: bytes) -> None:
        """Save nothing."""

    def state(self) -> bytes | None:
        """Give the state to resume from."""
        return self.begun

    def save_checkpoint(self, epoch: int, content: bytes) -> None:
        """Save the checkpoint of an epoch."""
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
        dataset: What it is trained on.
        files: Where the run saves what it needs to be resumed.
        start: Checkpoint whose weights are to be the first ones; None for random ones.
    """

    record: RunRecord
    dataset: Dataset
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
        days: Test part of each ticker that has one, scored day by day.
        times: Wall time by what it was spent on, in seconds.
    """

    manifest: Manifest
    files: dict[str, bytes]
    seconds: float
    diagnosis: str
    days: dict[str, ScoredDays]
    times: dict[str, float]


def train_order(
    order: TrainingOrder,
    should_stop: ShouldStop,
    on_epoch: Callable[[EpochRecord], None] = lambda _: None,
) -> FinishedVersion:
    """Train, or resume a training, up to the version's files.

    Raises:
        TrainingDivergedError: The loss became infinite, or worse than that of an untrained network.
        StoppedError: `should_stop` said so.
        ArtifactCorruptError: What the run saved is damaged.
        ConfigError: The weights to start from are of another architecture.
    """
    if should_stop():
        raise StoppedError
    watch = Stopwatch()
    with watch.of("preparation"):
        prepared = order.dataset.prepare(order.record.config)
    model = fit(
        prepared,
        on_epoch,
        should_stop=should_stop,
        files=order.files,
        resume=saved_state(order),
        start=start_state(order),
        watch=watch,
    )
    return finish(model, order, watch)


def finish(model: Fitted, order: TrainingOrder, watch: Stopwatch) -> FinishedVersion:
    """Write the files of a trained model and describe it."""
    dataset = order.dataset
    with watch.of("export"):
        files = model.files(dataset.sources, order.files)
    records = {name: FileRecord.of(content) for name, content in files.items()}
    return FinishedVersion(
        manifest=model.manifest(dataset.owner, dataset.sources, records),
        files=files,
        seconds=model.seconds,
        diagnosis=model.diagnosis.words,
        days=model.days_by_ticker(dataset.owner),
        times=watch.seconds,
    )


class AnyOrder(Protocol):
    """An order as far as a training begins with it."""

    @property
    def record(self) -> RunRecord:
        """What the run is told to do."""

    @property
    def files(self) -> RunFiles:
        """Where it saves what it needs to be resumed."""

    @property
    def start(self) -> bytes | None:
        """Checkpoint whose weights are to be the first ones."""


def start_state(order: AnyOrder) -> State | None:
    """Read the weights that are to be the first ones; None for random ones."""
    return None if order.start is None else decode_checkpoint(order.start)


def saved_state(order: AnyOrder) -> State | None:
    """Read where a run was stopped; None if it has not come as far.

    Raises:
        ArtifactCorruptError: It is damaged.
        ConfigError: It is of another training loop.
    """
    content = order.files.state()
    if content is None:
        return None
    anew = f"{training_command(order.record.ticker)} starts a new one"
    try:
        state = decode_state(content, "state.pth")
    except ArtifactCorruptError as error:
        raise ArtifactCorruptError(
            f"the run {order.record.id} is damaged: {error.message}", hint=anew
        ) from error
    if state.get("loop") != LOOP:
        raise ConfigError(
            f"the run {order.record.id} was begun by another version of stocklstm, and this one "
            "would not end it with the same weights",
            hint=anew,
        )
    return state
