"""evaluate --walk-forward: how good the settings of a model are, trained anew again and again."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.clock import utc_now
from stocklstm.core.inputs.parts import forecast_day
from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.folds import WalkForward, fold_splits
from stocklstm.core.prices.series import Bars
from stocklstm.core.prices.splits import Split
from stocklstm.core.reference import ModelReference, parse_reference
from stocklstm.core.scores.evaluation import ScoredDays, evaluate
from stocklstm.core.scores.pooling import join_folds
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.settings.config import LEVELS, TrainingConfig
from stocklstm.errors import ConfigError, StorageError, TrainingDivergedError
from stocklstm.learn.stopping import ShouldStop, never
from stocklstm.learn.workers import LocalWorkers, all_results
from stocklstm.store.disk import disk_errors
from stocklstm.store.drafts import replace_file
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.loading.bars import bars_to_learn
from stocklstm.workflows.loading.model import chosen_references, require_ticker

REPORT_FORMAT = 1
"""Number of the layout of what is stored."""


@dataclass(frozen=True)
class WalkPlanned:
    """Sent before the first training.

    Attributes:
        ticker: Whose model.
        version: Its number.
        trainings: How many there will be.
        least_windows: Training windows of the first one.
        most_windows: Training windows of the last one.
        epochs: Most passes of each.
        first: First ISO day that is forecast.
        last: Last one.
        seconds: About how long all of it takes at most, by the first steps of the last training.
    """

    ticker: str
    version: int
    trainings: int
    least_windows: int
    most_windows: int
    epochs: int
    first: str
    last: str
    seconds: float


@dataclass(frozen=True)
class WalkedFold:
    """One training and the days that it forecast.

    Attributes:
        number: From 1, oldest first.
        known_to: ISO day at whose close its first forecast was made; nothing later taught it.
        first: First ISO day that it forecast.
        last: Last one.
        n: Days.
        windows: Windows that it was trained on.
        epochs: Passes made.
        kept_epoch: Epoch whose weights were kept.
        rmse_ratio: Its error over that of yesterday's close; None if that was never wrong.
        crps_ratio: Its CRPS over that of EWMA.
        seconds: Wall time.
    """

    number: int
    known_to: str
    first: str
    last: str
    n: int
    windows: int
    epochs: int
    kept_epoch: int
    rmse_ratio: float | None
    crps_ratio: float | None
    seconds: float


@dataclass(frozen=True)
class FoldEnded:
    """Sent after every training.

    Attributes:
        ticker: Whose model.
        version: Its number.
        done: Trainings so far, in whichever order they end.
        trainings: How many there are.
        fold: The one that ended.
    """

    ticker: str
    version: int
    done: int
    trainings: int
    fold: WalkedFold


@dataclass(frozen=True, repr=False)
class WalkedVersion(Result):
    """What walking forward found about the settings of a version.

    Attributes:
        ticker: Whose model.
        version: Its number.
        preset: What its settings started from.
        currency: ISO 4217 code of all errors.
        sessions: Days that were asked for.
        refit_every: Days that one training forecast.
        embargo: Days left out between two parts beyond the horizon.
        folds: The trainings, oldest first.
        evaluation: Scores over the days of all of them.
        report: Where the scores and every single forecast lie; None if they could not be written.
        warnings: What a person should know of them, one line each.
    """

    ROWS = "folds"
    SHOWN = ("ticker", "version", "number", "first", "last", "n", "rmse_ratio", "crps_ratio")

    ticker: str
    version: int
    preset: str
    currency: str
    sessions: int
    refit_every: int
    embargo: int
    folds: tuple[WalkedFold, ...]
    evaluation: Evaluation
    report: str | None
    warnings: tuple[str, ...]


WalkForwardResult = Batch[WalkedVersion]


@dataclass(frozen=True, eq=False)
class FoldOutcome:
    """What comes back from the process that trained.

    Attributes:
        fold: In figures.
        days: Its forecasts beside what happened.
        mase_scale: Naive error of its training part, in currency.
    """

    fold: WalkedFold
    days: ScoredDays
    mase_scale: float


def walk_forward(
    store: Store,
    references: Sequence[str],
    walk: WalkForward,
    *,
    jobs: int,
    on_plan: Callable[[WalkPlanned], None],
    on_fold: Callable[[FoldEnded], None],
) -> WalkForwardResult:
    """Train with the settings of each version again and again; see `Client.walk_forward`."""
    names = chosen_references(store, references)
    with LocalWorkers(jobs) as workers:
        run = _Run(store, walk, workers, on_plan, on_fold)
        return WalkForwardResult(*for_each(names, parse_reference, run.walk_with))


@dataclass(frozen=True)
class _Run:
    store: Store
    walk: WalkForward
    workers: LocalWorkers
    on_plan: Callable[[WalkPlanned], None]
    on_fold: Callable[[FoldEnded], None]

    def walk_with(self, reference: ModelReference) -> WalkedVersion:
        """Walk with one version."""
        require_ticker(reference)
        ticker, manifest = reference.ticker, self.store.registry.find(reference)
        config = manifest.config
        bars = bars_to_learn(self.store, ticker, config).since(config.start)
        splits = fold_splits(len(bars), warm_up_rows(config), config, self.walk)
        self.on_plan(self._planned(manifest, bars, splits))
        outcomes = []
        with closing(self._outcomes(bars, splits, config)) as ended:
            for outcome in ended:
                outcomes.append(outcome)
                done = len(outcomes)
                self.on_fold(FoldEnded(ticker, manifest.version, done, len(splits), outcome.fold))
        # Processes end in any order.
        outcomes.sort(key=lambda outcome: outcome.fold.number)
        return self._walked(manifest, bars, outcomes)

    def _planned(self, manifest: Manifest, bars: Bars, splits: Sequence[Split]) -> WalkPlanned:
        # Only here: that there is no such model is said before PyTorch is loaded.
        from stocklstm.learn.timing import measure_pace
        from stocklstm.workflows.train.fit import prepare

        config, last = manifest.config, splits[-1]
        pace = measure_pace(config, prepare(bars, config, last).data)
        return WalkPlanned(
            ticker=manifest.ticker,
            version=manifest.version,
            trainings=len(splits),
            least_windows=len(splits[0].train),
            most_windows=len(last.train),
            epochs=config.epochs,
            first=forecast_day(bars, int(splits[0].test[0]), config.horizon),
            last=forecast_day(bars, int(last.test[-1]), config.horizon),
            seconds=pace.seconds(config.epochs) * -(-len(splits) // self.workers.jobs),
        )

    def _outcomes(
        self, bars: Bars, splits: Sequence[Split], config: TrainingConfig
    ) -> Generator[FoldOutcome]:
        calls = [
            # No training is handed a row later than the last day that it forecasts.
            (number, bars.select(slice(0, int(split.test[-1]) + config.horizon + 1)), split, config)
            for number, split in enumerate(splits, 1)
        ]
        return all_results(self.workers, run_fold, calls, hint="--jobs 1 needs less memory")

    def _walked(
        self, manifest: Manifest, bars: Bars, outcomes: Sequence[FoldOutcome]
    ) -> WalkedVersion:
        days = join_folds([outcome.days for outcome in outcomes])
        total = sum(outcome.mase_scale * outcome.fold.n for outcome in outcomes)
        path = self.store.paths.walk_forward(manifest.ticker, manifest.version)
        walked = WalkedVersion(
            ticker=manifest.ticker,
            version=manifest.version,
            preset=manifest.config.preset,
            currency=self.store.prices.instrument(manifest.ticker).currency,
            sessions=self.walk.sessions,
            refit_every=self.walk.refit_every,
            embargo=self.walk.embargo,
            folds=tuple(outcome.fold for outcome in outcomes),
            evaluation=evaluate(days, total / len(days.dates)),
            report=str(path),
            warnings=_warnings(manifest),
        )
        return self._stored(path, walked, _report(walked, bars, days, utc_now()))

    def _stored(self, path: Path, walked: WalkedVersion, report: bytes) -> WalkedVersion:
        try:
            self.store.require_writable()
            with disk_errors("write the report"):
                replace_file(path, report)
        except (ConfigError, StorageError) as error:
            # The scores, which took long, are worth more than their file.
            lost = f"the scores were not stored: {error.message}"
            return replace(walked, report=None, warnings=(*walked.warnings, lost))
        return walked


def run_fold(
    number: int,
    bars: Bars,
    split: Split,
    config: TrainingConfig,
    should_stop: ShouldStop = never,
) -> FoldOutcome:
    """Train once and forecast the test part.

    Args:
        number: From 1.
        bars: N sessions, of which the last is the last that is forecast.

    Raises:
        TrainingDivergedError: The loss became infinite, or worse than that of an untrained network.
    """
    from stocklstm.workflows.train.fit import fit, prepare

    known_to = str(bars.dates[split.test[0]])
    try:
        model = fit(prepare(bars, config, split), lambda _: None, should_stop=should_stop)
    except TrainingDivergedError as error:
        raise TrainingDivergedError(
            f"the training on what was known on {known_to} failed: {error.message}",
            hint="train a version with a smaller --learning-rate, and walk with that",
        ) from error
    scores, network = model.evaluation, model.network
    fold = WalkedFold(
        number=number,
        known_to=known_to,
        first=scores.start,
        last=scores.end,
        n=scores.n,
        windows=len(split.train),
        epochs=network.history[-1].epoch,
        kept_epoch=model.kept_epoch,
        rmse_ratio=scores.point.rmse_ratio,
        crps_ratio=scores.distribution.crps_ratio,
        seconds=round(model.seconds, 3),
    )
    return FoldOutcome(fold, model.days, model.mase_scale)


def _warnings(manifest: Manifest) -> tuple[str, ...]:
    if manifest.method == "float32":
        return ()
    return (f"{manifest.id} is {manifest.method}; its settings were trained anew in float32",)


def _report(walked: WalkedVersion, bars: Bars, days: ScoredDays, now: str) -> bytes:
    """Write scores and forecasts as JSON; what is not a finite number becomes null."""
    report = {
        "format": REPORT_FORMAT,
        "created": now,
        "prices": {"rows": len(bars), "last": str(bars.dates[-1]), "sha256": bars.fingerprint()},
        **asdict(walked),
        "days": {
            "dates": [str(day) for day in days.dates],
            "last_closes": days.last_closes.tolist(),
            "actuals": days.actuals.tolist(),
            "points": days.forecasts.points.tolist(),
            "levels": LEVELS,
            "quantiles": days.forecasts.quantiles.tolist(),
        },
    }
    return msgspec.json.format(msgspec.json.encode(report), indent=1)
