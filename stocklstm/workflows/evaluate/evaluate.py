"""evaluate: how good a model is on days that it never saw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.reference import ModelReference, parse_reference
from stocklstm.core.scores.scores import Evaluation
from stocklstm.learn.garch import fit_garch
from stocklstm.store.store import Store
from stocklstm.workflows.loading.bars import bars_of_model
from stocklstm.workflows.loading.model import chosen_references, load_model, require_ticker
from stocklstm.workflows.pictures import Drawn, draw_scores
from stocklstm.workflows.scoring import score_unseen

if TYPE_CHECKING:
    from stocklstm.workflows.parallel import TickersDone


@dataclass(frozen=True, repr=False)
class EvaluatedVersion(Result):
    """Scores of one version.

    Attributes:
        ticker: Whose model.
        version: Its number.
        preset: What its settings started from.
        currency: ISO 4217 code of all errors.
        evaluation: The scores.
        plot: Where the picture of forecasts beside outcomes lies; None if none was drawn.
        plots: Where all pictures lie, that one first.
        warnings: What went less well than it should, one line each.
    """

    SHOWN = (
        "ticker",
        "version",
        "n",
        "point_rmse_ratio",
        "distribution_crps_ratio",
        "verdict",
    )

    ticker: str
    version: int
    preset: str
    currency: str
    evaluation: Evaluation
    plot: str | None
    plots: tuple[str, ...]
    warnings: tuple[str, ...]


EvaluateResult = Batch[EvaluatedVersion]


def evaluate(
    store: Store,
    references: Sequence[str],
    *,
    plot: bool,
    jobs: int,
    on_ticker: Callable[["TickersDone"], None],
) -> EvaluateResult:
    """Score models on the test part of the stored prices; see `Client.evaluate`."""
    names = chosen_references(store, references)
    if jobs != 1:
        # Scores of one model wait for no import of what trains.
        from stocklstm.workflows.parallel import for_each_in_processes

        return EvaluateResult(
            *for_each_in_processes(
                store, names, parse_reference, jobs, _evaluate_one, (plot,), on_ticker=on_ticker
            )
        )
    return EvaluateResult(
        *for_each(names, parse_reference, lambda chosen: _evaluate_one(store, chosen, plot))
    )


def _evaluate_one(
    store: Store, reference: ModelReference, plot: bool, _should_stop: object = None
) -> EvaluatedVersion:
    require_ticker(reference)
    model = load_model(store, reference)
    manifest = model.manifest
    bars = bars_of_model(store, manifest, manifest.ticker).since(manifest.config.start)
    garch = fit_garch(bars, int((bars.dates <= np.datetime64(manifest.splits.train_end)).sum()))
    days, evaluation = score_unseen(model, bars, [] if garch is None else [garch])
    currency = store.prices.instrument(manifest.ticker).currency
    drawn = draw_scores(store, manifest, days, evaluation, currency) if plot else Drawn()
    return EvaluatedVersion(
        ticker=manifest.ticker,
        version=manifest.version,
        preset=manifest.config.preset,
        currency=currency,
        evaluation=evaluation,
        plot=drawn.paths[0] if drawn.paths else None,
        plots=drawn.paths,
        warnings=drawn.warnings,
    )
