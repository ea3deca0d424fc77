"""train: a new version in the store, of one ticker or of the tickers of a pool."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.clock import Stopwatch
from stocklstm.core.reference import (
    AUTO,
    parse_owner_key,
    parse_ticker,
)
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.training.epochs import EpochRecord
from stocklstm.core.wording import first_few
from stocklstm.errors import ArtifactCorruptError, InterruptedWorkError, UnexpectedError
from stocklstm.learn.stopping import ShouldStop, StoppedError
from stocklstm.report.predictions import last_days
from stocklstm.store.manifest import FileRecord, Manifest, drawing_command, training_command
from stocklstm.store.pool_members import MEMBERS_FILE, decode_members
from stocklstm.store.store import Store
from stocklstm.workflows.parallel import (
    Backend,
    Job,
    TickersDone,
    UnfinishedError,
    for_each_in_workers,
)
from stocklstm.workflows.pictures import draw_training
from stocklstm.workflows.publishing import (
    Challenger,
    Promotion,
    by_hand,
    judge,
    promote_by,
    publish,
)
from stocklstm.workflows.train.beginning import (
    StartFrom,
    check_pooled,
    pooled_run,
    run_of,
    tickers_to_train,
)
from stocklstm.workflows.train.order import (
    FinishedVersion,
    LeftOutTicker,
    TrainingOrder,
    train_order,
)
from stocklstm.workflows.train.remote import remote_order, train_packed, unpack
from stocklstm.workflows.train.runs import (
    BegunRun,
    EpochEnded,
    Runs,
    TrainingStoppedError,
    read_pool,
    read_ticker,
)


@dataclass(frozen=True, repr=False)
class TrainedVersion(Result):
    """What one run made.

    Attributes:
        ticker: Whose model; of a pooled one its name, with the mark.
        version: Its number.
        preset: What the settings started from.
        epochs: Passes made.
        best_epoch: Epoch with the lowest validation loss.
        best_val_loss: Validation loss there.
        kept_epoch: Epoch whose weights were kept.
        parameters: Weights of the network.
        seconds: Wall time of training.
        promoted: True if it is the champion now.
        promotion: Why or why not, in words with the figures of both.
        by_hand: The command that decides otherwise, by `models promote` or `models rollback`; None
            for the first champion.
        diagnosis: What the losses show, in words.
        diagnosis_kind: The same in one word or two; see `core.training.diagnosis`.
        evaluation: Scores on the test part.
        resumed_from: The run it went on with; None for a fresh start.
        path: Its directory.
        plots: Where its pictures lie, the loss curves first; empty if none was drawn.
        warnings: What went less well than it should, one line each.
        times: Wall time by what it was spent on, in seconds.
        measured: How many sessions were measured how, such as "daily", "60-minute" and "5-minute"
            bars; empty if bars within sessions were not looked at.
    """

    SHOWN = (
        "ticker",
        "version",
        "preset",
        "epochs",
        "best_epoch",
        "best_val_loss",
        "promoted",
        "verdict",
    )
    SAID = ("verdict_text", "diagnosis")

    ticker: str
    version: int
    preset: str
    epochs: int
    best_epoch: int
    best_val_loss: float
    kept_epoch: int
    parameters: int
    seconds: float
    promoted: bool
    promotion: str
    by_hand: str | None
    diagnosis: str
    diagnosis_kind: str
    evaluation: Evaluation
    resumed_from: str | None
    path: str
    plots: tuple[str, ...]
    warnings: tuple[str, ...]
    times: dict[str, float]
    measured: dict[str, int]


@dataclass(frozen=True, repr=False)
class PooledVersion(TrainedVersion):
    """What one pooled run made; `evaluation` is over the test days of all tickers.

    Attributes:
        tickers: Those it was trained, validated or tested on.
        left_out: Those that were named and could not be used.
        windows: Training windows of all tickers.
    """

    tickers: tuple[str, ...]
    left_out: tuple[LeftOutTicker, ...]
    windows: int


TrainResult = Batch[TrainedVersion]
PooledResult = Batch[PooledVersion]


def train(  # noqa: PLR0913 - each is an argument of the method
    store: Store,
    tickers: Sequence[str],
    config_of: Callable[[str], TrainingConfig],
    *,
    promote: str,
    beginning: StartFrom,
    backend: Backend,
    plot: bool,
    should_stop: ShouldStop,
    on_epoch: Callable[[EpochEnded], None],
    on_ticker: Callable[[TickersDone], None],
    on_note: Callable[[str], None],
) -> TrainResult:
    """Train a model of each ticker, with the settings of each; see `Client.train`."""
    store.require_writable()
    runs = Runs(store, backend.is_remote, on_note)
    training = _Training(store, promote, backend, plot, should_stop, on_epoch, on_ticker, on_note)
    if beginning.resume not in {None, AUTO}:
        run = run_of(store, str(beginning.resume), tickers)
        if run.record.pool:
            check_pooled(backend)
        return training.each(
            [run.record.ticker], parse_owner_key, lambda _: runs.resumed(run), run.record.id
        )
    names = tickers_to_train(store, tickers, beginning)

    def begin(ticker: str) -> AbstractContextManager[BegunRun]:
        unfinished = store.runs.begun(ticker) if beginning.resume else []
        if unfinished:
            return runs.resumed(store.runs.open(unfinished[-1]))
        config = config_of(ticker)
        return runs.new(read_ticker(store, ticker, config), config, beginning.weights)

    return training.each(names, parse_ticker, begin)


def train_pooled(  # noqa: PLR0913 - each is an argument of the method
    store: Store,
    name: str | None,
    tickers: Sequence[str],
    config: TrainingConfig,
    *,
    promote: str,
    beginning: StartFrom,
    backend: Backend,
    plot: bool,
    should_stop: ShouldStop,
    on_epoch: Callable[[EpochEnded], None],
    on_ticker: Callable[[TickersDone], None],
    on_note: Callable[[str], None],
) -> PooledResult:
    """Train one model of several tickers; see `Client.train_pooled`."""
    store.require_writable()
    runs = Runs(store, backend.is_remote, on_note)
    training = _Training(store, promote, backend, plot, should_stop, on_epoch, on_ticker, on_note)
    if beginning.resume is not None:
        run = pooled_run(store, name, beginning.resume)
        owner, begun, resumed = run.record.ticker, runs.resumed(run), run.record.id
    else:
        dataset = read_pool(store, name, tickers, config, on_note)
        owner, begun = dataset.owner, runs.new(dataset, config, beginning.weights)
        resumed = None
    trained = training.each([owner], parse_owner_key, lambda _: begun, resumed)
    for failure in trained.failures:
        error = failure.error
        # A bug is raised with its traceback.
        raise (error.__cause__ or error) if isinstance(error, UnexpectedError) else error
    return PooledResult((cast("PooledVersion", trained.results[0]),))


@dataclass(frozen=True)
class _Training:
    """Trains runs, in this process or elsewhere, and publishes what comes of them here.

    Pictures are drawn of all that was published, at the end: nothing of a version waits for them.
    """

    store: Store
    promote: str
    backend: Backend
    plot: bool
    should_stop: ShouldStop
    on_epoch: Callable[[EpochEnded], None]
    on_ticker: Callable[[TickersDone], None]
    on_note: Callable[[str], None]
    to_draw: dict[str, ScoredDays | None] = field(default_factory=dict)

    def each(
        self,
        names: Sequence[str],
        parse: Callable[[str], str],
        begin: Callable[[str], AbstractContextManager[BegunRun]],
        resumed: str | None = None,
    ) -> TrainResult:
        """Train a run of each name, publish a version of each, and draw what was asked for.

        Args:
            names: As typed.
            parse: Reads one.
            begin: Begins its run, or resumes one, and holds its lock.
            resumed: Identity of the one run that is resumed, if it was named.
        """
        trained = self._trained(names, parse, begin, resumed)
        if not self.plot:
            return trained
        return replace(trained, results=tuple(self._drawn(each) for each in trained.results))

    def _trained(
        self,
        names: Sequence[str],
        parse: Callable[[str], str],
        begin: Callable[[str], AbstractContextManager[BegunRun]],
        resumed: str | None,
    ) -> TrainResult:
        if self.backend.is_this_process:
            return TrainResult(*for_each(names, parse, lambda owner: self._here(begin(owner))))
        try:
            return TrainResult(
                *for_each_in_workers(
                    names,
                    parse,
                    self.backend.workers(self.on_note),
                    train_packed if self.backend.is_remote else train_order,
                    partial(self._job, begin),
                    on_ticker=self.on_ticker,
                    should_stop=self.should_stop,
                )
            )
        except UnfinishedError as error:
            raise self._stopped(error.left, resumed) from error

    def _here(self, run: AbstractContextManager[BegunRun]) -> TrainedVersion:
        with run as begun:
            record = begun.order.record

            def on_epoch(epoch: EpochRecord) -> None:
                self.on_epoch(EpochEnded(record.ticker, record.config.epochs, epoch))

            try:
                finished = train_order(begun.order, self.should_stop, on_epoch)
            except StoppedError as error:
                raise TrainingStoppedError(record.id) from error
            return self._published(begun, finished)

    @contextmanager
    def _job(
        self, begin: Callable[[str], AbstractContextManager[BegunRun]], owner: str
    ) -> Iterator[Job[TrainedVersion]]:
        """Make the job of a worker; the lock of the run is held until it is finished."""
        with begin(owner) as begun:
            order = begun.order
            if not self.backend.is_remote:
                yield Job((order,), lambda made: self._published(begun, made))
                return
            prepared = order.dataset.prepare(order.record.config)
            started = time.monotonic()

            def finish(made: object) -> TrainedVersion:
                took = time.monotonic() - started
                return self._published(begun, unpack(made, order, prepared, took))

            yield Job((remote_order(order, prepared),), finish)

    def _stopped(self, left: Sequence[str], resumed: str | None) -> KeyboardInterrupt:
        """Say what was saved of runs that were stopped elsewhere, and how to resume them."""
        runs = {owner: self.store.runs.begun(owner) for owner in left}
        if new := [owner for owner, begun in runs.items() if not begun]:
            self.on_note(f"nothing is kept of {first_few(new, 5)}; the same command trains them")
        if len(new) == len(left):
            return KeyboardInterrupt()
        return TrainingStoppedError(resumed or AUTO, self.backend.options)

    # Publishing

    def _published(self, begun: BegunRun, finished: FinishedVersion) -> TrainedVersion:
        order, watch = begun.order, Stopwatch()
        _require_whole(finished)
        with watch.of("publishing"):
            manifest, promotion = publish(
                self.store,
                order.record.ticker,
                finished.files.items(),
                # By the clock of this machine, not of the one that trained.
                lambda _, at: replace(
                    finished.manifest, created=at, learned_before=begun.learned_before
                ),
                lambda: promote_by(self.promote, lambda: self._judge(order, finished)),
            )
        if self.plot:
            days = finished.days.get(manifest.ticker)
            # More is not drawn, and many tickers may wait.
            self.to_draw[manifest.ticker] = None if days is None else last_days(days)
        facts = _facts(self.store, manifest, promotion) | {
            "times": finished.times | watch.seconds,
            "seconds": finished.seconds,
            "diagnosis": finished.diagnosis,
            "resumed_from": order.record.id if begun.resumed else None,
        }
        if manifest.pool is None:
            return TrainedVersion(**facts)
        members = decode_members(finished.files[MEMBERS_FILE], manifest)
        return PooledVersion(
            **facts,
            tickers=tuple(members),
            left_out=order.dataset.left_out,
            windows=sum(member.windows for member in members.values()),
        )

    def _drawn(self, made: TrainedVersion) -> TrainedVersion:
        """Draw the pictures of a version; whatever stands in the way of them becomes a warning.

        Raises:
            InterruptedWorkError: Somebody asked to stop.
        """
        if self.should_stop():
            raise InterruptedWorkError(drawing_command(made.ticker, made.version))
        watch = Stopwatch()
        with watch.of("pictures"):
            manifest = self.store.registry.manifest(made.ticker, made.version)
            drawn = draw_training(self.store, manifest, self.to_draw.pop(made.ticker))
        return replace(
            made,
            plots=drawn.paths,
            warnings=(*made.warnings, *drawn.warnings),
            times=made.times | watch.seconds,
        )

    def _judge(self, order: TrainingOrder, finished: FinishedVersion) -> Promotion:
        record, bars = order.record, order.dataset.bars
        warm = record.start is not None
        challenger = Challenger(record.ticker, record.config, finished.days, bars.keys(), warm=warm)
        return judge(self.store, challenger, bars)


def _require_whole(finished: FinishedVersion) -> None:
    """Refuse a version whose files are not those that its manifest describes.

    Raises:
        ArtifactCorruptError: They are not.
    """
    manifest = finished.manifest
    if {name: FileRecord.of(content) for name, content in finished.files.items()} != manifest.files:
        raise ArtifactCorruptError(
            f"a version of {manifest.ticker} did not come back whole from its process",
            hint=f"{training_command(manifest.ticker)} makes it anew",
        )


def _facts(store: Store, manifest: Manifest, promotion: Promotion) -> dict[str, Any]:
    training = manifest.training
    return {
        "ticker": manifest.ticker,
        "version": manifest.version,
        "preset": manifest.config.preset,
        "epochs": training.epochs,
        "best_epoch": training.best_epoch,
        "best_val_loss": training.best_val_loss,
        "kept_epoch": training.kept_epoch,
        "parameters": training.parameters,
        "promoted": promotion.promoted,
        "promotion": promotion.reason,
        "by_hand": by_hand(store, manifest),
        "diagnosis_kind": training.diagnosis,
        "evaluation": manifest.evaluation,
        "path": str(store.paths.version(manifest.ticker, manifest.version)),
        "plots": (),
        "warnings": (),
        "measured": manifest.data.measured,
    }
