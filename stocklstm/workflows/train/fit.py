"""From prices and settings to a model with its scores, before it is stored anywhere."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from stocklstm.core.clock import utc_now
from stocklstm.core.inputs.features import input_ranges
from stocklstm.core.inputs.scaling import (
    AnchorScaling,
    PriceScaling,
    Scaling,
    fit_scaling,
    warm_up_rows,
)
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.splits import Split, split_origins
from stocklstm.core.scores.baselines import Baselines, naive_error
from stocklstm.core.scores.evaluation import ScoredDays, evaluate, score_days
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.training.diagnosis import Diagnosis, diagnose
from stocklstm.core.training.epochs import EpochRecord
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.loop import TrainedNetwork, TrainingData, train_network
from stocklstm.learn.onnx_graph import export_onnx
from stocklstm.learn.stopping import Keeper, State
from stocklstm.store.manifest import (
    DataRecord,
    FileRecord,
    Manifest,
    SplitRecord,
    TrainingRecord,
)
from stocklstm.workflows.environment import environment


@dataclass(frozen=True, eq=False)
class Prepared:
    """Prices made ready for the network.

    Attributes:
        split: Parts of them.
        scaling: Fitted on the training part.
        data: What the training loop may see.
    """

    split: Split
    scaling: Scaling
    data: TrainingData


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network, of one ticker or of several.

    Attributes:
        config: Settings it was trained with.
        network: The network and its history.
        onnx: Its serving graph.
        mase_scale: Naive error of the training part: in currency, or of several tickers in shares
            of the last close.
        evaluation: Scores on the test part.
    """

    config: TrainingConfig
    network: TrainedNetwork
    onnx: bytes
    mase_scale: float
    evaluation: Evaluation

    @property
    def seconds(self) -> float:
        """Wall time of all epochs, also of those before the run was stopped and resumed."""
        return sum(record.seconds for record in self.network.history)

    @property
    def kept_epoch(self) -> int:
        """Epoch whose weights these are."""
        return int(self.network.state["epoch"])

    @property
    def diagnosis(self) -> Diagnosis:
        """What the losses show."""
        network = self.network
        return diagnose(network.history, network.constant, self.config, self.kept_epoch)


@dataclass(frozen=True, eq=False)
class FittedModel(Fitted):
    """A trained network, all that belongs to it, and how it did on the test part.

    Attributes:
        bars: Prices it was trained and tested on.
        split: Parts of them.
        forecaster: What the graph and the scaling forecast.
        baselines: What costs nothing, on the same training part.
        days: Test part, scored day by day.
    """

    bars: Bars
    split: Split
    forecaster: Forecaster
    baselines: Baselines
    days: ScoredDays

    def manifest(
        self, ticker: str, version: int, sources: tuple[str, ...], files: dict[str, FileRecord]
    ) -> Manifest:
        """Describe it as a version of a ticker.

        Args:
            ticker: Whose.
            version: Its number.
            sources: Where the prices came from.
            files: What was written of it.
        """
        scaling = self.forecaster.scaling
        return Manifest(
            ticker=ticker,
            version=version,
            created=utc_now(),
            config=self.config,
            anchor=scaling if isinstance(scaling, AnchorScaling) else None,
            prices=scaling if isinstance(scaling, PriceScaling) else None,
            input_ranges=input_ranges(
                self.config.features,
                self.bars,
                np.arange(scaling.warm_up, int(self.split.train[-1]) + 1),
                scaling.anchor,
            ),
            baselines=self.baselines,
            mase_scale=self.mase_scale,
            splits=_split_record(self.bars, self.split, self.config.horizon),
            data=DataRecord(
                rows=len(self.bars),
                first=str(self.bars.dates[0]),
                last=str(self.bars.dates[-1]),
                last_close=float(self.bars.closes[-1]),
                sha256=self.bars.fingerprint(),
                sources=sources,
            ),
            training=training_record(self.network, self.diagnosis.kind),
            evaluation=self.evaluation,
            environment=environment(),
            files=files,
        )


def training_record(network: TrainedNetwork, diagnosis: str = "") -> TrainingRecord:
    """Describe how a training went.

    Args:
        network: What came of it.
        diagnosis: Kind of `core.training.diagnosis.Diagnosis`; empty if none was made.
    """
    history = network.history
    best = history[-1].best_epoch
    return TrainingRecord(
        epochs=history[-1].epoch,
        best_epoch=best,
        best_val_loss=next(record.val_loss for record in history if record.epoch == best),
        kept_epoch=int(network.state["epoch"]),
        seconds=round(sum(record.seconds for record in history), 3),
        parameters=network.network.parameter_count,
        device=network.device,
        diagnosis=diagnosis,
    )


