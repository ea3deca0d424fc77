"""train: a new version in the store."""

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version as installed
from pathlib import Path

from stocklstm.core.baselines import EwmaBaseline
from stocklstm.core.clock import utc_now
from stocklstm.core.config import LOCK_TIMEOUT_S, TrainingConfig
from stocklstm.core.evaluation import ScoredDays, evaluate, naive_error, score_days
from stocklstm.core.history import EpochRecord, diagnose, history_csv
from stocklstm.core.outcomes import Failure, for_each
from stocklstm.core.scaling import AnchorScaling, PriceScaling, fit_scaling, warm_up_rows
from stocklstm.core.scores import Evaluation
from stocklstm.core.series import Bars, parse_ticker
from stocklstm.core.splits import Split, split_origins
from stocklstm.errors import ConfigError
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.checkpoints import encode_checkpoint
from stocklstm.learn.export import export_onnx
from stocklstm.learn.loop import TrainedNetwork, TrainingData, train_network
from stocklstm.report.forecasts import predictions_png
from stocklstm.report.training import history_png
from stocklstm.store.locks import writer_lock
from stocklstm.store.manifest import DataRecord, Manifest, SplitRecord, TrainingRecord
from stocklstm.store.registry import Draft
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.promotion import Promotion, judge_challenger
from stocklstm.workflows.serving import CHECKPOINT_FILE, SERVING_FILE

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
        best_epoch: Epoch whose weights were kept.
        best_val_loss: Validation loss there.
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
    names = [parse_ticker(ticker) for ticker in tickers]
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        store.require_writable()
        run = _Training(store, config, promote, lock_timeout_s, on_epoch)
        return TrainResult(*for_each(names, run.train_one))


@dataclass(frozen=True, eq=False)
class _Trained:
    """Everything a version is made of, before it has a number."""

    bars: Bars
    split: Split
    network: TrainedNetwork
    onnx: bytes
    forecaster: Forecaster
    baseline: EwmaBaseline
    mase_scale: float
    days: ScoredDays
    evaluation: Evaluation
    seconds: float


