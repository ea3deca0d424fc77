"""models import: what every format shares, the outcome and the promotion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from stocklstm.core.batch import Batch, Result
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import CHAMPION
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.errors import IntegrityError, NotEnoughDataError, NotFoundError, StockLstmError
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.loading.bars import bars_of_model
from stocklstm.workflows.loading.model import LoadedModel
from stocklstm.workflows.loading.pooled_model import AnyModel
from stocklstm.workflows.publishing import (
    ALREADY_THERE,
    Challenger,
    Promotion,
    by_hand,
    judge,
    promote_by,
)
from stocklstm.workflows.scoring import score_model, unseen_origins


@dataclass(frozen=True, repr=False)
class ImportedVersion(Result):
    """What one import made.

    Attributes:
        ticker: Whose model.
        version: Its number in this store.
        format: "bundle" or "classic".
        origin: What it was imported from: an identity in another store, or a directory.
        parent: Identity in this store of the version it was made from, if it is there.
        promoted: True if this import made it the champion.
        promotion: Why or why not, in words with the figures of both.
        by_hand: The command that decides otherwise, by `models promote` or `models rollback`; None
            for the first champion.
        unchanged: True if the very same version was in this store already.
        verdict_text: How it compared with yesterday's close.
        warnings: What to know before relying on it, one line each.
        path: Its directory.
    """

    SHOWN = ("ticker", "version", "format", "promoted", "unchanged")

    ticker: str
    version: int
    format: str
    origin: str
    parent: str | None
    promoted: bool
    promotion: str
    by_hand: str | None
    unchanged: bool
    verdict_text: str
    warnings: tuple[str, ...]
    path: str


ImportResult = Batch[ImportedVersion]


def imported_version(
    store: Store,
    manifest: Manifest,
    promotion: Promotion,
    origin: str,
    warnings: tuple[str, ...] = (),
) -> ImportedVersion:
    """Put the outcome of an import together, given what `publish` returned."""
    source = manifest.imported_from
    return ImportedVersion(
        ticker=manifest.ticker,
        version=manifest.version,
        format="bundle" if source is None else source.kind,
        origin=origin,
        parent=manifest.parent,
        promoted=promotion.promoted,
        promotion=promotion.reason,
        by_hand=by_hand(store, manifest),
        unchanged=promotion is ALREADY_THERE,
        verdict_text=manifest.evaluation.verdict_text,
        warnings=warnings,
        path=str(store.paths.version(manifest.ticker, manifest.version)),
    )


def find_whole(store: Store, ticker: str, is_same: Callable[[Manifest], bool]) -> Manifest | None:
    """Find a version by its manifest, all files of which are those that were published."""
    registry = store.registry
    for version in registry.versions(ticker):
        try:
            manifest = registry.manifest(ticker, version)
            if not is_same(manifest):
                continue
            for name in manifest.files:
                registry.read_file(manifest, name)
        except (IntegrityError, NotFoundError):
            # A damaged version is no reason to refuse a whole one.
            continue
        return manifest
    return None


def judge_import(
    store: Store, rule: str, model: AnyModel, origin: str, flattered: str = ""
) -> Promotion:
    """Say whether an imported version becomes champion, by the rule of `train --promote`.

    Args:
        rule: "auto", "always" or "never".
        origin: What it was imported from, for the log.
        flattered: Why it may have learned from its test days, in words; empty if it cannot have.
    """
    promotion = promote_by(rule, lambda: _judge(store, model, flattered))
    # That the version was made elsewhere is to be seen in the log, too.
    return replace(promotion, reason=f"imported from {origin}: {promotion.reason}")


def _judge(store: Store, model: AnyModel, flattered: str) -> Promotion:
    owner = model.manifest.ticker
    if CHAMPION not in store.registry.aliases.of(owner):
        return Promotion(promoted=True, reason="there was no champion")
    bars = {
        ticker: bars_of_model(store, model.manifest, ticker)
        for ticker in filter(store.prices.has, model.tickers)
    }
    try:
        days = _scored(model, bars)
    except (NotEnoughDataError, IntegrityError) as error:
        reason = f"it cannot be scored on the stored prices: {error.message}"
        return Promotion(promoted=False, reason=reason)
    config = model.manifest.config
    challenger = Challenger(owner, config, days, model.tickers, flattered=flattered)
    return judge(store, challenger, bars)


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