def prepare(bars: Bars, config: TrainingConfig, split: Split | None = None) -> Prepared:
    """Split prices, fit the scaling and build what training may see.

    All rows after the last validation label are cut off before anything but their number is
    looked at: no test row can reach a weight, a scaler or a choice.

    Args:
        bars: N sessions.
        config: All settings.
        split: Parts of the prices; by default those that the settings make.

    Raises:
        SeriesTooShortError: There are too few rows for these settings.
    """
    if split is None:
        split = split_origins(len(bars), warm_up_rows(config), config)
    seen = bars.select(slice(0, int(split.validation[-1]) + config.horizon + 1))
    scaling = fit_scaling(seen, split, config)
    data = TrainingData(scaling.inputs(seen), scaling.targets(seen), split.train, split.validation)
    return Prepared(split, scaling, data)


def forecast_day(bars: Bars, origin: int, horizon: int) -> str:
    """Name the ISO day that is forecast at an origin.

    Args:
        bars: N sessions.
        origin: Row at whose close the forecast is made.
        horizon: Sessions ahead.
    """
    return str(bars.dates[origin + horizon])


def fit_model(
    bars: Bars,
    config: TrainingConfig,
    on_epoch: Callable[[EpochRecord], None],
    *,
    split: Split | None = None,
    keeper: Keeper | None = None,
    resume: State | None = None,
    start: State | None = None,
) -> FittedModel:
    """Train a network and score it through the serving graph.

    Args:
        bars: N sessions.
        config: All settings.
        on_epoch: Called after every epoch.
        split: Parts of the prices; by default those that the settings make.
        keeper: Where the run keeps what must survive it; by default nowhere.
        resume: State to go on from.
        start: Checkpoint of the version whose weights are to be the first ones.

    Raises:
        SeriesTooShortError: There are too few rows for these settings.
        TrainingDivergedError: The loss became infinite, or worse than that of an untrained network.
        StoppedError: The keeper said so.
        ConfigError: The weights to start from are of another architecture.
    """
    prepared = prepare(bars, config, split)
    network = train_network(
        config, prepared.data, on_epoch, keeper=keeper, resume=resume, start=start
    )
    return assess(bars, config, prepared, network)


def assess(
    bars: Bars, config: TrainingConfig, prepared: Prepared, network: TrainedNetwork
) -> FittedModel:
    """Calibrate a network and score it on the test part, through the serving graph.

    Args:
        bars: N sessions.
        config: All settings.
        prepared: Their parts and the scaling of them.
        network: Trained.
    """
    split = prepared.split
    onnx = export_onnx(network.network, config)
    forecaster = Forecaster(ServingGraph(onnx), config, prepared.scaling)
    forecaster = calibrated(forecaster, bars, split)
    baselines = Baselines.fit(bars, split.train_rows)
    mase_scale = naive_error(bars, split.train_rows, config.horizon)
    forecasts = forecaster.forecast(bars, split.test)
    days = score_days(bars, split.test, forecasts, baselines, config.horizon)
    return FittedModel(
        config=config,
        bars=bars,
        split=split,
        network=network,
        onnx=onnx,
        forecaster=forecaster,
        baselines=baselines,
        mase_scale=mase_scale,
        days=days,
        evaluation=evaluate(days, mase_scale),
    )


def calibrated(forecaster: Forecaster, bars: Bars, split: Split) -> Forecaster:
    """Give a price model its intervals; a return model has its own.

    Args:
        forecaster: What the network forecasts.
        bars: N sessions.
        split: Parts of them.
    """
    if not isinstance(forecaster.scaling, PriceScaling):
        return forecaster
    outputs = forecaster.outputs(bars, split.calibration)
    return replace(
        forecaster, scaling=forecaster.scaling.calibrate(outputs, bars, split.calibration)
    )


def _split_record(bars: Bars, split: Split, horizon: int) -> SplitRecord:
    def day(origin: int) -> str:
        return forecast_day(bars, origin, horizon)

    return SplitRecord(
        train_start=day(split.train[0]),
        train_end=day(split.train[-1]),
        validation_start=day(split.validation[0]),
        test_start=day(split.test[0]),
        test_end=day(split.test[-1]),
    )
