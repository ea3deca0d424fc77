"""train: a new version in the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stocklstm.core.clock import utc_now
from stocklstm.core.config import LOCK_TIMEOUT_S, TrainingConfig
from stocklstm.core.history import history_csv
from stocklstm.core.outcomes import Failure, for_each
from stocklstm.core.pools import is_pool
from stocklstm.core.scaling import warm_up_rows
from stocklstm.core.scores import Evaluation
from stocklstm.core.series import Bars, parse_ticker
from stocklstm.core.splits import split_origins
from stocklstm.errors import ConfigError, TrainingDivergedError
from stocklstm.learn.checkpoints import encode_checkpoint
from stocklstm.learn.loop import StoppedError
from stocklstm.report.forecasts import predictions_png
from stocklstm.report.training import history_png
from stocklstm.store.locks import writer_lock
from stocklstm.store.manifest import CHECKPOINT_FILE, SERVING_FILE, Manifest
from stocklstm.store.registry import Draft
from stocklstm.store.runs import Run, RunRecord, checkpoint_name, run_id
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.fitting import FittedModel, fit_model
from stocklstm.workflows.pinned import pinned_bars
from stocklstm.workflows.promotion import Promotion, check_rule, judge_challenger
from stocklstm.workflows.running import EpochEnded, RunKeeper, TrainingStoppedError, state_of
from stocklstm.workflows.starting import (
    read_weights,
    require_unseen_test_part,
    weights_identity,
)

AUTO = "auto"
"""What to call the latest unfinished run."""


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
class TrainedVersion:
    """What one run made.

    Attributes:
        ticker: Whose model.
        version: Its number.
        preset: What the settings started from.
        epochs: Passes made.
        best_epoch: Epoch with the lowest validation loss.
        best_val_loss: Validation loss there.
        kept_epoch: Epoch whose weights were kept.
        parameters: Weights of the network.
        seconds: Wall time of training.
        promoted: True if it is the champion now.
        promotion: Why or why not, in words.
        diagnosis: What the losses show, in words.
        diagnosis_kind: The same in one word or two; see `core.diagnosis`.
        evaluation: Scores on the test part.
        resumed_from: The run it went on with; None for a fresh start.
        path: Its directory.
    """

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
    diagnosis: str
    diagnosis_kind: str
    evaluation: Evaluation
    resumed_from: str | None
    path: str


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
    should_stop: Callable[[], bool] = lambda: False,
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    on_epoch: Callable[[EpochEnded], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> TrainResult:
    """Train a network on the stored prices of each ticker and publish it as a new version.

    Args:
        tickers: As typed; at least one, unless a run is resumed.
        config: All settings; a run that is resumed keeps its own.
        promote: "auto" makes it champion unless it is significantly worse than the champion on
            the same test days; "always"; "never".
        beginning: Where to begin; by default with random weights.
        should_stop: Asked after every step; once it says yes the state is kept and training ends.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.
        on_epoch: Called after every epoch.
        on_note: Called with what a person may want to know before a training, in words: that an
            unfinished run is there, when a new one begins.

    Raises:
        ConfigError: No ticker, no such promotion rule, or options that exclude each other.
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
            store,
            config,
            promote,
            beginning.weights,
            lock_timeout_s,
            should_stop,
            on_epoch,
            on_note,
        )
        if resume not in {None, AUTO}:
            return _resume_one(training, str(resume), tickers)
        names = list(tickers) or (_unfinished_tickers(store) if resume else [])
        if not names:
            raise ConfigError("train needs a ticker", hint="stocklstm train --ticker PETR4.SA")
        task = training.resume_latest if resume else training.start
        return TrainResult(*for_each(names, parse_ticker, task))


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
    return TrainResult(*for_each([run.record.ticker], str, lambda _: training.go_on(run)))


