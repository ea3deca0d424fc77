"""What every kind of import shares: its outcome, and what becomes of the imported version."""

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from stocklstm.core.batch import Failure
from stocklstm.core.prices.series import Bars, Indices
from stocklstm.core.prices.splits import Split
from stocklstm.core.reference import CHAMPION
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.errors import IntegrityError, NoPricesError, NotEnoughDataError
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import LoadedModel
from stocklstm.workflows.loading.pooled_model import PooledModel
from stocklstm.workflows.publishing import Promotion, judge_challenger, judge_pool
from stocklstm.workflows.scoring import score_model, unseen_origins


@dataclass(frozen=True)
class ImportedVersion:
    """What one import made.

    Attributes:
        ticker: Whose model.
        version: Its number in this store.
        format: "bundle" or "classic".
        origin: What it was imported from: an identity in another store, or a directory.
        parent: Identity in this store of the version it was made from, if it is there.
        promoted: True if this import made it the champion.
        promotion: Why or why not, in words.
        unchanged: True if the very same version was in this store already.
        verdict_text: How it compared with yesterday's close.
        warnings: What to know before relying on it, one line each.
        path: Its directory.
    """

    ticker: str
    version: int
    format: str
    origin: str
    parent: str | None
    promoted: bool
    promotion: str
    unchanged: bool
    verdict_text: str
    warnings: tuple[str, ...]
    path: str


@dataclass(frozen=True)
class ImportResult:
    """Outcome of one import."""

    imports: tuple[ImportedVersion, ...]
    failures: tuple[Failure, ...] = ()


def described(
    store: Store,
    manifest: Manifest,
    promotion: Promotion,
    *,
    unchanged: bool = False,
    warnings: tuple[str, ...] = (),
    origin: str = "",
) -> ImportedVersion:
    """Put the outcome of an import together.

    Args:
        store: Holds the version.
        manifest: Of the version in this store.
        promotion: What became of it.
        unchanged: True if it was there already.
        warnings: What to know before relying on it.
        origin: What it was imported from; by default what its manifest says.
    """
    source = manifest.imported_from
    return ImportedVersion(
        ticker=manifest.ticker,
        version=manifest.version,
        format="bundle" if source is None else source.kind,
        origin=origin or ("" if source is None else source.model),
        parent=manifest.parent,
        promoted=promotion.promoted,
        promotion=promotion.reason,
        unchanged=unchanged,
        verdict_text=manifest.evaluation.verdict_text,
        warnings=warnings,
        path=str(store.paths.version(manifest.ticker, manifest.version)),
    )


def decide(store: Store, rule: str, model: LoadedModel, origin: str) -> Promotion:
    """Say whether an imported version becomes champion, by the rule of `train --promote`.

    Where there are no prices, or no champion, there is nothing to hold it against.

    Args:
        store: Holds the champion and the prices.
        rule: "auto", "always" or "never".
        model: The imported one.
        origin: What it was imported from.
    """
    if rule != "auto":
        return _told(Promotion(promoted=rule == "always", reason=f"--promote {rule}"), origin)
    ticker = model.manifest.ticker
    if CHAMPION not in store.registry.aliases.of(ticker):
        return _told(Promotion(promoted=True, reason="there was no champion"), origin)
    try:
        bars = store.prices.bars(ticker)
    except NoPricesError:
        reason = "no prices are stored to hold it against the champion"
        return _told(Promotion(promoted=True, reason=reason), origin)
    try:
        origins, days = _scored(model, bars)
    except (NotEnoughDataError, IntegrityError) as error:
        reason = f"it cannot be scored on the stored prices: {error.message}"
        return _told(Promotion(promoted=False, reason=reason), origin)
    nothing = np.arange(0)
    seen_by_none = Split(nothing, nothing, nothing, test=origins, train_rows=0)
    return _told(judge_challenger(store, ticker, bars, seen_by_none, days), origin)


def decide_pool(store: Store, rule: str, model: PooledModel, origin: str) -> Promotion:
    """Do the same for a pooled model, on the prices that are stored of its tickers.

    Args:
        store: Holds the champion and the prices.
        rule: "auto", "always" or "never".
        model: The imported one.
        origin: What it was imported from.
    """
    if rule != "auto":
        return _told(Promotion(promoted=rule == "always", reason=f"--promote {rule}"), origin)
    manifest = model.manifest
    series = {}
    for ticker in filter(store.prices.has, model.members):
        bars = store.prices.bars(ticker)
        with suppress(NotEnoughDataError):
            series[ticker] = (bars, unseen_origins(manifest, bars, ticker))
    return _told(judge_pool(store, manifest.ticker, series, model), origin)


def _told(promotion: Promotion, origin: str) -> Promotion:
    """Say in the log, too, that the version was made elsewhere."""
    return replace(promotion, reason=f"imported from {origin}: {promotion.reason}")


def _scored(model: LoadedModel, bars: Bars) -> tuple[Indices, ScoredDays]:
    origins = unseen_origins(model.manifest, bars)
    days = score_model(model, bars, origins)
    if not np.isfinite(days.forecasts.quantiles).all():
        raise NotEnoughDataError("its forecasts are not finite")
    return origins, days


ALREADY_THERE = Promotion(promoted=False, reason="nothing was imported: it is in this store")
