"""How a new version is published, and whether it should become champion."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stocklstm.core.clock import utc_now
from stocklstm.core.forecasts.live import FEWEST
from stocklstm.core.language import english
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import CHAMPION, PREVIOUS, ModelReference
from stocklstm.core.scores.evaluation import (
    ScoredDays,
    compare,
    compare_with_ewma,
    mean_crps,
)
from stocklstm.core.scores.pooling import join_tickers
from stocklstm.core.scores.significance import PairedTest
from stocklstm.core.settings.config import SIGNIFICANT, TrainingConfig, differing_settings
from stocklstm.core.wording import first_few, p_words, sessions_ahead, significant
from stocklstm.errors import IntegrityError, NoModelError, NotEnoughDataError
from stocklstm.store.manifest import FileRecord, Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.loading.bars import as_read_by
from stocklstm.workflows.loading.model import LoadedModel, require_training_scale
from stocklstm.workflows.loading.pooled_model import AnyModel, load_any
from stocklstm.workflows.scoring import score_model, test_origins


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


@dataclass(frozen=True, eq=False)
class Challenger:
    """A new version, before it is decided whether it becomes champion.

    Attributes:
        owner: Ticker, or name of a pooled model with its mark.
        config: Its settings.
        days: Its test days by ticker, scored.
        tickers: Those that it knows: one, unless it is pooled.
        warm: True if it began with the weights of another version.
        flattered: Why it may have learned from its test days, in words; empty if it cannot have.
    """

    owner: str
    config: TrainingConfig
    days: Mapping[str, ScoredDays]
    tickers: Collection[str]
    warm: bool = False
    flattered: str = ""


def judge(store: Store, challenger: Challenger, bars: Mapping[str, Bars]) -> Promotion:
    """Compare a new version with the champion on days that neither was fitted or chosen on.

    What was trained with the champion's settings on other prices is promoted unless it is
    significantly worse: a higher mean CRPS with a Diebold–Mariano p below 0.05. Anything else is
    an experiment, and is promoted only if its mean CRPS is lower and it is not significantly worse
    than EWMA where the champion is not. A version with another horizon is never promoted so:
    what `predict` means would change.

    Args:
        store: Holds the champion.
        challenger: The new version.
        bars: Prices by ticker, N sessions each.
    """
    try:
        champion = load_any(store, ModelReference(challenger.owner))
        horizon, other = challenger.config.horizon, champion.manifest.config.horizon
        if horizon != other:
            return _other_horizon(champion.manifest, horizon, other)
        pairs = _pairs(store, champion, challenger, bars)
    except NoModelError:
        return Promotion(promoted=True, reason=english("there was no champion"))
    except (IntegrityError, NotEnoughDataError) as error:
        # After a split a model that learned prices can forecast nothing any more; were it to stand
        # in the way, nothing would ever replace it.
        return _unusable(error.message)
    if challenger.flattered:
        return Promotion(promoted=False, reason=challenger.flattered)
    changes = _changes(store, challenger, champion)
    if not pairs:
        return _nothing_shared(champion.manifest, changes)
    own, others = (_joined([pair[side] for pair in pairs], champion) for side in (0, 1))
    return _decided(champion.manifest, own, others, changes)


def _pairs(
    store: Store, champion: AnyModel, challenger: Challenger, bars: Mapping[str, Bars]
) -> list[tuple[ScoredDays, ScoredDays]]:
    """Score both on the days that they share, ticker by ticker.

    Raises:
        NotEnoughDataError: The champion can forecast nothing any more.
    """
    pairs: list[tuple[ScoredDays, ScoredDays]] = []
    for ticker, days in challenger.days.items():
        if ticker in champion.tickers:
            model = champion.of(ticker, bars[ticker])
            seen = as_read_by(store, model.manifest, ticker, bars[ticker])
            # Also where there is no day to find it out on.
            require_training_scale(model.manifest, seen)
            pairs += _shared(model, seen, days)
    return pairs


def _joined(days: Sequence[ScoredDays], champion: AnyModel) -> ScoredDays:
    return days[0] if champion.manifest.pool is None else join_tickers(days)


def _shared(
    champion: LoadedModel, bars: Bars, own: ScoredDays
) -> Iterator[tuple[ScoredDays, ScoredDays]]:
    """Give the days that are in both test parts, as both forecast them; nothing without any."""
    unseen = bars.dates[test_origins(champion.manifest, bars) + own.horizon]
    source = champion.manifest.imported_from
    if source is not None and source.kind == "classic":
        # Nobody knows what its files learned from, but it was nothing after they were imported.
        unseen = unseen[unseen > np.datetime64(source.at[:10], "D")]
    shared = np.isin(own.dates, unseen)
    if shared.any():
        origins = np.searchsorted(bars.dates, own.dates[shared]) - own.horizon
        yield own.select(shared), score_model(champion, bars, origins)


def _changes(store: Store, challenger: Challenger, champion: AnyModel) -> str:
    """Say in words what is not as in the champion's training; empty if only the prices are."""
    trained = store.registry.trained_from(champion.manifest)
    if settings := differing_settings(challenger.config, trained.config):
        return english("other settings ({settings})", settings=first_few(settings))
    if challenger.warm:
        return english("other first weights")
    missing = sorted(set(champion.tickers) - set(challenger.tickers))
    return english("without {tickers}", tickers=first_few(missing)) if missing else ""