@dataclass(frozen=True)
class _Training:
    store: Store
    config: TrainingConfig
    promote: str
    first_weights: str | None
    lock_timeout_s: float
    should_stop: Callable[[], bool]
    on_epoch: Callable[[EpochEnded], None]
    on_note: Callable[[str], None]

    def start(self, ticker: str) -> TrainedVersion:
        """Begin a new run."""
        bars = self.store.prices.bars(ticker)
        now = utc_now()
        record = RunRecord(
            id=run_id(ticker, now),
            ticker=ticker,
            created=now,
            config=self.config,
            rows=len(bars),
            last=str(bars.dates[-1]),
            sha256=bars.fingerprint(),
            start=None
            if self.first_weights is None
            else weights_identity(self.store, self.first_weights),
        )
        # What cannot be trained at all is said before a directory is made for it.
        split = split_origins(len(bars), warm_up_rows(self.config), self.config)
        if record.start is not None:
            require_unseen_test_part(
                self.store, record.start, ticker, bars, split, self.config.horizon
            )
        self._note_unfinished(ticker)
        run = self.store.runs.create(record)
        with self.store.runs.locked(record.id):
            return self._train(run, bars, resumed=False)

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

    def resume_latest(self, ticker: str) -> TrainedVersion:
        """Go on with the latest unfinished run, or begin one."""
        names = self.store.runs.begun(ticker)
        return self.go_on(self.store.runs.open(names[-1])) if names else self.start(ticker)

    def go_on(self, run: Run) -> TrainedVersion:
        """Go on with a run, on the prices that it was given."""
        with self.store.runs.locked(run.record.id):
            # Another process may have finished it meanwhile.
            run = self.store.runs.open(run.record.id)
            return self._train(run, self._same_bars(run.record), resumed=True)

    def _same_bars(self, record: RunRecord) -> Bars:
        name = f"the run {record.id}"
        return pinned_bars(
            self.store, record.ticker, record.last, record.sha256, name=name, command="train"
        )

    def _train(self, run: Run, bars: Bars, *, resumed: bool) -> TrainedVersion:
        record = run.record
        state = state_of(run)
        try:
            model = fit_model(
                bars,
                record.config,
                lambda epoch: self.on_epoch(EpochEnded(record.ticker, record.config.epochs, epoch)),
                keeper=RunKeeper(run, self.should_stop),
                resume=state,
                start=None if record.start is None else read_weights(self.store, record.start),
            )
        except StoppedError as error:
            raise TrainingStoppedError(record.id) from error
        except TrainingDivergedError:
            # It would diverge again.
            run.remove()
            raise
        except BaseException:
            if run.state() is None:
                run.remove()
            raise
        version = self._published(run, model, resumed=resumed)
        run.remove()
        return version

    def _published(self, run: Run, model: FittedModel, *, resumed: bool) -> TrainedVersion:
        ticker = run.record.ticker
        manifest, promotion = self._publish(run, model)
        return TrainedVersion(
            ticker=ticker,
            version=manifest.version,
            preset=manifest.config.preset,
            epochs=manifest.training.epochs,
            best_epoch=manifest.training.best_epoch,
            best_val_loss=manifest.training.best_val_loss,
            kept_epoch=manifest.training.kept_epoch,
            parameters=manifest.training.parameters,
            seconds=model.seconds,
            promoted=promotion.promoted,
            promotion=promotion.reason,
            diagnosis=model.diagnosis.words,
            diagnosis_kind=model.diagnosis.kind,
            evaluation=model.evaluation,
            resumed_from=run.record.id if resumed else None,
            path=str(self.store.paths.version(ticker, manifest.version)),
        )

    def _publish(self, run: Run, model: FittedModel) -> tuple[Manifest, Promotion]:
        ticker, registry = run.record.ticker, self.store.registry
        sources = tuple(self.store.prices.sources(ticker))
        with registry.draft(ticker) as draft:
            self._write(draft, run, model)
            with writer_lock(self.store.paths, ticker, self.lock_timeout_s):
                promotion = self._judge(ticker, model)
                manifest = registry.publish(
                    draft,
                    ticker,
                    lambda version: model.manifest(ticker, version, sources, dict(draft.files)),
                    at=utc_now(),
                    promotion=promotion.reason if promotion.promoted else None,
                )
        return manifest, promotion

    def _write(self, draft: Draft, run: Run, model: FittedModel) -> None:
        ticker, config = run.record.ticker, run.record.config
        title = f"{ticker}, preset {config.preset}"
        currency = self.store.prices.instrument(ticker).currency
        network = model.network
        history = network.history
        draft.write(SERVING_FILE, model.onnx)
        draft.write(
            CHECKPOINT_FILE,
            encode_checkpoint(network.network, network.state, config, history),
        )
        for epoch in network.checkpoints:
            draft.write(checkpoint_name(epoch), run.checkpoint(epoch))
        draft.write("history.csv", history_csv(history).encode())
        draft.write(
            "training_history.png",
            history_png(
                history,
                network.constant,
                config,
                model.kept_epoch,
                title,
                model.diagnosis.words,
            ),
        )
        draft.write(
            "predictions_vs_actual.png",
            predictions_png(model.days, model.evaluation, title, currency),
        )

    def _judge(self, ticker: str, model: FittedModel) -> Promotion:
        if self.promote != "auto":
            return Promotion(promoted=self.promote == "always", reason=f"--promote {self.promote}")
        return judge_challenger(self.store, ticker, model.bars, model.split, model.days)
