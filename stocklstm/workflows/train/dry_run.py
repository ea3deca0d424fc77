"""train --dry-run: what a training would do and about how long it would take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.inputs.parts import SplitSeries, forecast_days
from stocklstm.core.reference import is_pool, parse_ticker
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.checkpoints import decode_checkpoint
from stocklstm.learn.timing import measure_pace
from stocklstm.store.store import Store
from stocklstm.workflows.train.order import Dataset, LeftOutTicker
from stocklstm.workflows.train.runs import read_pool, read_ticker
from stocklstm.workflows.train.warm_start import (
    read_checkpoint,
    require_unseen_test_part,
    weights_identity,
)

PARTS = ("train", "validation", "calibration", "test")
"""Of the prices, oldest first."""


@dataclass(frozen=True)
class PlannedNetwork:
    """The network that would be trained.

    Attributes:
        inputs: Features of a session.
        hidden: Units of each LSTM layer.
        layers: LSTM layers.
        outputs: Numbers given per window.
    """

    inputs: int
    hidden: int
    layers: int
    outputs: int


@dataclass(frozen=True)
class PlannedPart:
    """One part of the prices.

    Attributes:
        name: "train", "validation", "calibration" or "test".
        windows: How many; 0 where the settings want no such part.
        first: First ISO day that is forecast; None without windows.
        last: Last one.
    """

    name: str
    windows: int
    first: str | None
    last: str | None


@dataclass(frozen=True, repr=False)
class PlannedTraining(Result):
    """What one training would do.

    Attributes:
        ticker: Whose model.
        preset: What the settings started from.
        network: Its shape.
        parameters: Trainable numbers of it.
        rows: Stored sessions.
        first: First ISO day of them.
        last: Last one.
        parts: Oldest first.
        steps_per_epoch: Optimizer steps in a pass over the training windows.
        epochs: Most passes.
        steps: Most steps in all.
        patience: Epochs without improvement after which it would stop early; None for never.
        start: Version whose weights it would begin with; None for random ones.
        device: Where it would train, in words.
        skipped_devices: GPUs that are there and that `device` auto does not take, with the reason.
        seconds_per_step: Measured here and now, on the first steps.
        seconds_per_validation: Of a pass over the validation windows, likewise.
        seconds: About how long all epochs would take.
    """

    SHOWN = ("ticker", "preset", "parameters", "rows", "steps", "epochs", "seconds")

    ticker: str
    preset: str
    network: PlannedNetwork
    parameters: int
    rows: int
    first: str
    last: str
    parts: tuple[PlannedPart, ...]
    steps_per_epoch: int
    epochs: int
    steps: int
    patience: int | None
    start: str | None
    device: str
    skipped_devices: tuple[str, ...]
    seconds_per_step: float
    seconds_per_validation: float
    seconds: float


@dataclass(frozen=True)
class PlannedPool(PlannedTraining):
    """What the training of a pooled model would do; rows and parts are of all its tickers.

    Attributes:
        tickers: Those that it would be trained, validated or tested on.
        left_out: Those that were named and cannot be used.
    """

    tickers: tuple[str, ...]
    left_out: tuple[LeftOutTicker, ...]


@dataclass(frozen=True, repr=False)
class PlanResult(Batch[PlannedTraining]):
    """Outcome for all tickers."""

    @property
    def plans(self) -> tuple[PlannedTraining, ...]:
        """What the trainings would do."""
        return self.results


def dry_run(
    store: Store,
    tickers: Sequence[str],
    config: TrainingConfig,
    *,
    weights: str | None,
) -> PlanResult:
    """Say what training a model of each ticker would do; see `Client.dry_run`."""

    def plan(ticker: str) -> PlannedTraining:
        return _plan(store, read_ticker(store, ticker, config), config, weights)

    return PlanResult(*for_each(tickers, parse_ticker, plan))


def dry_run_pooled(
    store: Store,
    name: str | None,
    tickers: Sequence[str],
    config: TrainingConfig,
    *,
    weights: str | None,
    on_note: Callable[[str], None],
) -> PlanResult:
    """Say what training one model of several tickers would do; see `Client.dry_run_pooled`."""
    dataset = read_pool(store, name, tickers, config, on_note)
    return PlanResult((_plan(store, dataset, config, weights),))


def _plan(
    store: Store, dataset: Dataset, config: TrainingConfig, weights: str | None
) -> PlannedTraining:
    start = None if weights is None else weights_identity(store, weights)
    prepared = dataset.prepare(config)
    series = prepared.series
    if start is not None:
        require_unseen_test_part(store, start, dataset.owner, series, config.horizon)
    pace = measure_pace(
        config,
        prepared.data,
        start=None if start is None else decode_checkpoint(read_checkpoint(store, start)),
    )
    facts: dict[str, Any] = {
        "ticker": dataset.owner,
        "preset": config.preset,
        "network": PlannedNetwork(
            config.input_size, config.hidden_size, config.num_layers, config.outputs
        ),
        "parameters": pace.parameters,
        "rows": sum(len(each.bars) for each in series),
        "first": min(str(each.bars.dates[0]) for each in series),
        "last": max(str(each.bars.dates[-1]) for each in series),
        "parts": tuple(_part(series, name, config.horizon) for name in PARTS),
        "steps_per_epoch": pace.steps_per_epoch,
        "epochs": config.epochs,
        "steps": config.epochs * pace.steps_per_epoch,
        "patience": config.patience,
        "start": start,
        "device": pace.device,
        "skipped_devices": pace.skipped_devices,
        "seconds_per_step": pace.step_s,
        "seconds_per_validation": pace.validation_s,
        "seconds": pace.seconds(config.epochs),
    }
    if is_pool(dataset.owner):
        return PlannedPool(**facts, tickers=tuple(sorted(dataset.bars)), left_out=dataset.left_out)
    return PlannedTraining(**facts)


def _part(series: Sequence[SplitSeries], name: str, horizon: int) -> PlannedPart:
    windows = sum(len(getattr(each.split, name)) for each in series)
    days = forecast_days(series, name, horizon)
    return PlannedPart(name, windows, days[0] if days else None, days[-1] if days else None)
