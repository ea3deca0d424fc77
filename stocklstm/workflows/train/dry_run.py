"""train --dry-run: what a training would do and about how long it would take."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stocklstm.core.batch import Failure, for_each
from stocklstm.core.inputs.parts import forecast_day
from stocklstm.core.prices.series import Bars, Indices
from stocklstm.core.prices.splits import Split
from stocklstm.core.reference import parse_ticker
from stocklstm.core.settings.config import LOCK_TIMEOUT_S, TrainingConfig
from stocklstm.errors import ConfigError
from stocklstm.learn.checkpoints import decode_checkpoint
from stocklstm.learn.timing import measure_pace
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.train.fit import prepare
from stocklstm.workflows.train.warm_start import (
    read_checkpoint,
    require_unseen_test_part,
    weights_identity,
)


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


@dataclass(frozen=True)
class PlannedTraining:
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
        seconds_per_step: Measured here and now, on the first steps.
        seconds_per_validation: Of a pass over the validation windows, likewise.
        seconds: About how long all epochs would take.
    """

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
    seconds_per_step: float
    seconds_per_validation: float
    seconds: float


@dataclass(frozen=True)
class PlanResult:
    """Outcome for all tickers."""

    plans: tuple[PlannedTraining, ...]
    failures: tuple[Failure, ...]


def plan_training(
    tickers: Sequence[str],
    config: TrainingConfig,
    *,
    weights: str | None = None,
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> PlanResult:
    """Say what training on the stored prices of each ticker would do, and store nothing.

    The network is built and takes its first steps, which are timed: what would end a training
    right at its beginning is found here as well.

    Args:
        tickers: As typed; at least one.
        config: All settings.
        weights: TICKER@version whose weights are to be the first ones; None for random ones.
        home: The store; by default where the command line has it. It may be read-only.
        lock_timeout_s: Seconds to wait for a writer.

    Raises:
        ConfigError: No ticker.
        NotFoundError: There is no store.
    """
    if not tickers:
        raise ConfigError(
            "train needs a ticker", hint="stocklstm train --ticker PETR4.SA --dry-run"
        )
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        return PlanResult(
            *for_each(tickers, parse_ticker, lambda ticker: _plan(store, config, weights, ticker))
        )


def _plan(
    store: Store, config: TrainingConfig, weights: str | None, ticker: str
) -> PlannedTraining:
    bars = store.prices.bars(ticker)
    start = None if weights is None else weights_identity(store, weights)
    prepared = prepare(bars, config)
    if start is not None:
        require_unseen_test_part(store, start, ticker, bars, prepared.split, config.horizon)
    pace = measure_pace(
        config,
        prepared.data,
        start=None if start is None else decode_checkpoint(read_checkpoint(store, start)),
    )
    return PlannedTraining(
        ticker=ticker,
        preset=config.preset,
        network=PlannedNetwork(
            config.input_size, config.hidden_size, config.num_layers, config.outputs
        ),
        parameters=pace.parameters,
        rows=len(bars),
        first=str(bars.dates[0]),
        last=str(bars.dates[-1]),
        parts=_parts(bars, prepared.split, config.horizon),
        steps_per_epoch=pace.steps_per_epoch,
        epochs=config.epochs,
        steps=config.epochs * pace.steps_per_epoch,
        patience=config.patience,
        start=start,
        device=pace.device,
        seconds_per_step=pace.step_s,
        seconds_per_validation=pace.validation_s,
        seconds=pace.seconds(config.epochs),
    )


def _parts(bars: Bars, split: Split, horizon: int) -> tuple[PlannedPart, ...]:
    def part(name: str, origins: Indices) -> PlannedPart:
        days = [forecast_day(bars, int(row), horizon) for row in (*origins[:1], *origins[-1:])]
        first, last = days or (None, None)
        return PlannedPart(name, len(origins), first, last)

    return (
        part("train", split.train),
        part("validation", split.validation),
        part("calibration", split.calibration),
        part("test", split.test),
    )
