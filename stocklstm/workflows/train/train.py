"""train: a new version in the store."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stocklstm.core.batch import Failure, for_each
from stocklstm.core.clock import utc_now
from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.splits import split_origins
from stocklstm.core.reference import AUTO, is_pool, parse_ticker
from stocklstm.core.settings.config import LOCK_TIMEOUT_S, TrainingConfig
from stocklstm.errors import (
    ArtifactCorruptError,
    ConfigError,
)
from stocklstm.learn.checkpoints import RunFiles
from stocklstm.learn.stopping import StoppedError
from stocklstm.store.locks import writer_lock
from stocklstm.store.manifest import Manifest
from stocklstm.store.registry import Draft
from stocklstm.store.runs import Run, RunRecord, run_id
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.parallel import (
    HERE,
    Errand,
    Sharing,
    TickersDone,
    UnfinishedError,
    Where,
    listed,
)
from stocklstm.workflows.publishing import Promotion, check_rule, judge, promote_by
from stocklstm.workflows.train.order import (
    FinishedVersion,
    RunInMemory,
    TrainingOrder,
    carry_out,
)
from stocklstm.workflows.train.remote import carry_out_far, unpacked
from stocklstm.workflows.train.result import TrainedVersion
from stocklstm.workflows.train.runs import EpochEnded, TrainingStoppedError, kept
from stocklstm.workflows.train.warm_start import (
    read_checkpoint,
    require_unseen_test_part,
    weights_identity,
)


@dataclass(frozen=True)
class Beginning:
    """Where training begins.

    Attributes:
        resume: Identity of an unfinished run to go on with, or "auto" for the latest one of each
            ticker (of all tickers that have one, if none is named); a ticker that has none
            begins anew.
        weights: TICKER@version whose weights are to be the first ones; None for random ones.
    """

    resume: str | None = None
    weights: str | None = None


ANEW = Beginning()


@dataclass(frozen=True)
class TrainResult:
    """Outcome for all tickers."""

    results: tuple[TrainedVersion, ...]
    failures: tuple[Failure, ...]


def train(  # noqa: PLR0913 - all but two have a default
    tickers: Sequence[str],
    config: TrainingConfig,
    *,
    promote: str = "auto",
    beginning: Beginning = ANEW,
    where: Where = HERE,
    should_stop: Callable[[], bool] = lambda: False,
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    on_epoch: Callable[[EpochEnded], None] = lambda _: None,
    on_ticker: Callable[[TickersDone], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> TrainResult:
    """Train a network on the stored prices of each ticker and publish it as a new version.

    Args:
        tickers: As typed; at least one, unless a run is resumed.
        config: All settings; a run that is resumed keeps its own.
        promote: "auto" makes it champion unless it is significantly worse than the champion on
            the same test days; "always"; "never".
        beginning: Where to begin; by default with random weights.
        where: Which processes train; the versions are the same for all.
        should_stop: Asked after every step; once it says yes the state is kept and training ends.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.
        on_epoch: Called after every epoch that this process trains.
        on_ticker: Told how many tickers are through, where other processes train.
        on_note: Called with what a person may want to know before a training, in words: that an
            unfinished run is there, when a new one begins.

    Raises:
        ConfigError: No ticker, no such promotion rule, too many processes, or options that exclude
            each other.
        NotFoundError: There is no store, or no such run.
        TrainingStoppedError: `should_stop` said so.
    """
    check_rule(promote)
    resume = beginning.resume
    if resume is not None and beginning.weights is not None:
        raise ConfigError("a run that is resumed has its weights already; leave --from out")
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        store.require_writable()
        training = _Training(
            store, config, promote, beginning, where, lock_timeout_s, should_stop, on_epoch, on_note
        )
        if resume not in {None, AUTO}:
            return _resume_one(training, str(resume), tickers)
        names = list(tickers) or (_unfinished_tickers(store) if resume else [])
        if not names:
            raise ConfigError("train needs a ticker", hint="stocklstm train --ticker PETR4.SA")
        if where.is_here:
            return TrainResult(*for_each(names, parse_ticker, training.train))
        return _train_apart(training, names, on_ticker)


def _train_apart(
    training: "_Training", names: Sequence[str], on_ticker: Callable[[TickersDone], None]
) -> TrainResult:
    where = training.where
    sharing = Sharing(
        where.workers(training.on_note),
        carry_out_far if where.is_far else carry_out,
        training.errand,
        training.should_stop,
        on_ticker,
    )
    try:
        return TrainResult(*sharing.for_each(names, parse_ticker))
    except UnfinishedError as error:
        store = training.store
        if new := [ticker for ticker in error.left if not store.runs.begun(ticker)]:
            training.on_note(f"nothing is kept of {listed(new)}; the same command trains them")
        if len(new) == len(error.left):
            raise KeyboardInterrupt from error
        raise TrainingStoppedError(AUTO, where.options) from error


def _unfinished_tickers(store: Store) -> list[str]:
    owners = {store.runs.open(name).record.ticker for name in store.runs.begun()}
    return sorted(owner for owner in owners if not is_pool(owner))


def _resume_one(training: "_Training", name: str, tickers: Sequence[str]) -> TrainResult:
    run = training.store.runs.open(name)
    if {parse_ticker(ticker) for ticker in tickers} - {run.record.ticker}:
        raise ConfigError(
            f"the run {name} is of {run.record.ticker}, and of no other ticker",
            hint=f"stocklstm train --resume {name}",
        )
    return TrainResult(
        *for_each([run.record.ticker], str, lambda _: training.trained(training.resumed(run)))
    )


@dataclass(frozen=True)
class _Begun:
    """A run that is about to be trained, and whose lock is held.

    Attributes:
        run: Its directory; None where it keeps nothing because others do it.
        order: What is to be done.
        resumed: True if part of it has been done before.
    """

    run: Run | None
    order: TrainingOrder
    resumed: bool


@dataclass(frozen=True)
class _Training:
    store: Store
    config: TrainingConfig
    promote: str
    beginning: Beginning
    where: Where
    lock_timeout_s: float
    should_stop: Callable[[], bool]
    on_epoch: Callable[[EpochEnded], None]
    on_note: Callable[[str], None]

    # In this process

    def train(self, ticker: str) -> TrainedVersion:
        """Train one ticker and publish its version."""
        return self.trained(self.begun(ticker))

    def trained(self, beginning: AbstractContextManager[_Begun]) -> TrainedVersion:
        """Train a run and publish its version."""
        with beginning as begun:
            record = begun.order.record
            try:
                finished = carry_out(
                    begun.order,
                    self.should_stop,
                    lambda epoch: self.on_epoch(
                        EpochEnded(record.ticker, record.config.epochs, epoch)
                    ),
                )
            except StoppedError as error:
                raise TrainingStoppedError(record.id) from error
            return self._published(begun, finished)

    # In another one

    @contextmanager
    def errand(self, ticker: str) -> Iterator[Errand[TrainedVersion]]:
        """Give what another process is to do, and hold the lock of the run meanwhile."""
        with self.begun(ticker) as begun:
            yield Errand((begun.order,), lambda made: self._taken_back(begun, made))

    def _taken_back(self, begun: _Begun, made: FinishedVersion | bytes) -> TrainedVersion:
        finished = unpacked(made, begun.order) if isinstance(made, bytes) else made
        return self._published(begun, finished)

    # Beginning

    def begun(self, ticker: str) -> AbstractContextManager[_Begun]:
        """Begin a new run, or go on with the latest unfinished one, as is wanted."""
        names = self.store.runs.begun(ticker) if self.beginning.resume else []
        return self.resumed(self.store.runs.open(names[-1])) if names else self._anew(ticker)

    @contextmanager
    def _anew(self, ticker: str) -> Iterator[_Begun]:
        bars = self.store.prices.bars(ticker)
        now, weights = utc_now(), self.beginning.weights
        record = RunRecord(
            id=run_id(ticker, now),
            ticker=ticker,
            created=now,
            config=self.config,
            rows=len(bars),
            last=str(bars.dates[-1]),
            sha256=bars.fingerprint(),
            start=None if weights is None else weights_identity(self.store, weights),
        )
        # What cannot be trained at all is said before a directory is made for it.
        split = split_origins(len(bars), warm_up_rows(self.config), self.config)
        if record.start is not None:
            require_unseen_test_part(
                self.store, record.start, ticker, bars, split, self.config.horizon
            )
        self._note_unfinished(ticker)
        if self.where.is_far:
            yield _Begun(None, self._order(record, bars, RunInMemory()), resumed=False)
            return
        run = self.store.runs.create(record)
        with self.store.runs.locked(record.id), kept(run):
            yield _Begun(run, self._order(record, bars, run), resumed=False)

    def _note_unfinished(self, ticker: str) -> None:
        runs = self.store.runs.idle(ticker)
        if not runs:
            return
        several = len(runs) > 1
        found = f"{len(runs)} unfinished runs" if several else "an unfinished run"
        self.on_note(
            f"{ticker} has {found}; to go on with {'the latest' if several else 'it'} instead: "
            f"stocklstm train --resume {runs[-1].record.id}"
        )

    @contextmanager
    def resumed(self, run: Run) -> Iterator[_Begun]:
        """Go on with a run, on the prices that it was given."""
        with self.store.runs.locked(run.record.id):
            # Another process may have finished it meanwhile.
            run = self.store.runs.open(run.record.id)
            bars = self._same_bars(run.record)
            with kept(run):
                far = self.where.is_far
                files = RunInMemory(run.state(), run.checkpoints()) if far else run
                yield _Begun(run, self._order(run.record, bars, files), resumed=True)

    def _same_bars(self, record: RunRecord) -> Bars:
        name = f"the run {record.id}"
        return self.store.prices.pinned(
            record.ticker, record.last, record.sha256, name=name, command="train"
        )

    def _order(self, record: RunRecord, bars: Bars, files: RunFiles) -> TrainingOrder:
        return TrainingOrder(
            record=record,
            bars=bars,
            sources=tuple(self.store.prices.sources(record.ticker)),
            currency=self.store.prices.instrument(record.ticker).currency,
            files=files,
            start=None if record.start is None else read_checkpoint(self.store, record.start),
        )

    # Publishing

    def _published(self, begun: _Begun, finished: FinishedVersion) -> TrainedVersion:
        manifest, promotion = self._publish(begun.order, finished)
        return TrainedVersion.published(
            self.store,
            manifest,
            promotion,
            seconds=finished.seconds,
            diagnosis=finished.diagnosis,
            resumed_from=begun.order.record.id if begun.resumed else None,
        )

    def _publish(
        self, order: TrainingOrder, finished: FinishedVersion
    ) -> tuple[Manifest, Promotion]:
        ticker, registry = order.record.ticker, self.store.registry
        with registry.draft(ticker) as draft:
            _write(draft, finished)
            with writer_lock(self.store.paths, ticker, self.lock_timeout_s):
                promotion = self._judge(order, finished)
                at = utc_now()
                manifest = registry.publish(
                    draft,
                    ticker,
                    lambda version: replace(finished.manifest, version=version, created=at),
                    at=at,
                    promotion=promotion.reason if promotion.promoted else None,
                )
        return manifest, promotion

    def _judge(self, order: TrainingOrder, finished: FinishedVersion) -> Promotion:
        ticker, horizon = order.record.ticker, order.record.config.horizon
        bars, days = {ticker: order.bars}, {ticker: finished.days}
        return promote_by(self.promote, lambda: judge(self.store, ticker, horizon, bars, days))


def _write(draft: Draft, finished: FinishedVersion) -> None:
    """Write the files of a version, if they are those that its manifest describes.

    Raises:
        ArtifactCorruptError: They are not.
    """
    for name, content in finished.files.items():
        draft.write(name, content)
    if draft.files != finished.manifest.files:
        raise ArtifactCorruptError(
            f"a version of {finished.manifest.ticker} did not come back whole from its process",
            hint=f"stocklstm train --ticker {finished.manifest.ticker} makes it anew",
        )