@dataclass(frozen=True)
class _Training:
    store: Store
    config: TrainingConfig
    promote: str
    lock_timeout_s: float
    on_epoch: Callable[[EpochEnded], None]

    def train_one(self, ticker: str) -> TrainedVersion:
        trained = self._fit(ticker, self.store.prices.bars(ticker))
        registry = self.store.registry
        with registry.draft(ticker) as draft:
            self._write(draft, ticker, trained)
            with writer_lock(self.store.paths, ticker, self.lock_timeout_s):
                manifest = registry.publish(
                    draft, ticker, lambda version: self._describe(draft, ticker, version, trained)
                )
                promotion = self._judge(ticker, trained)
                if promotion.promoted:
                    registry.promote(
                        ticker, manifest.version, reason=promotion.reason, at=utc_now()
                    )
        return TrainedVersion(
            ticker=ticker,
            version=manifest.version,
            preset=self.config.preset,
            epochs=manifest.training.epochs,
            best_epoch=manifest.training.best_epoch,
            best_val_loss=manifest.training.best_val_loss,
            parameters=manifest.training.parameters,
            seconds=trained.seconds,
            promoted=promotion.promoted,
            promotion=promotion.reason,
            diagnosis=self._diagnosis(trained.network),
            evaluation=trained.evaluation,
            resumed_from=None,
            path=str(self.store.paths.version(ticker, manifest.version)),
        )

    def _fit(self, ticker: str, bars: Bars) -> _Trained:
        config = self.config
        split = split_origins(len(bars), warm_up_rows(config), config)
        scaling = fit_scaling(bars, split, config)
        data = TrainingData(
            scaling.inputs(bars), scaling.targets(bars), split.train, split.validation
        )
        started = time.perf_counter()
        network = train_network(
            config, data, lambda record: self.on_epoch(EpochEnded(ticker, config.epochs, record))
        )
        seconds = time.perf_counter() - started
        onnx = export_onnx(network.network, config)
        forecaster = Forecaster(ServingGraph(onnx), config, scaling)
        if isinstance(scaling, PriceScaling):
            outputs = forecaster.outputs(bars, split.calibration)
            calibrated = scaling.calibrate(outputs, bars, split.calibration)
            forecaster = replace(forecaster, scaling=calibrated)
        baseline = EwmaBaseline.fit(bars, split.train_rows)
        mase_scale = naive_error(bars, split.train_rows)
        days = score_days(bars, split.test, forecaster.forecast(bars, split.test), baseline)
        return _Trained(
            bars=bars,
            split=split,
            network=network,
            onnx=onnx,
            forecaster=forecaster,
            baseline=baseline,
            mase_scale=mase_scale,
            days=days,
            evaluation=evaluate(days, mase_scale),
            seconds=seconds,
        )

    def _diagnosis(self, network: TrainedNetwork) -> str:
        return diagnose(
            network.history, kept_epoch=network.state["epoch"], epochs=self.config.epochs
        )

    def _write(self, draft: Draft, ticker: str, trained: _Trained) -> None:
        network = trained.network
        draft.write(SERVING_FILE, trained.onnx)
        draft.write(
            CHECKPOINT_FILE,
            encode_checkpoint(network.network, network.state, self.config, network.history),
        )
        draft.write("history.csv", history_csv(network.history).encode())
        title = f"{ticker}, preset {self.config.preset}"
        kept = network.state["epoch"]
        draft.write(
            "training_history.png",
            history_png(network.history, kept, self.config.loss, title, self._diagnosis(network)),
        )
        currency = self.store.prices.instrument(ticker).currency
        draft.write(
            "predictions_vs_actual.png",
            predictions_png(trained.days, trained.evaluation, title, currency),
        )

    def _judge(self, ticker: str, trained: _Trained) -> Promotion:
        if self.promote != "auto":
            return Promotion(promoted=self.promote == "always", reason=f"--promote {self.promote}")
        return judge_challenger(self.store, ticker, trained.bars, trained.split, trained.days)

    def _describe(self, draft: Draft, ticker: str, version: int, trained: _Trained) -> Manifest:
        bars, split, history = trained.bars, trained.split, trained.network.history
        kept = trained.network.state["epoch"]
        scaling = trained.forecaster.scaling
        return Manifest(
            ticker=ticker,
            version=version,
            created=utc_now(),
            config=self.config,
            anchor=scaling if isinstance(scaling, AnchorScaling) else None,
            prices=scaling if isinstance(scaling, PriceScaling) else None,
            baseline=trained.baseline,
            mase_scale=trained.mase_scale,
            splits=_split_record(bars, split, self.config.horizon),
            data=DataRecord(
                rows=len(bars),
                first=str(bars.dates[0]),
                last=str(bars.dates[-1]),
                sha256=bars.fingerprint(),
                sources=tuple(self.store.prices.sources(ticker)),
            ),
            training=TrainingRecord(
                epochs=history[-1].epoch,
                best_epoch=kept,
                best_val_loss=next(r.val_loss for r in history if r.epoch == kept),
                seconds=round(trained.seconds, 3),
                parameters=trained.network.network.parameter_count,
            ),
            evaluation=trained.evaluation,
            environment=_environment(),
            files=dict(draft.files),
        )


def _split_record(bars: Bars, split: Split, horizon: int) -> SplitRecord:
    def day(origin: int) -> str:
        return str(bars.dates[origin + horizon])

    return SplitRecord(
        train_start=day(split.train[0]),
        train_end=day(split.train[-1]),
        validation_start=day(split.validation[0]),
        test_start=day(split.test[0]),
        test_end=day(split.test[-1]),
    )


def _environment() -> dict[str, str]:
    packages = ("stocklstm", "torch", "onnx", "onnxruntime", "numpy")
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{name: installed(name) for name in packages},
    }
