"""From prices and settings to a model with its scores, before it is stored anywhere.

What the model of one ticker and a pooled one share, and all of the model of one; see `pool_fit`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np

from stocklstm.core.clock import Stopwatch, utc_now
from stocklstm.core.inputs.features import InputRange, input_ranges
from stocklstm.core.inputs.parts import SplitSeries, split_ticker
from stocklstm.core.inputs.scaling import (
    AnchorScaling,
    PriceScaling,
    Scaling,
    fit_scaling,
    warm_up_rows,
)
from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.splits import Split
from stocklstm.core.scores.baselines import Baselines, naive_error
from stocklstm.core.scores.evaluation import ScoredDays, evaluate, score_days
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.training.diagnosis import Diagnosis, diagnose
from stocklstm.core.training.epochs import EpochRecord, history_csv
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.checkpoints import RunFiles, State, encode_checkpoint
from stocklstm.learn.loop import TrainedNetwork, TrainingData, train_network
from stocklstm.learn.onnx_graph import export_onnx
from stocklstm.learn.stopping import ShouldStop, never
from stocklstm.store.manifest import (
    CHECKPOINT_FILE,
    HISTORY_FILE,
    SERVING_FILE,
    DataRecord,
    FileRecord,
    Manifest,
    TrainingRecord,
    split_record,
)
from stocklstm.store.runs import checkpoint_name
from stocklstm.workflows.environment import environment

UNNUMBERED = 1
"""Stands for the version number until the version is published."""

Sources = Mapping[str, tuple[str, ...]]
"""Where the prices of each ticker came from."""

F_co = TypeVar("F_co", bound="Fitted", covariant=True)


@dataclass(frozen=True, eq=False)
class Prepared(ABC, Generic[F_co]):
    """Prices made ready for the network.

    Attributes:
        config: All settings.
        data: What the training loop may see.
        series: The tickers; one, unless the model is pooled.
    """

    config: TrainingConfig
    data: TrainingData
    series: tuple[SplitSeries, ...]

    def assess(self, network: TrainedNetwork, watch: Stopwatch | None = None) -> F_co:
        """Score a trained network on the test part, through the serving graph."""
        watch = watch or Stopwatch()
        with watch.of("export"):
            onnx = export_onnx(network.network, self.config)
        with watch.of("scores"):
            return self._scored(network, onnx)

    @abstractmethod
    def _scored(self, network: TrainedNetwork, onnx: bytes) -> F_co:
        """Score a trained network by its serving graph."""


@dataclass(frozen=True, eq=False)
class Fitted(ABC):
    """A trained network, all that belongs to it, and how it did on the test part.

    Attributes:
        prepared: What it was trained and tested on.
        network: The network and its history.
        onnx: Its serving graph.
        mase_scale: Naive error of the training part: in currency, or of several tickers in shares
            of the last close.
        evaluation: Scores on the test part.
    """

    prepared: Prepared[Any]
    network: TrainedNetwork
    onnx: bytes
    mase_scale: float
    evaluation: Evaluation

    @property
    def config(self) -> TrainingConfig:
        """Settings it was trained with."""
        return self.prepared.config

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

    @abstractmethod
    def days_by_ticker(self, owner: str) -> dict[str, ScoredDays]:
        """Give the test part of each ticker that has one, scored day by day, in its currency."""

    def files(self, sources: Sources, run: RunFiles) -> dict[str, bytes]:
        """Write all files of the version but its manifest, by name.

        Args:
            sources: Where the prices came from.
            run: Where the checkpoints of the epochs are.
        """
        network, history = self.network, self.network.history
        return {
            SERVING_FILE: self.onnx,
            CHECKPOINT_FILE: encode_checkpoint(
                network.network, network.state, self.config, history
            ),
            **{checkpoint_name(epoch): run.checkpoint(epoch) for epoch in network.checkpoints},
            HISTORY_FILE: history_csv(history).encode(),
            **self._own_files(sources),
        }

    @abstractmethod
    def manifest(self, owner: str, sources: Sources, files: Mapping[str, FileRecord]) -> Manifest:
        """Describe it as a version of a ticker, or of a pooled model, with `UNNUMBERED`."""

    def _own_files(self, sources: Sources) -> dict[str, bytes]:  # noqa: ARG002 - of a pool
        """Write the files that only a model of this kind has, by name."""
        return {}

    def _manifest(
        self,
        owner: str,
        files: Mapping[str, FileRecord],
        anchors: Sequence[VolatilityAnchor | None],
        **own: Any,  # noqa: ANN401 - what a kind has of its own
    ) -> Manifest:
        return Manifest(
            ticker=owner,
            version=UNNUMBERED,
            created=utc_now(),
            config=self.config,
            input_ranges=_seen_ranges(self.prepared.series, anchors, self.config),
            mase_scale=self.mase_scale,
            splits=split_record(self.prepared.series, self.config.horizon),
            training=training_record(self.network, self.diagnosis.kind),
            evaluation=self.evaluation,
            environment=environment(),
            files=dict(files),
            **own,
        )


def fit(
    prepared: Prepared[F_co],
    on_epoch: Callable[[EpochRecord], None],
    *,
    should_stop: ShouldStop = never,
    files: RunFiles | None = None,
    resume: State | None = None,
    start: State | None = None,
    watch: Stopwatch | None = None,
) -> F_co:
    """Train a network and score it through the serving graph.

    Args:
        prepared: From `prepare` or `pool_fit.prepare_pool`.
        on_epoch: Called after every epoch.
        should_stop: Asked after every step.
        files: Where states and checkpoints are saved; by default nowhere.
        resume: State to go on from.
        start: Checkpoint of the version whose weights are to be the first ones.
        watch: Measures where the time goes.

    Raises:
        TrainingDivergedError: The loss became infinite, or worse than that of an untrained network.
        StoppedError: `should_stop` said so.
        ConfigError: The weights to start from are of another architecture.
    """
    watch = watch or Stopwatch()
    with watch.of("training"):
        network = train_network(
            prepared.config,
            prepared.data,
            on_epoch,
            should_stop=should_stop,
            files=files,
            resume=resume,
            start=start,
        )
    return prepared.assess(network, watch)


# The model of one ticker


@dataclass(frozen=True, eq=False)
class PreparedTicker(Prepared["FittedModel"]):
    """The prices of one ticker.

    Attributes:
        scaling: Fitted on the training part.
    """

    scaling: Scaling

    @property
    def bars(self) -> Bars:
        """The prices, N sessions."""
        return self.series[0].bars

    @property
    def split(self) -> Split:
        """Parts of them."""
        return self.series[0].split

    def _scored(self, network: TrainedNetwork, onnx: bytes) -> "FittedModel":
        """Calibrate a network and score it on the test part."""
        bars, split, config = self.bars, self.split, self.config
        forecaster = Forecaster(ServingGraph(onnx), config, self.scaling)
        forecaster = calibrated(forecaster, bars, split)
        baselines = Baselines.fit(bars, split.train_rows)
        mase_scale = naive_error(bars, split.train_rows, config.horizon)
        forecasts = forecaster.forecast(bars, split.test)
        days = score_days(bars, split.test, forecasts, baselines, config.horizon)
        return FittedModel(
            prepared=self,
            network=network,
            onnx=onnx,
            mase_scale=mase_scale,
            evaluation=evaluate(days, mase_scale),
            forecaster=forecaster,
            baselines=baselines,
            days=days,
        )


@dataclass(frozen=True, eq=False)
class FittedModel(Fitted):
    """The model of one ticker.

    Attributes:
        forecaster: What the graph and the scaling forecast.
        baselines: What costs nothing, on the same training part.
        days: Test part, scored day by day.
    """

    prepared: PreparedTicker
    forecaster: Forecaster
    baselines: Baselines
    days: ScoredDays

    def days_by_ticker(self, owner: str) -> dict[str, ScoredDays]:
        """Give its test part."""
        return {owner: self.days}

    def manifest(self, owner: str, sources: Sources, files: Mapping[str, FileRecord]) -> Manifest:
        """Describe it as a version of a ticker, with `UNNUMBERED`."""
        scaling = self.forecaster.scaling
        return self._manifest(
            owner,
            files,
            [scaling.anchor],
            anchor=self._resumable(scaling) if isinstance(scaling, AnchorScaling) else None,
            prices=scaling if isinstance(scaling, PriceScaling) else None,
            baselines=self.baselines,
            data=data_record(self.prepared.bars, sources[owner]),
        )

    def _resumable(self, scaling: AnchorScaling) -> AnchorScaling:
        """Add where the anchor stood, so that a forecast need not read what came before."""
        anchor = scaling.anchor
        state = anchor.resumable(self.prepared.bars, self.forecaster.first_origin())
        return replace(scaling, anchor=replace(anchor, resume=state))


def prepare(bars: Bars, config: TrainingConfig, split: Split | None = None) -> PreparedTicker:
    """Split prices, fit the scaling and build what training may see.

    All rows after the last validation label are cut off before anything but their number is
    looked at: no test row can reach a weight, a scaler or a choice.

    Args:
        bars: N sessions.
        config: All settings.
        split: Parts of the prices; by default those that the settings make, of the prices from
            their first day on.

    Raises:
        SeriesTooShortError: There are too few rows for these settings.
    """
    if split is None:
        series = split_ticker(bars, config)
        bars, split = series.bars, series.split
    seen = bars.select(slice(0, int(split.validation[-1]) + config.horizon + 1))
    scaling = fit_scaling(seen, split, config)
    data = TrainingData(scaling.inputs(seen), scaling.targets(seen), split.train, split.validation)
    return PreparedTicker(config, data, (SplitSeries(bars, split),), scaling)


def calibrated(forecaster: Forecaster, bars: Bars, split: Split) -> Forecaster:
    """Give a price model its intervals; a return model has its own."""
    if not isinstance(forecaster.scaling, PriceScaling):
        return forecaster
    outputs = forecaster.outputs(bars, split.calibration)
    return replace(
        forecaster, scaling=forecaster.scaling.calibrate(outputs, bars, split.calibration)
    )


# Of what a manifest is made


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
        constant_train_loss=network.constant.train,
        constant_val_loss=network.constant.validation,
    )


def data_record(bars: Bars, sources: tuple[str, ...]) -> DataRecord:
    """Describe the prices of one ticker."""
    return DataRecord(
        rows=len(bars),
        first=str(bars.dates[0]),
        last=str(bars.dates[-1]),
        last_close=float(bars.closes[-1]),
        sha256=bars.fingerprint(),
        sources=sources,
        measured={} if bars.realised is None else bars.realised.counts(),
    )


def _seen_ranges(
    series: Sequence[SplitSeries],
    anchors: Sequence[VolatilityAnchor | None],
    config: TrainingConfig,
) -> tuple[InputRange, ...]:
    """Find what the training parts held of each feature, all together."""
    warm_up = warm_up_rows(config)
    found = [
        input_ranges(
            config.features,
            each.bars,
            np.arange(warm_up, int(each.split.train[-1]) + 1),
            anchor,
        )
        for each, anchor in zip(series, anchors, strict=True)
        if len(each.split.train)
    ]
    return tuple(
        InputRange(same[0].name, min(r.low for r in same), max(r.high for r in same))
        for same in zip(*found, strict=True)
    )
