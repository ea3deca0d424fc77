"""Written by `python -m tests.support.type_stub` for type checkers and editors."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import date
from datetime import datetime
from matplotlib.figure import Figure
from pandas import DataFrame
from pathlib import Path
from stocklstm import errors as errors
from stocklstm.client import Client as Client
from stocklstm.client import open as open
from stocklstm.core.arguments import ALL
from stocklstm.core.prices.answers import Basis as Basis
from stocklstm.core.prices.answers import Rejection as Rejection
from stocklstm.core.prices.answers import SourceAnswer as SourceAnswer
from stocklstm.core.prices.folds import WalkForward as WalkForward
from stocklstm.core.prices.series import Action as Action
from stocklstm.core.prices.series import Bars as Bars
from stocklstm.core.prices.series import Instrument as Instrument
from stocklstm.core.reference import CHAMPION
from stocklstm.core.settings.compression import Compression as Compression
from stocklstm.core.settings.compression import TOLERANCE_PCT
from stocklstm.core.settings.config import TrainingConfig as TrainingConfig
from stocklstm.core.settings.config import configure as configure
from stocklstm.core.settings.layers import EffectiveSettings
from stocklstm.market.instrument import guess_instrument as guess_instrument
from stocklstm.market.source import FetchRequest as FetchRequest
from stocklstm.workflows.backup import BackupResult
from stocklstm.workflows.backup import RestoreResult
from stocklstm.workflows.evaluate.compare import ComparisonResult
from stocklstm.workflows.evaluate.evaluate import EvaluateResult
from stocklstm.workflows.evaluate.horizons import HorizonResult
from stocklstm.workflows.evaluate.league import LeagueResult
from stocklstm.workflows.evaluate.live import LiveResult
from stocklstm.workflows.evaluate.pool_scores import PoolScoresResult
from stocklstm.workflows.evaluate.walk_forward import FoldEnded
from stocklstm.workflows.evaluate.walk_forward import WalkForwardResult
from stocklstm.workflows.evaluate.walk_forward import WalkPlanned
from stocklstm.workflows.evening.evening import EveningResult
from stocklstm.workflows.evening.timetable import Timetable
from stocklstm.workflows.loading.model import LoadedModel
from stocklstm.workflows.models.adopt import AdoptResult
from stocklstm.workflows.models.aliases import AliasMove
from stocklstm.workflows.models.diff import Difference
from stocklstm.workflows.models.exports import ModelExportResult
from stocklstm.workflows.models.imports import ImportResult
from stocklstm.workflows.models.listing import ModelDetails
from stocklstm.workflows.models.listing import ModelsResult
from stocklstm.workflows.models.remove import CollectResult
from stocklstm.workflows.models.remove import RemovalRule as RemovalRule
from stocklstm.workflows.models.remove import RemoveResult
from stocklstm.workflows.models.sign import SignResult
from stocklstm.workflows.parallel import Backend as Backend
from stocklstm.workflows.parallel import TickersDone
from stocklstm.workflows.predict.history import RecordResult
from stocklstm.workflows.predict.preconditions import Demands as Demands
from stocklstm.workflows.predict.predict import PredictResult
from stocklstm.workflows.predict.predict import Wanted as Wanted
from stocklstm.workflows.prices.coverage import CoverageResult
from stocklstm.workflows.prices.export import ExportResult
from stocklstm.workflows.prices.fetch import FetchResult
from stocklstm.workflows.prices.fetch import TickerDone
from stocklstm.workflows.prices.file_set import FileRead
from stocklstm.workflows.prices.missing import Stocked
from stocklstm.workflows.prices.plan import FetchOptions as FetchOptions
from stocklstm.workflows.prices.rename import RenamedPrices
from stocklstm.workflows.prices.retry import Patience as Patience
from stocklstm.workflows.prices.show import PricesResult
from stocklstm.workflows.prices.verify import VerifyResult
from stocklstm.workflows.quantize.methods import EpochTrained
from stocklstm.workflows.quantize.quantize import QuantizeResult
from stocklstm.workflows.retraining import DueResult
from stocklstm.workflows.retraining import RetrainResult
from stocklstm.workflows.retraining import RetrainingRule as RetrainingRule
from stocklstm.workflows.train.beginning import Search as Search
from stocklstm.workflows.train.beginning import StartFrom as StartFrom
from stocklstm.workflows.train.dry_run import PlanResult
from stocklstm.workflows.train.runs import EpochEnded
from stocklstm.workflows.train.train import PooledResult
from stocklstm.workflows.train.train import TrainResult
from stocklstm.workflows.train.tune import TrialEnded
from stocklstm.workflows.train.tune import TuneResult
from stocklstm.workflows.validate.validate import ValidateResult
from typing import Any

__all__ = [
    "__version__",
    "adopt_versions",
    "backup",
    "collect_garbage",
    "compare_versions",
    "diff_models",
    "draw_forecasts",
    "dry_run",
    "dry_run_pooled",
    "effective_settings",
    "evaluate",
    "evaluate_horizons",
    "evaluate_live",
    "evaluate_pool",
    "evening",
    "export_model",
    "export_prices",
    "fetch",
    "find_due",
    "forecasts",
    "history",
    "import_model",
    "list_forecasts",
    "list_models",
    "load",
    "plan_evenings",
    "plot",
    "predict",
    "prices",
    "promote",
    "quantize",
    "remove_versions",
    "rename_prices",
    "require_prices",
    "restore",
    "retrain",
    "rollback",
    "score_league",
    "show_intraday",
    "show_model",
    "show_prices",
    "sign_versions",
    "train",
    "train_pooled",
    "tune",
    "unalias",
    "validate",
    "verify_prices",
    "walk_forward",
    "write_report",
    "Client",
    "Basis",
    "Rejection",
    "SourceAnswer",
    "WalkForward",
    "Action",
    "Bars",
    "Instrument",
    "Compression",
    "TrainingConfig",
    "configure",
    "guess_instrument",
    "FetchRequest",
    "RemovalRule",
    "Backend",
    "Demands",
    "Wanted",
    "FetchOptions",
    "Patience",
    "RetrainingRule",
    "Search",
    "StartFrom",
]

__version__: str

def adopt_versions(
    references: str | Sequence[str] = ...,
    *,
    dry_run: bool = False,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> AdoptResult:
    """List again the versions that lie whole on the disk and that the database does not list."""

def backup(
    path: Path,
    *,
    replace: bool = False,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> BackupResult:
    """Write the whole store to one file, while it is in use."""

def collect_garbage(
    tickers: str | Sequence[str] = ...,
    rule: RemovalRule | None = None,
    *,
    dry_run: bool = False,
    now: str | datetime | None = None,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> CollectResult:
    """Remove old versions that nothing needs, and what killed processes left behind."""

def compare_versions(
    references: str | Sequence[str],
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> ComparisonResult:
    """Compare versions of one ticker with the first that is named."""

def diff_models(
    left: str,
    right: str,
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> Difference:
    """Put two versions side by side, as they were published."""

def draw_forecasts(
    result: PredictResult,
    file: Path | None = None,
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> PredictResult:
    """Draw a fan chart for each ticker, with all sessions that were forecast of it."""

def dry_run(
    tickers: str | Sequence[str],
    config: TrainingConfig | None = None,
    *,
    weights: str | None = None,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> PlanResult:
    """Say what training on the stored prices of each ticker would do, and store nothing."""

def dry_run_pooled(
    name: str | None,
    tickers: str | Sequence[str],
    config: TrainingConfig | None = None,
    *,
    weights: str | None = None,
    on_note: Callable[[str], None] = ...,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> PlanResult:
    """Say what training one network on several tickers would do, and store nothing."""

def effective_settings(
    flags: Mapping[str, Any],
    *,
    file: Path | None = None,
    like: str | None = None,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> EffectiveSettings:
    """Find out which settings hold: command line > environment > file > preset or version."""

def evaluate(
    references: str | Sequence[str] = ...,
    *,
    plot: bool = True,
    jobs: int = 1,
    on_ticker: Callable[[TickersDone], None] = ...,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> EvaluateResult:
    """Score models on the test part of the stored prices, through the serving graph."""

def evaluate_horizons(
    references: str | Sequence[str],
    horizons: int | Sequence[int],
    *,
    pool: str | None = None,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> HorizonResult:
    """Score models on the test part of the stored prices, several sessions ahead."""

def evaluate_live(
    references: str | Sequence[str] = ...,
    *,
    last: int | None = None,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> LiveResult:
    """Score the forecasts of the ledger whose sessions have closed, and look for drift."""

def evaluate_pool(
    reference: str,
    tickers: str | Sequence[str] = ...,
    *,
    plot: bool = False,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> PoolScoresResult:
    """Score a pooled model on the test days of each ticker, beside the ticker's own model."""