def _unusable(why: str) -> Promotion:
    return Promotion(promoted=True, reason=english("the champion cannot be used: {why}", why=why))


def _nothing_shared(champion: Manifest, changes: str) -> Promotion:
    words = english("{champion} has no test day in common with it", champion=champion.id)
    return Promotion(promoted=not changes, reason=_with_changes(changes, words))


def _with_changes(changes: str, words: str) -> str:
    return f"{changes}, and {words}" if changes else words


def _decided(champion: Manifest, own: ScoredDays, others: ScoredDays, changes: str) -> Promotion:
    """Judge by the days that both forecast; see `judge`."""
    mine, theirs = mean_crps(own), mean_crps(others)
    if not math.isfinite(mine):
        return Promotion(promoted=False, reason=english("its forecasts are not finite"))
    if not math.isfinite(theirs):
        return _unusable(english("its forecasts are not finite"))
    test = compare(own, others)
    # Two figures that differ are not to look the same.
    digits = 4 if significant(mine, 4) != significant(theirs, 4) else 7
    figures = english(
        "{champion}: mean CRPS {own} against {other} on {n} shared test days, {p}",
        champion=champion.id,
        own=significant(mine, digits),
        other=significant(theirs, digits),
        n=test.n,
        p=p_words(test.p),
    )
    if not changes:
        return _judge_routine(test, figures)
    judged = _judge_experiment(own, others, test, figures)
    return Promotion(judged.promoted, _with_changes(changes, judged.reason))


def _judge_routine(test: PairedTest, figures: str) -> Promotion:
    """Judge the champion's settings on other prices: the newer ones are worth something."""
    if test.p >= SIGNIFICANT:
        return Promotion(
            promoted=True, reason=english("not significantly worse than {figures}", figures=figures)
        )
    if _worse(test):
        return Promotion(
            promoted=False, reason=english("significantly worse than {figures}", figures=figures)
        )
    return Promotion(
        promoted=True, reason=english("significantly better than {figures}", figures=figures)
    )


def _judge_experiment(
    own: ScoredDays, others: ScoredDays, test: PairedTest, figures: str
) -> Promotion:
    """Judge what is not as in the champion's training: it has to be better."""
    if test.n < FEWEST:
        words = english(
            "too few days ({fewest} are needed) to be called better than {figures}",
            fewest=FEWEST,
            figures=figures,
        )
        return Promotion(promoted=False, reason=words)
    if not mean_crps(own) < mean_crps(others):
        if _worse(test):
            return Promotion(
                promoted=False,
                reason=english("significantly worse than {figures}", figures=figures),
            )
        return Promotion(
            promoted=False, reason=english("no better than {figures}", figures=figures)
        )
    words = (
        english("significantly better than {figures}", figures=figures)
        if test.p < SIGNIFICANT
        else english("better, perhaps by chance, than {figures}", figures=figures)
    )
    ewma = compare_with_ewma(own)
    if _worse(ewma) and not _worse(compare_with_ewma(others)):
        but = english(
            "but significantly worse than EWMA ({p}), which the champion is not",
            p=p_words(ewma.p),
        )
        return Promotion(promoted=False, reason=f"{words}; {but}")
    return Promotion(promoted=True, reason=words)


def _worse(test: PairedTest) -> bool:
    # What is not a number is no reason to call a version good.
    return not (test.stat <= 0 or test.p >= SIGNIFICANT)


def _other_horizon(champion: Manifest, own: int, other: int) -> Promotion:
    return Promotion(
        promoted=False,
        reason=english(
            "it forecasts {own}, the champion, {champion}, {other}; --promote always takes it all "
            "the same",
            own=sessions_ahead(own),
            champion=champion.id,
            other=sessions_ahead(other),
        ),
    )


def by_hand(store: Store, manifest: Manifest) -> str | None:
    """Name the command that decides otherwise about a new version; None for the first champion."""
    aliases = store.registry.aliases.of(manifest.ticker)
    if aliases.get(CHAMPION) != manifest.version:
        return f"stocklstm models promote {manifest.id}"
    return f"stocklstm models rollback {manifest.ticker}" if PREVIOUS in aliases else None
