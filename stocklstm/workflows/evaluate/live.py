"""evaluate --live: how good the forecasts were that were really given."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.forecasts.live import FEWEST, ClosedForecasts
from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.language import english
from stocklstm.core.prices.series import Bars, Floats
from stocklstm.core.reference import ModelReference, parse_reference
from stocklstm.core.scores.drift import Drift, SkillReference, drift, skill_reference
from stocklstm.core.scores.evaluation import ScoredDays, evaluate
from stocklstm.core.scores.scores import Evaluation
from stocklstm.errors import (
    ArtifactVersionError,
    ConfigError,
    NotEnoughDataError,
)
from stocklstm.store.ledger import LedgerColumns
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store
from stocklstm.workflows.ledger import Lookups, closed_forecasts, pinned_version
from stocklstm.workflows.loading.model import (
    chosen_references,
    load_version,
    require_ticker,
    scale_since_training,
)
from stocklstm.workflows.scoring import score_model, unseen_origins


@dataclass(frozen=True)
class LeftOut:
    """Forecasts on record that are not scored, by the reason.

    Attributes:
        open: The session has not closed yet, or its close is still to be fetched.
        too_late: Made after the session had closed.
        other_horizon: Of another number of sessions ahead.
        not_champion: Of a version that was not the champion when it made them.
        repeated: Of a session that an earlier forecast of another champion stands for.
        not_stored: The prices no longer hold the day of the forecast or that of the outcome.
        version_removed: The version is gone, and with it what it is to be compared with.
        earlier: Closed before the latest N that were asked for.
    """

    open: int = 0
    too_late: int = 0
    other_horizon: int = 0
    not_champion: int = 0
    repeated: int = 0
    not_stored: int = 0
    version_removed: int = 0
    earlier: int = 0


@dataclass(frozen=True, repr=False)
class LiveScores(Result):
    """Scores of the forecasts that were given for one ticker.

    Attributes:
        ticker: Ticker whose forecasts are scored.
        version: The version that was asked for; None for whichever was champion at the time.
        versions: Versions whose forecasts these are, in order.
        horizon: Sessions ahead.
        currency: ISO 4217 code of all errors.
        n: Forecasts that are scored.
        evaluation: The scores, as `evaluate` gives them; None if there is nothing to score.
        verdict: Its verdict; None if there are too few forecasts for one.
        verdict_text: The same in words.
        drift: What the alarms say.
        left_out: Forecasts on record that are not scored.
        warnings: What went less well than it should, one line each.
    """

    SHOWN = (
        "ticker",
        "version",
        "n",
        "point_rmse_ratio",
        "distribution_crps_ratio",
        "drift_status",
        "verdict",
    )

    ticker: str
    version: int | None
    versions: tuple[int, ...]
    horizon: int
    currency: str
    n: int
    evaluation: Evaluation | None
    verdict: str | None
    verdict_text: str
    drift: Drift
    left_out: LeftOut
    warnings: tuple[str, ...]


LiveResult = Batch[LiveScores]


def check_last(last: int | None) -> None:
    """Refuse `last` below 1.

    Raises:
        ConfigError: It is below 1.
    """
    if last is not None and last < 1:
        raise ConfigError(
            f"--last must be 1 or more, not {last}",
            hint="leave --last out for all forecasts that have closed",
        )


def evaluate_live(store: Store, references: Sequence[str], *, last: int | None) -> LiveResult:
    """Score the forecasts of the ledger whose sessions have closed; see `Client.evaluate_live`."""
    names = chosen_references(store, references)
    return LiveResult(
        *for_each(names, parse_reference, lambda chosen: _live_one(store, chosen, last))
    )


def _live_one(store: Store, reference: ModelReference, last: int | None) -> LiveScores:
    require_ticker(reference)
    ticker = reference.ticker
    pinned = pinned_version(store, reference)
    # Models keep the name that their ticker had; the prices and the forecasts have the present one.
    name = store.prices.current_name(ticker)
    bars = store.prices.bars(name)
    versions = _Versions(store, ticker, bars)
    horizon = versions.required(store.registry.resolve(reference)).config.horizon
    pool = "" if name == ticker else ticker
    given = LedgerColumns.of(name, store.ledger.entries(name, pool), pool)
    closed, left_out = closed_forecasts(Lookups(store), bars, given, horizon, pinned)
    closed = _scorable(closed, versions, left_out, last)
    days = _scored_days(closed, versions, bars, horizon)
    evaluation = evaluate(days, versions.mase_scale(closed)) if len(closed) else None
    found = drift(days, closed.versions, versions.references(closed))
    verdict, words = _verdict(evaluation, left_out["open"])
    return LiveScores(
        ticker=ticker,
        version=pinned,
        versions=tuple(np.unique(closed.versions).tolist()),
        horizon=horizon,
        currency=store.prices.instrument(name).currency,
        n=len(closed),
        evaluation=evaluation,
        verdict=verdict,
        verdict_text=words,
        drift=found,
        left_out=LeftOut(**left_out),
        warnings=(*versions.warnings, *_earlier_names(store, ticker)),
    )


def _earlier_names(store: Store, ticker: str) -> Iterator[str]:
    """Say where the forecasts are that were given before the ticker got its name."""
    for old in store.prices.former_names(ticker):
        if count := store.ledger.made_by(ticker, old):
            forecasts = "1 forecast" if count == 1 else f"{count} forecasts"
            yield (
                f"{forecasts} on record by models of {old}, as it was called: "
                f"stocklstm evaluate --live --ticker {old}@champion"
            )


@dataclass
class _Versions:
    """What the versions of the ledger were, as far as they are still there.

    Attributes:
        store: Holds them.
        ticker: Ticker whose forecasts are scored.
        bars: All stored sessions.
        warnings: What could not be told of them.
    """

    store: Store
    ticker: str
    bars: Bars
    warnings: list[str] = field(default_factory=list)
    _known: dict[int, Manifest | None] = field(default_factory=dict)

    def required(self, version: int) -> Manifest:
        """Read the manifest of a version that is there."""
        manifest = self.store.registry.manifest(self.ticker, version)
        self._known[version] = manifest
        return manifest

    def manifest(self, version: int) -> Manifest | None:
        """Read a manifest; None if the version is gone, or of a release that is."""
        if version not in self._known:
            listed = version in self.store.registry.versions(self.ticker)
            try:
                self._known[version] = self.required(version) if listed else None
            except ArtifactVersionError:
                self._known[version] = None
        return self._known[version]

    def mase_scale(self, closed: ClosedForecasts) -> float:
        """Take the naive error of the training part of the latest version that was used."""
        manifest = self.required(int(closed.versions[-1]))
        return manifest.mase_scale * scale_since_training(manifest, self.bars)

    def references(self, closed: ClosedForecasts) -> Mapping[int, SkillReference]:
        """Measure on each test part what was to be expected of the forecasts."""
        found = {}
        for version in np.unique(closed.versions).tolist():
            manifest = self.required(version)
            seen = self.bars.dates <= np.datetime64(manifest.splits.test_end, "D")
            model = load_version(self.store, manifest)
            try:
                # What is known of all bars need not be computed again.
                bars = self.bars if seen.all() else self.bars.select(seen)
                # These are no forecasts that were given, so their last digits do not matter.
                origins = unseen_origins(manifest, bars)
                days = score_model(model, bars, origins, together=True)
            except NotEnoughDataError as error:
                self.warnings.append(f"no alarm of the skill of {manifest.id}: {error.message}")
                continue
            if reference := skill_reference(days):
                found[version] = reference
            else:
                self.warnings.append(
                    f"no alarm of the skill of {manifest.id}: its test part of "
                    f"{len(days.dates)} days does not tell what is usual, being too short or no "
                    "different from EWMA"
                )
        return found


def _scorable(
    closed: ClosedForecasts, versions: _Versions, left_out: Counter[str], last: int | None
) -> ClosedForecasts:
    """Leave out what has nothing to be compared with, and all but the latest."""
    there = np.array([versions.manifest(v) is not None for v in closed.versions.tolist()], bool)
    if not there.all():
        left_out["version_removed"] = int((~there).sum())
    closed = closed.select(there)
    if last is not None and len(closed) > last:
        left_out["earlier"] = len(closed) - last
        closed = closed.select(slice(-last, None))
    return closed


def _scored_days(
    closed: ClosedForecasts, versions: _Versions, bars: Bars, horizon: int
) -> ScoredDays:
    """Put the forecasts that cost nothing beside those that were given."""
    ewma = np.empty_like(closed.quantiles)
    rivals: dict[str, Floats] = {}
    for version in np.unique(closed.versions).tolist():
        manifest, rows = versions.required(version), closed.versions == version
        baselines, known = manifest.baselines, bars.since(manifest.config.start)
        last, origins = closed.last_closes[rows], closed.origins[rows] - (len(bars) - len(known))
        ewma[rows] = last[:, None] * np.exp(baselines.ewma.returns(known, origins, horizon))
        for name, returns in baselines.points(known, origins, horizon).items():
            rivals.setdefault(name, np.empty(len(closed)))[rows] = last * np.exp(returns)
    return ScoredDays(
        dates=closed.dates,
        last_closes=closed.last_closes,
        actuals=closed.actuals,
        forecasts=ReturnForecasts(closed.points, closed.quantiles),
        ewma=ewma,
        rivals=rivals,
        horizon=horizon,
    )


def _verdict(evaluation: Evaluation | None, waiting: int) -> tuple[str | None, str]:
    if evaluation is None:
        if not waiting:
            return None, english("NOTHING TO SCORE YET: no forecast was given.")
        if waiting == 1:
            return None, english("NOTHING TO SCORE YET: 1 forecast waits for a session to close.")
        return None, english(
            "NOTHING TO SCORE YET: {waiting} forecasts wait for a session to close.",
            waiting=waiting,
        )
    if evaluation.n < FEWEST:
        return None, english(
            "TOO FEW TO JUDGE: {n} forecasts have closed, of {fewest} needed.",
            n=evaluation.n,
            fewest=FEWEST,
        )
    return evaluation.verdict, evaluation.verdict_text
