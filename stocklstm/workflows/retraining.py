"""train --all: which champions are due for training anew and why, and their training.

PyTorch is loaded only where one is due: evenings ask for it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from stocklstm.core.batch import Batch, Failure, Result, for_each
from stocklstm.core.language import english
from stocklstm.core.packages import TRAINING, require_packages
from stocklstm.core.reference import (
    ModelReference,
    StoredTicker,
    parse_reference,
    parse_ticker,
)
from stocklstm.core.settings.config import differing_settings
from stocklstm.core.wording import first_few
from stocklstm.errors import (
    ConfigError,
    IntegrityError,
    MissingPackageError,
    NoModelError,
    RejectedDataError,
)
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.evaluate.live import evaluate_live
from stocklstm.workflows.loading.bars import bars_to_learn
from stocklstm.workflows.loading.model import (
    learns_prices,
    require_training_scale,
    tickers_with_champions,
)

if TYPE_CHECKING:
    from stocklstm.learn.stopping import ShouldStop
    from stocklstm.workflows.parallel import Backend, TickersDone
    from stocklstm.workflows.train.runs import EpochEnded
    from stocklstm.workflows.train.train import TrainedVersion

AGAIN_AFTER = 20
"""Sessions before an alarm is answered again, where the first answer did not become champion."""


@dataclass(frozen=True)
class RetrainingRule:
    """Which champions are due; either reason is enough, and without one new prices are.

    Example:
        >>> rule = stocklstm.RetrainingRule(older_than=20, drift=True)
        >>> [each.ticker for each in stocklstm.find_due(rule=rule).results if each.due]
        []

    Attributes:
        older_than: Those that have not seen the latest sessions, where these are more than so
            many; None if age is no reason.
        drift: Those whose forecasts on record raise an alarm, as in `evaluate --live`.
    """

    older_than: int | None = None
    drift: bool = False

    def __post_init__(self) -> None:
        """Refuse an age that nothing can have.

        Raises:
            ConfigError: It is below 0.
        """
        if self.older_than is not None and self.older_than < 0:
            raise ConfigError(
                f"--if-older-than is a number of sessions from 0, not {self.older_than}",
                hint="--if-older-than 60 retrains what has not seen the latest 60 sessions",
            )


NEW_PRICES = RetrainingRule()
"""All whose prices are not the very ones that they were trained on."""


@dataclass(frozen=True, repr=False)
class Retraining(Result):
    """Whether the champion of a ticker is due, and why.

    Attributes:
        ticker: Whose champion.
        champion: Its version.
        due: True if it is to be trained anew.
        reason: Why, or why not, in words.
        sessions: Stored closes after the last one that it has seen, or that a later training with
            its settings has, which did not make a champion.
        drift: What the alarms say ("too_few", "steady", "drift"); None if they were not asked.
        settings: Identity of the version whose settings are to be used: the champion's, or those
            of the training that a smaller one descends from.
    """

    SHOWN = ("ticker", "champion", "due", "sessions", "drift")
    SAID = ("reason",)

    ticker: str
    champion: int
    due: bool
    reason: str
    sessions: int
    drift: str | None
    settings: str


DueResult = Batch[Retraining]


@dataclass(frozen=True, repr=False)
class Retrained(Result):
    """What became of one champion.

    Attributes:
        retraining: Whether it was due, and why.
        trained: The new version; None if it was not due.
    """

    SHOWN = ("ticker", "champion", "due", "trained_version", "trained_promoted")
    SAID = ("reason",)

    retraining: Retraining
    trained: "TrainedVersion | None"


RetrainResult = Batch[Retrained]


def find_due(store: Store, tickers: Sequence[str], rule: RetrainingRule) -> DueResult:
    """Say of each champion whether it is due for training anew; see `Client.find_due`."""
    names = tickers or tickers_with_champions(store)
    return Batch(*for_each(names, parse_ticker, lambda ticker: _judged(store, ticker, rule)))


def retrain(  # noqa: PLR0913 - each is an argument of the method
    store: Store,
    tickers: Sequence[str],
    rule: RetrainingRule,
    *,
    promote: str,
    backend: "Backend",
    plot: bool,
    should_stop: "ShouldStop",
    on_epoch: "Callable[[EpochEnded], None]",
    on_ticker: "Callable[[TickersDone], None]",
    on_note: Callable[[str], None],
) -> RetrainResult:
    """Train the champions that are due anew, with their own settings; see `Client.retrain`."""
    found = find_due(store, tickers, rule)
    due = {each.ticker: each.settings for each in found.results if each.due}
    if not due:
        return Batch(tuple(Retrained(each, None) for each in found.results), found.failures)
    try:
        require_packages("training", TRAINING)
    except MissingPackageError as error:
        return _not_retrained(found, error)
    # What nobody trains does not wait for PyTorch.
    from stocklstm.workflows.train.beginning import NEW_RUN
    from stocklstm.workflows.train.train import train

    trained = train(
        store,
        [StoredTicker(ticker) for ticker in due],
        lambda ticker: store.registry.find(parse_reference(due[ticker])).config,
        promote=promote,
        beginning=NEW_RUN,
        backend=backend,
        plot=plot,
        should_stop=should_stop,
        on_epoch=on_epoch,
        on_ticker=on_ticker,
        on_note=on_note,
    )
    made = {version.ticker: version for version in trained.results}
    results = tuple(
        Retrained(each, made.get(each.ticker))
        for each in found.results
        # One whose training failed is among the failures.
        if not each.due or each.ticker in made
    )
    return Batch(results, (*found.failures, *trained.failures))


def _not_retrained(found: DueResult, missing: MissingPackageError) -> RetrainResult:
    """Say which champions are due, where none can be trained."""
    due = [each.ticker for each in found.results if each.due]
    verb = "is" if len(due) == 1 else "are"
    error = MissingPackageError(
        f"{first_few(due)} {verb} due, and {missing.message}", hint=missing.hint
    )
    kept = tuple(Retrained(each, None) for each in found.results if not each.due)
    return Batch(kept, (*found.failures, *(Failure(ticker, error) for ticker in due)))


def _judged(store: Store, ticker: str, rule: RetrainingRule) -> Retraining:
    registry, prices = store.registry, store.prices
    champion = registry.find(ModelReference(ticker))
    trained = registry.trained_from(champion)
    if not prices.has(ticker):
        raise prices.no_prices(ticker)
    latest = _latest_try(store, champion, trained)
    sessions = prices.count_after(ticker, latest.data.last)
    since = _since(latest, sessions, champion)
    drift = None
    found = [*_rescaled(store, latest)]
    if rule.older_than is not None:
        most = rule.older_than
        found.append(
            _Finding(
                sessions > most,
                english("{since}, and {most} at most are allowed", since=since, most=most),
            )
        )
    if rule.drift:
        alarms, drift = _alarms(store, ticker)
        patience = 0 if latest is champion else AGAIN_AFTER
        found.append(_drift_finding(alarms, sessions, since, patience))
    if rule.older_than is None and not rule.drift:
        known = bars_to_learn(store, ticker, latest.config).since(latest.config.start)
        same = known.fingerprint() == latest.data.sha256
        words = english("revised prices")
        if known.realised is not None and known.realised.counts() != latest.data.measured:
            words = english("more sessions measured by their bars")
        found.append(_Finding(not same, since if sessions or same else f"{words}, {since}"))
    due = [each for each in found if each.due]
    return Retraining(
        ticker=ticker,
        champion=champion.version,
        due=bool(due),
        reason="; ".join(each.words for each in due or found),
        sessions=sessions,
        drift=drift,
        settings=trained.id,
    )


class _Finding(NamedTuple):
    """What one question found: whether the champion is due for it, and the words of why or not."""

    due: bool
    words: str


def _latest_try(store: Store, champion: Manifest, trained: Manifest) -> Manifest:
    """Find the latest training with a champion's settings: itself, unless another one followed.

    What was trained anew and did not become champion would otherwise be trained every evening.
    """
    registry, ticker = store.registry, champion.ticker
    for version in reversed(registry.versions(ticker)):
        if version <= champion.version:
            break
        try:
            other = registry.manifest(ticker, version)
        except (IntegrityError, NoModelError):
            continue
        own = other.parent is None and other.imported_from is None
        if own and not differing_settings(other.config, trained.config):
            return max(other, champion, key=lambda each: each.data.last)
    return champion


def _since(latest: Manifest, sessions: int, champion: Manifest) -> str:
    after = {"day": latest.data.last, "model": latest.id}
    if not sessions:
        words = english("no session after {day}, the last one that {model} has seen", **after)
    elif sessions == 1:
        words = english("1 session after {day}, the last one that {model} has seen", **after)
    else:
        words = english(
            "{count:,} sessions after {day}, the last one that {model} has seen",
            count=sessions,
            **after,
        )
    return (
        words if latest is champion else english("{words}, which is not the champion", words=words)
    )


def _rescaled(store: Store, latest: Manifest) -> Iterator[_Finding]:
    """Find a model that can forecast nothing any more, since it learned prices before a split."""
    if not learns_prices(latest.config):
        return
    try:
        require_training_scale(latest, store.prices.bars(latest.ticker))
    except RejectedDataError as error:
        yield _Finding(due=True, words=error.message)


def _alarms(store: Store, ticker: str) -> tuple[tuple[str, ...], str]:
    """Look for drift in the forecasts on record: the alarms that are raised, and the status."""
    scored = evaluate_live(store, [StoredTicker(ticker)], last=None)
    for failure in scored.failures:
        raise failure.error
    drift = scored.results[0].drift
    return drift.alarms, drift.status


def _drift_finding(alarms: Sequence[str], sessions: int, since: str, patience: int) -> _Finding:
    if not alarms:
        return _Finding(due=False, words=english("its forecasts raise no alarm"))
    words = english("its forecasts raise an alarm ({alarms})", alarms=" and ".join(alarms))
    if sessions > patience:
        return _Finding(due=True, words=words)
    # The same prices would make the same model.
    return _Finding(
        due=False,
        words=english(
            "{words}, but there is little new to learn: {since}", words=words, since=since
        ),
    )
