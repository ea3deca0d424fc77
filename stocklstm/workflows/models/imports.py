"""What every kind of import shares: its outcome, and what becomes of the imported version."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from stocklstm.core.batch import Failure
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import CHAMPION
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.errors import IntegrityError, NotEnoughDataError, StockLstmError
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import LoadedModel
from stocklstm.workflows.loading.pooled_model import AnyModel
from stocklstm.workflows.publishing import Promotion, judge, promote_by
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


def decide(store: Store, rule: str, model: AnyModel, origin: str) -> Promotion:
    """Say whether an imported version becomes champion, by the rule of `train --promote`.

    Where there are no prices, or no champion, there is nothing to hold it against.

    Args:
        store: Holds the champion and the prices.
        rule: "auto", "always" or "never".
        model: The imported one.
        origin: What it was imported from.
    """
    promotion = promote_by(rule, lambda: _judge(store, model))
    # That the version was made elsewhere is to be seen in the log, too.
    return replace(promotion, reason=f"imported from {origin}: {promotion.reason}")


def _judge(store: Store, model: AnyModel) -> Promotion:
    owner = model.manifest.ticker
    if CHAMPION not in store.registry.aliases.of(owner):
        return Promotion(promoted=True, reason="there was no champion")
    bars = {ticker: store.prices.bars(ticker) for ticker in filter(store.prices.has, model.tickers)}
    if not bars:
        reason = "no prices are stored to hold it against the champion"
        return Promotion(promoted=True, reason=reason)
    try:
        days = _scored(model, bars)
    except (NotEnoughDataError, IntegrityError) as error:
        reason = f"it cannot be scored on the stored prices: {error.message}"
        return Promotion(promoted=False, reason=reason)
    return judge(store, owner, model.manifest.config.horizon, bars, days)


def _scored(model: AnyModel, bars: Mapping[str, Bars]) -> dict[str, ScoredDays]:
    """Score each ticker on the test part; those that cannot be are left out, unless none can."""
    days: dict[str, ScoredDays] = {}
    problem: StockLstmError | None = None
    for ticker, each in bars.items():
        try:
            days[ticker] = _finite(model.of(ticker, each), each)
        except (NotEnoughDataError, IntegrityError) as error:
            problem = error
    if problem is not None and not days:
        raise problem
    return days


def _finite(model: LoadedModel, bars: Bars) -> ScoredDays:
    days = score_model(model, bars, unseen_origins(model.manifest, bars, model.ticker))
    if not np.isfinite(days.forecasts.quantiles).all():
        raise NotEnoughDataError("its forecasts are not finite")
    return days


ALREADY_THERE = Promotion(promoted=False, reason="nothing was imported: it is in this store")
