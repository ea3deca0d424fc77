"""How a new version is published, and whether it should become champion."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from stocklstm.core.clock import utc_now
from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.pool_splits import pool_split
from stocklstm.core.prices.series import Bars, Indices
from stocklstm.core.prices.splits import Split
from stocklstm.core.reference import ModelReference
from stocklstm.core.scores.evaluation import (
    ScoredDays,
    compare,
    mean_crps,
)
from stocklstm.core.scores.pooling import pooled_days
from stocklstm.core.settings.config import SIGNIFICANT
from stocklstm.core.wording import p_exact, sessions_ahead
from stocklstm.errors import ConfigError, IntegrityError, NoModelError, NotEnoughDataError
from stocklstm.store.manifest import FileRecord, Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import LoadedModel, load_model
from stocklstm.workflows.loading.pooled_model import PooledModel, load_pool
from stocklstm.workflows.scoring import score_model

PROMOTIONS = ("auto", "always", "never")


@dataclass(frozen=True)
class Promotion:
    """The decision.

    Attributes:
        promoted: True if the new version becomes champion.
        reason: Why or why not, in words with figures: the mean CRPS of both, in currency, and the
            p of their difference.
    """

    promoted: bool
    reason: str


def check_rule(promote: str) -> None:
    """Refuse a promotion rule that there is not.

    Args:
        promote: As typed.

    Raises:
        ConfigError: It is none.
    """
    if promote not in PROMOTIONS:
        raise ConfigError(f"--promote is one of {', '.join(PROMOTIONS)}, not {promote!r}")


def publish(
    store: Store,
    owner: str,
    files: Iterable[tuple[str, bytes]],
    describe: Callable[[Mapping[str, FileRecord]], Manifest],
    decide: Callable[[], Promotion],
) -> tuple[Manifest, Promotion]:
    """Write the files of a new version, decide whether it becomes champion, and publish it.

    Whatever stops this, the store is as before: nobody sees a version before it is whole. Only one
    process at a time decides and publishes for an owner.

    Args:
        store: Open.
        owner: Ticker, or name of a pooled model with its mark.
        files: Names and contents.
        describe: Makes the manifest, given a record of every file; number and time are filled in.
        decide: Is asked while no other process can change the champion.

    Returns:
        The manifest as published, and the decision.
    """
    with store.registry.draft(owner) as draft:
        for name, content in files:
            draft.write(name, content)
        with store.writing(owner):
            promotion, at = decide(), utc_now()
            manifest = store.registry.publish(
                draft,
                owner,
                lambda version: replace(describe(dict(draft.files)), version=version, created=at),
                at=at,
                promotion=promotion.reason if promotion.promoted else None,
            )
    return manifest, promotion


def judge_challenger(
    store: Store, ticker: str, bars: Bars, split: Split, days: ScoredDays
) -> Promotion:
    """Compare a new version with the champion on days that neither was fitted or chosen on.

    It is promoted unless it is significantly worse: a higher mean CRPS with a Diebold–Mariano
    p below 0.05. A version with another horizon is never promoted so: what `predict` means would
    change.

    Args:
        store: Holds the champion.
        ticker: Whose.
        bars: Prices that the new version was trained and tested on.
        split: Its parts.
        days: Its scored test part.
    """
    try:
        champion = load_model(store, ModelReference(ticker))
        return _compared(champion, bars, split, days)
    except NoModelError:
        return Promotion(promoted=True, reason="there was no champion")
    except (IntegrityError, NotEnoughDataError) as error:
        # After a split a model that learned prices can forecast nothing any more; were it to stand
        # in the way, nothing would ever replace it.
        return Promotion(promoted=True, reason=f"the champion cannot be used: {error.message}")


def judge_pool(
    store: Store, name: str, series: Mapping[str, tuple[Bars, Indices]], challenger: PooledModel
) -> Promotion:
    """Do the same for a pooled model, over the test days of all tickers that both know.

    Args:
        store: Holds the champion.
        name: Of the pooled model, with its mark.
        series: Prices and test origins of each ticker of the new version.
        challenger: The new version.
    """
    try:
        champion = load_pool(store, ModelReference(name))
    except NoModelError:
        return Promotion(promoted=True, reason="there was no champion")
    except IntegrityError as error:
        return Promotion(promoted=True, reason=f"the champion cannot be used: {error.message}")
    horizons = challenger.manifest.config.horizon, champion.manifest.config.horizon
    if horizons[0] != horizons[1]:
        return _other_horizon(champion.manifest, *horizons)
    known = [ticker for ticker in series if ticker in champion.members]
    scored = [_both(champion, challenger, ticker, *series[ticker]) for ticker in known]
    pairs = [(own, others) for own, others in scored if len(own.dates)]
    if not pairs:
        return _nothing_shared(champion.manifest)
    own, others = (pooled_days(side) for side in zip(*pairs, strict=True))
    return _decided(champion.manifest, own, others)


def _both(
    champion: PooledModel, challenger: PooledModel, ticker: str, bars: Bars, origins: Indices
) -> tuple[ScoredDays, ScoredDays]:
    unseen = pool_split(
        bars.dates,
        champion.record.days,
        warm_up_rows(champion.manifest.config),
        champion.manifest.config,
    ).test
    shared = np.intersect1d(origins, unseen)
    own, others = (
        score_model(model.of(ticker, bars), bars, shared) for model in (challenger, champion)
    )
    return own, others


def _compared(champion: LoadedModel, bars: Bars, split: Split, days: ScoredDays) -> Promotion:
    horizon = champion.manifest.config.horizon
    if horizon != days.horizon:
        return _other_horizon(champion.manifest, days.horizon, horizon)
    shared = days.dates >= np.datetime64(champion.manifest.splits.test_start, "D")
    if not shared.any():
        return _nothing_shared(champion.manifest)
    own, others = days.select(shared), score_model(champion, bars, split.test[shared])
    return _decided(champion.manifest, own, others)


def _nothing_shared(champion: Manifest) -> Promotion:
    return Promotion(promoted=True, reason=f"{champion.id} has no test day in common with it")


def _decided(champion: Manifest, own: ScoredDays, others: ScoredDays) -> Promotion:
    test = compare(own, others)
    figures = (
        f"{champion.id}: mean CRPS {mean_crps(own):.4g} against {mean_crps(others):.4g} "
        f"on {test.n} shared test days, {p_exact(test.p)}"
    )
    if test.p < SIGNIFICANT:
        worse = test.stat > 0
        words = "worse" if worse else "better"
        return Promotion(promoted=not worse, reason=f"significantly {words} than {figures}")
    return Promotion(promoted=True, reason=f"not significantly worse than {figures}")


def _other_horizon(champion: Manifest, own: int, other: int) -> Promotion:
    return Promotion(
        promoted=False,
        reason=f"it forecasts {sessions_ahead(own)}, the champion, {champion.id}, "
        f"{sessions_ahead(other)}; --promote always takes it all the same",
    )