def evening(
    tickers: str | Sequence[str] = ...,
    *,
    pool: str | None = None,
    retrain_after: int | None = None,
    on_ticker: Callable[[TickerDone], None] = ...,
    on_epoch: Callable[[EpochEnded], None] = ...,
    finish: Callable[[EveningResult], EveningResult] | None = None,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> EveningResult:
    """Do what is to be done every evening: new prices, a forecast, and how the last one did."""

def export_model(
    reference: str,
    output: Path | None = None,
    *,
    file_format: str = 'bundle',
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> ModelExportResult:
    """Write a version to files, for another store or another program."""

def export_prices(
    tickers: str | Sequence[str],
    *,
    out: Path | None = None,
    file_format: str | None = None,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> ExportResult:
    """Write stored prices to files that other programs read; a CSV file can be fetched back."""

def fetch(
    tickers: str | Sequence[str] = ...,
    options: FetchOptions | None = None,
    *,
    on_ticker: Callable[[TickerDone], None] = ...,
    on_file: Callable[[FileRead], None] = ...,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> FetchResult:
    """Get prices from a source and merge them into the store."""

def find_due(
    tickers: str | Sequence[str] = ...,
    rule: RetrainingRule | None = None,
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> DueResult:
    """Say of each champion whether it is due for training anew, and why; train nothing."""

def forecasts(
    tickers: str | Sequence[str] = ...,
    *,
    since: str | date | None = None,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> DataFrame:
    """Give the forecasts on record as a data frame of pandas, each beside what came."""

def history(
    reference: str,
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> DataFrame:
    """Give the loss curves of a version's training as a data frame of pandas."""

def import_model(
    path: Path,
    *,
    file_format: str | None = None,
    ticker: str | None = None,
    seq_length: int | None = None,
    promote: str = 'auto',
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> ImportResult:
    """Make the version in some files the next version of its ticker in this store."""

def list_forecasts(
    tickers: str | Sequence[str] = ...,
    *,
    since: str | date | None = None,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> RecordResult:
    """List the forecasts on record, each beside what came."""

def list_models(
    tickers: str | Sequence[str] = ...,
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> ModelsResult:
    """List the versions in the store."""

def load(
    reference: str,
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> LoadedModel:
    """Load a model, to forecast with it."""

def plan_evenings(
    tickers: str | Sequence[str] = ...,
    *,
    pool: str | None = None,
    at: str | None = None,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> Timetable:
    """Find out when `evening` can run: once the prices of every exchange are final."""

def plot(
    what: object,
    kind: str | None = None,
    *,
    dark: bool = False,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> Figure:
    """Draw a result, or a version, as a figure of Matplotlib; nothing is written."""

def predict(
    references: str | Sequence[str] = ...,
    wanted: Wanted | None = None,
    *,
    at: str | date | None = None,
    horizon: int | Sequence[int] | None = None,
    levels: float | Sequence[float] | None = None,
    adaptive: bool | None = None,
    pool: str | None = None,
    demands: Demands | None = None,
    now: str | datetime | None = None,
    ledger_wait_s: float | None = None,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> PredictResult:
    """Forecast sessions to come of each ticker and keep the forecasts in the ledger."""

def prices(
    ticker: str | Sequence[str] = ...,
    *,
    since: str | date | None = None,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> DataFrame:
    """Give stored prices as a data frame of pandas."""

def promote(
    reference: str,
    *,
    alias: str = ...,
    reason: str = '',
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> AliasMove:
    """Point "champion", or an alias of one's own, at a version."""

def quantize(
    references: str | Sequence[str],
    compression: Compression | None = None,
    *,
    tolerance_pct: float = ...,
    jobs: int = 1,
    on_note: Callable[[str], None] = ...,
    on_epoch: Callable[[EpochTrained], None] = ...,
    on_ticker: Callable[[TickersDone], None] = ...,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> QuantizeResult:
    """Make a smaller version of each model, and promote it if its errors hardly grow."""

def remove_versions(
    references: str | Sequence[str],
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> RemoveResult:
    """Remove versions that no alias names; forecasts that they made stay in the ledger."""

def rename_prices(
    old: str,
    new: str,
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> RenamedPrices:
    """Store prices, events, log and forecasts on record of a ticker under another name."""

def require_prices(
    tickers: str | Sequence[str],
    fetch: Callable[[Sequence[str]], FetchResult] | None = None,
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> Stocked:
    """Sort tickers by whether prices of them are stored, and get those that are not."""

def restore(
    path: Path,
    *,
    replace: bool = False,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> RestoreResult:
    """Make a store of a backup, after every byte of it was checked."""

def retrain(
    tickers: str | Sequence[str] = ...,
    rule: RetrainingRule | None = None,
    *,
    promote: str = 'auto',
    backend: Backend | None = None,
    plot: bool | None = None,
    should_stop: Callable[[], bool] = ...,
    on_epoch: Callable[[EpochEnded], None] = ...,
    on_ticker: Callable[[TickersDone], None] = ...,
    on_note: Callable[[str], None] = ...,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> RetrainResult:
    """Train the champions that are due anew, each with its own settings on the stored prices."""

def rollback(
    ticker: str,
    *,
    reason: str = '',
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> AliasMove:
    """Make the previous champion the champion again, and the present one the previous."""

def score_league(
    references: str | Sequence[str] = ...,
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> LeagueResult:
    """Score every version on its own test part, and correct for how many there are."""

def show_intraday(
    tickers: str | Sequence[str] = ...,
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> CoverageResult:
    """Count the sessions that were measured by bars within them, by the length of the bars."""

def show_model(
    reference: str,
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> ModelDetails:
    """Read everything about one version; `card()` of it is a model card in Markdown."""

def show_prices(
    tickers: str | Sequence[str] = ...,
    *,
    last: int = 10,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> PricesResult:
    """Show what is stored of some tickers, its gaps and where each row came from."""

def sign_versions(
    references: str | Sequence[str] = ...,
    *,
    every_version: bool = False,
    replace: bool = False,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> SignResult:
    """Sign versions whose every byte is what was published."""

def train(
    tickers: str | Sequence[str],
    config: TrainingConfig | None = None,
    *,
    fetch: bool = False,
    promote: str = 'auto',
    beginning: StartFrom | None = None,
    backend: Backend | None = None,
    plot: bool | None = None,
    should_stop: Callable[[], bool] = ...,
    on_epoch: Callable[[EpochEnded], None] = ...,
    on_ticker: Callable[[TickersDone], None] = ...,
    on_note: Callable[[str], None] = ...,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> TrainResult:
    """Train a network on the stored prices of each ticker and publish it as a new version."""

def train_pooled(
    name: str | None,
    tickers: str | Sequence[str],
    config: TrainingConfig | None = None,
    *,
    fetch: bool = False,
    promote: str = 'auto',
    beginning: StartFrom | None = None,
    backend: Backend | None = None,
    plot: bool | None = None,
    should_stop: Callable[[], bool] = ...,
    on_epoch: Callable[[EpochEnded], None] = ...,
    on_ticker: Callable[[TickersDone], None] = ...,
    on_note: Callable[[str], None] = ...,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> PooledResult:
    """Train one network on the stored prices of several tickers and publish it."""

def tune(
    tickers: str | Sequence[str],
    config: TrainingConfig,
    search: Search,
    *,
    fetch: bool = False,
    should_stop: Callable[[], bool] = ...,
    on_trial: Callable[[TrialEnded], None] = ...,
    on_ticker: Callable[[TickersDone], None] = ...,
    on_note: Callable[[str], None] = ...,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> TuneResult:
    """Search for settings with a low validation loss; the test part is cut off beforehand."""

def unalias(
    reference: str,
    *,
    reason: str = '',
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> AliasMove:
    """Remove an alias of one's own; the version it points at stays."""

def validate(
    references: str | Sequence[str] = ...,
    *,
    every_version: bool = False,
    deep: bool = False,
    leakage: bool = False,
    prices: bool = False,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> ValidateResult:
    """Check stored versions byte for byte and make a dummy forecast with each."""

def verify_prices(
    tickers: str | Sequence[str] = ...,
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> VerifyResult:
    """Check that stored prices can be what an exchange quoted."""

def walk_forward(
    references: str | Sequence[str],
    walk: WalkForward,
    *,
    jobs: int = 1,
    on_plan: Callable[[WalkPlanned], None] = ...,
    on_fold: Callable[[FoldEnded], None] = ...,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> WalkForwardResult:
    """Train with the settings of each version again and again, each time on all that was known."""

def write_report(
    result: EveningResult,
    directory: Path,
    *,
    home: Path | str | None = None,
    lock_timeout_s: float = 10.0,
) -> Path:
    """Write a page of an evening: its table, and the picture of every forecast."""
