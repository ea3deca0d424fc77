"""evaluate --model: how good a pooled model is for each ticker, beside the ticker's own."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import (
    CHAMPION,
    ModelReference,
    StoredTicker,
    parse_pool_reference,
    parse_ticker,
)
from stocklstm.core.scores.comparison import BETTER, WORSE, league
from stocklstm.core.scores.evaluation import compare, mean_crps
from stocklstm.core.scores.scores import Evaluation
from stocklstm.errors import IntegrityError, NotEnoughDataError
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.loading.bars import as_read_by
from stocklstm.workflows.loading.model import LoadedModel, load_model
from stocklstm.workflows.loading.pooled_model import PooledModel, load_pool
from stocklstm.workflows.scoring import score_model, score_unseen, unseen_origins


@dataclass(frozen=True)
class OwnModel:
    """The champion of one ticker, on days that neither it nor the pooled model saw.

    Attributes:
        model: Its identity.
        n: Such days.
        crps_ratio: CRPS of the pooled model over its own; None if its own is 0.
        p: Of a Diebold–Mariano test of the two.
    """

    model: str
    n: int
    crps_ratio: float | None
    p: float


@dataclass(frozen=True)
class PoolRow:
    """Scores of a pooled model for one ticker.

    Attributes:
        ticker: Ticker that is scored.
        known: True if it is one of those that the model was trained, validated or tested on.
        evaluation: On its days of the test part.
        own: The ticker's own model beside it; None if there is none that can be compared.
    """

    ticker: str
    known: bool
    evaluation: Evaluation
    own: OwnModel | None


@dataclass(frozen=True)
class PoolMeans:
    """Means over the tickers; those of ratios are geometric.

    Attributes:
        tickers: How many.
        rmse_ratio: Against yesterday's close; None if no price changed.
        crps_ratio: Against EWMA; None likewise.
        own_crps_ratio: CRPS of the pooled model over that of own models; None if there are none.
        owned: Tickers with an own model that was compared.
        coverage: Share of outcomes inside each interval, by its level.
        better: Tickers with errors significantly smaller than those of yesterday's close, corrected
            for their number by Holm's method.
        worse: Tickers with larger ones.
        crps_better: Tickers with a significantly lower CRPS than EWMA, corrected likewise.
        crps_worse: Tickers with a higher one.
    """

    tickers: int
    rmse_ratio: float | None
    crps_ratio: float | None
    own_crps_ratio: float | None
    owned: int
    coverage: dict[str, float]
    better: int
    worse: int
    crps_better: int
    crps_worse: int


@dataclass(frozen=True, repr=False)
class PoolScores(Result):
    """Scores of one pooled version.

    Attributes:
        ticker: Name of the pooled model, with its mark.
        version: Its number.
        preset: What its settings started from.
        horizon: Sessions ahead.
        means: Over the tickers.
        rows: One a ticker.
        plots: Where its picture lies; empty if none was drawn.
        warnings: What went less well than it should, one line each.
    """

    ROWS = "rows"
    SHOWN = (
        "ticker",
        "known",
        "n",
        "point_rmse_ratio",
        "distribution_crps_ratio",
        "own_model",
        "own_crps_ratio",
        "verdict",
    )
    SAID = ()

    ticker: str
    version: int
    preset: str
    horizon: int
    means: PoolMeans
    rows: tuple[PoolRow, ...]
    plots: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


PoolScoresResult = Batch[PoolScores]
"""One pooled model; tickers that could not be scored are failures."""


def evaluate_pool(
    store: Store, reference: str, tickers: Sequence[str], *, plot: bool
) -> PoolScoresResult:
    """Score a pooled model on the test days of each ticker; see `Client.evaluate_pool`."""
    model = load_pool(store, parse_pool_reference(reference))
    names = tickers or [StoredTicker(ticker) for ticker in model.tickers]
    rows, failures = for_each(names, parse_ticker, lambda ticker: _row(store, model, ticker))
    manifest = model.manifest
    plots, warnings = _drawn(store, manifest) if plot else ((), ())
    scores = PoolScores(
        ticker=manifest.ticker,
        version=manifest.version,
        preset=manifest.config.preset,
        horizon=manifest.config.horizon,
        means=_means(rows),
        rows=rows,
        plots=plots,
        warnings=warnings,
    )
    return PoolScoresResult((scores,) if rows else (), failures)


def _drawn(store: Store, manifest: Manifest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Draw the loss curves, and say where they are and what went wrong."""
    from stocklstm.workflows.pictures import draw_training

    drawn = draw_training(store, manifest, None)
    return drawn.paths, drawn.warnings


def _row(store: Store, pooled: PooledModel, ticker: str) -> PoolRow:
    bars = store.prices.bars(ticker)
    model = pooled.scored(ticker, bars)
    _, evaluation = score_unseen(model, bars)
    return PoolRow(ticker, ticker in pooled.members, evaluation, _own(store, model, bars))


def _own(store: Store, model: LoadedModel, bars: Bars) -> OwnModel | None:
    """Compare with the ticker's champion, on days that neither of them saw."""
    if CHAMPION not in store.registry.aliases.of(model.ticker):
        return None
    try:
        own = load_model(store, ModelReference(model.ticker))
        if own.manifest.config.horizon != model.manifest.config.horizon:
            return None
        theirs = unseen_origins(own.manifest, bars)
        shared = np.intersect1d(unseen_origins(model.manifest, bars, model.ticker), theirs)
        if not len(shared):
            return None
        seen = as_read_by(store, own.manifest, own.ticker, bars)
        pooled_days, own_days = score_model(model, bars, shared), score_model(own, seen, shared)
    except (IntegrityError, NotEnoughDataError):
        # What cannot be compared says nothing of the pooled model; validate tells what it has.
        return None
    reference = mean_crps(own_days)
    return OwnModel(
        model=own.manifest.id,
        n=len(shared),
        crps_ratio=mean_crps(pooled_days) / reference if reference > 0 else None,
        p=compare(pooled_days, own_days).p,
    )


def _means(rows: Sequence[PoolRow]) -> PoolMeans:
    levels = [c.level for c in rows[0].evaluation.distribution.coverage] if rows else []
    shares = [[c.share for c in row.evaluation.distribution.coverage] for row in rows]
    corrected = league([row.evaluation for row in rows])
    verdicts = [each.verdict for each in corrected]
    spreads = [each.distribution_verdict for each in corrected]
    owned = [row.own.crps_ratio for row in rows if row.own is not None]
    return PoolMeans(
        tickers=len(rows),
        rmse_ratio=_geometric(row.evaluation.point.rmse_ratio for row in rows),
        crps_ratio=_geometric(row.evaluation.distribution.crps_ratio for row in rows),
        own_crps_ratio=_geometric(owned),
        owned=len(owned),
        coverage={
            f"{level:g}": float(np.mean([each[place] for each in shares]))
            for place, level in enumerate(levels)
        },
        better=verdicts.count(BETTER),
        worse=verdicts.count(WORSE),
        crps_better=spreads.count(BETTER),
        crps_worse=spreads.count(WORSE),
    )


def _geometric(ratios: Iterable[float | None]) -> float | None:
    known = [math.log(ratio) for ratio in ratios if ratio]
    return math.exp(sum(known) / len(known)) if known else None
