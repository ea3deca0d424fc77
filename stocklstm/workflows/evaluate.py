"""evaluate: how good a model is on days that it never saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stocklstm.core.config import LOCK_TIMEOUT_S
from stocklstm.core.evaluation import evaluate as score
from stocklstm.core.outcomes import Failure, for_each
from stocklstm.core.reference import parse_reference
from stocklstm.core.scores import Evaluation
from stocklstm.errors import NoModelError, SeriesTooShortError
from stocklstm.report.forecasts import predictions_png
from stocklstm.store.disk import disk_errors, replace_file
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.scoring import score_model, scored_origins
from stocklstm.workflows.serving import load_model


@dataclass(frozen=True)
class EvaluatedVersion:
    """Scores of one version.

    Attributes:
        ticker: Whose model.
        version: Its number.
        preset: What its settings started from.
        currency: ISO 4217 code of all errors.
        evaluation: The scores.
        plot: Where the picture lies; None if none was drawn.
        warnings: What went less well than it should, one line each.
    """

    ticker: str
    version: int
    preset: str
    currency: str
    evaluation: Evaluation
    plot: str | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class EvaluateResult:
    """Outcome for all tickers."""

    results: tuple[EvaluatedVersion, ...]
    failures: tuple[Failure, ...]


def evaluate(
    references: Sequence[str] = (),
    *,
    plot: bool = True,
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> EvaluateResult:
    """Score models on the test part of the stored prices, through the serving graph.

    Args:
        references: TICKER or TICKER@version; none means the champion of every ticker.
        plot: Draw predictions_vs_actual.png too.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.

    Raises:
        NotFoundError: There is no store, or no model at all.
    """
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        names = list(references) or store.registry.tickers()
        if not names:
            raise NoModelError("the store has no model", hint="stocklstm train --ticker PETR4.SA")
        return EvaluateResult(*for_each(names, lambda name: _evaluate_one(store, name, plot=plot)))


def _evaluate_one(store: Store, name: str, *, plot: bool) -> EvaluatedVersion:
    model = load_model(store, parse_reference(name))
    manifest = model.manifest
    bars = store.prices.bars(manifest.ticker)
    origins = scored_origins(bars, manifest)
    if len(origins) == 0:
        raise SeriesTooShortError(
            f"no stored price of {manifest.ticker} lies in the test part of {manifest.id}",
            needed=1,
            found=0,
            hint=f"stocklstm fetch --ticker {manifest.ticker}",
        )
    days = score_model(model, bars, origins)
    evaluation = score(days, manifest.mase_scale)
    currency = store.prices.instrument(manifest.ticker).currency
    path = store.paths.reports(manifest.ticker, manifest.version) / "predictions_vs_actual.png"
    drawn = plot and store.writable
    if drawn:
        title = f"{manifest.id}, preset {manifest.config.preset}"
        picture = predictions_png(days, evaluation, title, currency)
        with disk_errors("write the picture"):
            replace_file(path, picture)
    return EvaluatedVersion(
        ticker=manifest.ticker,
        version=manifest.version,
        preset=manifest.config.preset,
        currency=currency,
        evaluation=evaluation,
        plot=str(path) if drawn else None,
        warnings=("the store cannot be written: no picture was drawn",)
        if plot and not drawn
        else (),
    )
