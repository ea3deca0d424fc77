"""How a new version is published, and whether it should become champion."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from stocklstm.core.clock import utc_now
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import ModelReference
from stocklstm.core.scores.evaluation import (
    ScoredDays,
    compare,
    mean_crps,
)
from stocklstm.core.scores.pooling import join_tickers
from stocklstm.core.settings.config import SIGNIFICANT
from stocklstm.core.wording import p_exact, sessions_ahead
from stocklstm.errors import ConfigError, IntegrityError, NoModelError, NotEnoughDataError
from stocklstm.store.manifest import FileRecord, Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.loading.pooled_model import AnyModel, load_any
from stocklstm.workflows.scoring import score_model, test_origins

PROMOTIONS = ("auto", "always", "never")


@dataclass(frozen=True)
class Promotion:
    """The decision.

    Attributes:
        promoted: True if the new version becomes champion.
        reason: Why or why not, in words with figures: the mean CRPS of both, in currency or for
            a pooled model in shares of the last close, and the p of their difference.
    """

    promoted: bool
    reason: str


ALREADY_THERE = Promotion(promoted=False, reason="nothing was imported: it is in this store")


def check_rule(promote: str) -> None:
    """Refuse a value of `--promote` that there is not.

    Raises:
        ConfigError: It is none of `PROMOTIONS`.
    """
    if promote not in PROMOTIONS:
        raise ConfigError(
            f"--promote is one of {', '.join(PROMOTIONS)}, not {promote!r}",
            hint="--promote auto, which is the default",
        )


def publish(
    store: Store,
    owner: str,
    files: Iterable[tuple[str, bytes]],
    describe: Callable[[Mapping[str, FileRecord], str], Manifest],
    decide: Callable[[], Promotion],
    find_same: Callable[[], Manifest | None] = lambda: None,
) -> tuple[Manifest, Promotion]:
    """Write the files of a new version, decide whether it becomes champion, and publish it.

    Whatever stops this, the store is as before: nobody sees a version before it is whole. Only one
    process at a time decides and publishes for an owner.

    Args:
        owner: Ticker, or name of a pooled model with its mark.
        files: Names and contents.
        describe: Makes the manifest, given a record of every file and the time as a UTC
            timestamp; its number is filled in.
        decide: Is asked while no other process can change the champion.
        find_same: Finds a version in the store that makes this one superfluous, while no other
            process can publish one.

    Returns:
        The manifest as published, and the decision; that of the version found and `ALREADY_THERE`
        if this one is superfluous.
    """
    with store.registry.draft(owner) as draft:
        for name, content in files:
            draft.write(name, content)
        with store.writing(owner):
            same = find_same()
            if same is not None:
                return same, ALREADY_THERE
            promotion, at = decide(), utc_now()
            manifest = store.registry.publish(
                draft,
                owner,
                lambda version: replace(describe(dict(draft.files), at), version=version),
                at=at,
                promotion=promotion.reason if promotion.promoted else None,
            )
    return manifest, promotion


def promote_by(rule: str, judge: Callable[[], Promotion]) -> Promotion:
    """Decide by the rule of `--promote`: "auto" asks for a judgement, "always", "never"."""
    if rule == "auto":
        return judge()
    return Promotion(promoted=rule == "always", reason=f"--promote {rule}")


def judge(
    store: Store,
    owner: str,
    horizon: int,
    bars: Mapping[str, Bars],
    days: Mapping[str, ScoredDays],
) -> Promotion:
    """Compare a new version with the champion on days that neither was fitted or chosen on.

    It is promoted unless it is significantly worse: a higher mean CRPS with a Diebold–Mariano
    p below 0.05. A version with another horizon is never promoted so: what `predict` means would
    change.

    Args:
        store: Holds the champion.
        owner: Ticker, or name of a pooled model with its mark.
        horizon: Of the new version, in sessions.
        bars: Prices by ticker, N sessions each.
        days: The new version's scored test days by ticker.
    """
    try:
        champion = load_any(store, ModelReference(owner))
        other = champion.manifest.config.horizon
        if horizon != other:
            return _other_horizon(champion.manifest, horizon, other)
        pairs = [
            pair
            for ticker in days
            if ticker in champion.tickers
            for pair in _shared(champion, ticker, bars[ticker], days[ticker])
        ]
    except NoModelError:
        return Promotion(promoted=True, reason="there was no champion")
    except (IntegrityError, NotEnoughDataError) as error:
        # After a split a model that learned prices can forecast nothing any more; were it to stand
        # in the way, nothing would ever replace it.
        return Promotion(promoted=True, reason=f"the champion cannot be used: {error.message}")
    if not pairs:
        return _nothing_shared(champion.manifest)
    own, others = ([pair[side] for pair in pairs] for side in (0, 1))
    if champion.manifest.pool is None:
        return _decided(champion.manifest, own[0], others[0])
    return _decided(champion.manifest, join_tickers(own), join_tickers(others))


def _shared(
    champion: AnyModel, ticker: str, bars: Bars, own: ScoredDays
) -> Iterator[tuple[ScoredDays, ScoredDays]]:
    """Give the days that are in both test parts, as both forecast them; nothing without any."""
    unseen = test_origins(champion.manifest, bars) + own.horizon
    shared = np.isin(own.dates, bars.dates[unseen])
    if shared.any():
        origins = np.searchsorted(bars.dates, own.dates[shared]) - own.horizon
        yield own.select(shared), score_model(champion.of(ticker, bars), bars, origins)


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
