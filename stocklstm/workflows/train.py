"""train: a new version in the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stocklstm.core.clock import utc_now
from stocklstm.core.config import LOCK_TIMEOUT_S, TrainingConfig
from stocklstm.core.history import EpochRecord, history_csv
from stocklstm.core.outcomes import Failure, for_each
from stocklstm.core.scores import Evaluation
from stocklstm.core.series import parse_ticker
from stocklstm.errors import ConfigError
from stocklstm.learn.checkpoints import encode_checkpoint
from stocklstm.report.forecasts import predictions_png
from stocklstm.report.training import history_png
from stocklstm.store.locks import writer_lock
from stocklstm.store.manifest import CHECKPOINT_FILE, SERVING_FILE, Manifest
from stocklstm.store.registry import Draft
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.fitting import FittedModel, fit_model
from stocklstm.workflows.promotion import Promotion, judge_challenger

PROMOTIONS = ("auto", "always", "never")


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
    evaluation: Evaluation
    resumed_from: str | None
    path: str


@dataclass(frozen=True)
class TrainResult:
    """Outcome for all tickers."""

    results: tuple[TrainedVersion, ...]
    failures: tuple[Failure, ...]


def train(
    tickers: Sequence[str],
    config: TrainingConfig,
    *,
    promote: str = "auto",
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
    on_epoch: Callable[[EpochEnded], None] = lambda _: None,
) -> TrainResult:
    """Train a network on the stored prices of each ticker and publish it as a new version.

    Args:
        tickers: As typed; at least one.
        config: All settings.
        promote: "auto" makes it champion unless it is significantly worse than the champion on
            the same test days; "always"; "never".
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.
        on_epoch: Called after every epoch.

    Raises:
        ConfigError: No ticker, or no such promotion rule.
        NotFoundError: There is no store.
    """
    if promote not in PROMOTIONS:
        raise ConfigError(f"--promote is one of {', '.join(PROMOTIONS)}, not {promote!r}")
    if not tickers:
        raise ConfigError("train needs a ticker", hint="stocklstm train --ticker PETR4.SA")
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        store.require_writable()
        run = _Training(store, config, promote, lock_timeout_s, on_epoch)
        return TrainResult(*for_each(tickers, parse_ticker, run.train_one))


@dataclass(frozen=True)
class _Training:
    store: Store
    config: TrainingConfig
    promote: str
    lock_timeout_s: float
    on_epoch: Callable[[EpochEnded], None]

    def train_one(self, ticker: str) -> TrainedVersion:
        model = fit_model(
            self.store.prices.bars(ticker),
            self.config,
            lambda record: self.on_epoch(EpochEnded(ticker, self.config.epochs, record)),
        )
        manifest, promotion = self._publish(ticker, model)
        return TrainedVersion(
            ticker=ticker,
            version=manifest.version,
            preset=self.config.preset,
            epochs=manifest.training.epochs,
            best_epoch=manifest.training.best_epoch,
            best_val_loss=manifest.training.best_val_loss,
            kept_epoch=manifest.training.kept_epoch,
            parameters=manifest.training.parameters,
            seconds=model.seconds,
            promoted=promotion.promoted,
            promotion=promotion.reason,
            diagnosis=model.diagnosis,
            evaluation=model.evaluation,
            resumed_from=None,
            path=str(self.store.paths.version(ticker, manifest.version)),
        )

    def _publish(self, ticker: str, model: FittedModel) -> tuple[Manifest, Promotion]:
        registry = self.store.registry
        sources = tuple(self.store.prices.sources(ticker))
        with registry.draft(ticker) as draft:
            self._write(draft, ticker, model)
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

    def _write(self, draft: Draft, ticker: str, model: FittedModel) -> None:
        title = f"{ticker}, preset {self.config.preset}"
        currency = self.store.prices.instrument(ticker).currency
        network = model.network
        history = network.history
        draft.write(SERVING_FILE, model.onnx)
        draft.write(
            CHECKPOINT_FILE,
            encode_checkpoint(network.network, network.state, self.config, history),
        )
        draft.write("history.csv", history_csv(history).encode())
        draft.write(
            "training_history.png",
            history_png(history, model.kept_epoch, self.config.loss, title, model.diagnosis),
        )
        draft.write(
            "predictions_vs_actual.png",
            predictions_png(model.days, model.evaluation, title, currency),
        )

    def _judge(self, ticker: str, model: FittedModel) -> Promotion:
        if self.promote != "auto":
            return Promotion(promoted=self.promote == "always", reason=f"--promote {self.promote}")
        return judge_challenger(self.store, ticker, model.bars, model.split, model.days)
