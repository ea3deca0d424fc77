"""evaluate --all: every version of every ticker in one table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.reference import ModelReference, parse_reference, version_id
from stocklstm.core.scores.comparison import LeagueScores, league
from stocklstm.core.scores.scores import Evaluation
from stocklstm.errors import NoModelError
from stocklstm.store.store import Store
from stocklstm.workflows.loading.bars import bars_of_model
from stocklstm.workflows.loading.model import chosen_references, load_model, require_ticker
from stocklstm.workflows.scoring import score_unseen


@dataclass(frozen=True, repr=False)
class LeagueRow(Result):
    """One version.

    Attributes:
        ticker: Ticker of the version.
        version: Its number.
        preset: What its settings started from.
        evaluation: Scores on its own test part, as if it were the only one.
        corrected: What remains of them as one of all rows.
        rows: Versions in the table: how many tests Holm's correction counts.
    """

    SHOWN = (
        "ticker",
        "version",
        "preset",
        "n",
        "point_rmse_ratio",
        "distribution_crps_ratio",
        "corrected_verdict",
    )
    SAID = ()

    ticker: str
    version: int
    preset: str
    evaluation: Evaluation
    corrected: LeagueScores
    rows: int


LeagueResult = Batch[LeagueRow]
"""All versions, lowest CRPS ratio first, and those that could not be scored."""


@dataclass(frozen=True)
class _Scored:
    ticker: str
    version: int
    preset: str
    evaluation: Evaluation


def score_league(store: Store, references: Sequence[str]) -> LeagueResult:
    """Score every version, and correct for how many there are; see `Client.score_league`."""
    names = chosen_references(store, references)
    groups, unknown = for_each(names, _as_named, lambda name: _versions(store, name))
    every = [name for group in groups for name in group]
    scored, broken = for_each(every, parse_reference, lambda chosen: _scored(store, chosen))
    corrections = league([row.evaluation for row in scored])
    rows = [
        LeagueRow(row.ticker, row.version, row.preset, row.evaluation, corrected, len(scored))
        for row, corrected in zip(scored, corrections, strict=True)
    ]
    return LeagueResult(tuple(sorted(rows, key=_place)), unknown + broken)


def _as_named(name: str) -> str:
    """Take a name as it is: of a `StoredTicker` `str` would make one that somebody typed."""
    return name


def _versions(store: Store, name: str) -> list[str]:
    """Name every version that is meant, so that each is one and the same however it was typed."""
    reference = parse_reference(name)
    require_ticker(reference)
    if "@" in name:
        return [version_id(reference.ticker, store.registry.resolve(reference))]
    versions = store.registry.versions(reference.ticker)
    if not versions:
        raise NoModelError(
            f"there is no model of {reference.ticker}",
            hint=f"stocklstm train --ticker {reference.ticker}",
        )
    return [version_id(reference.ticker, version) for version in versions]


def _scored(store: Store, reference: ModelReference) -> _Scored:
    model = load_model(store, reference)
    manifest = model.manifest
    _, evaluation = score_unseen(model, bars_of_model(store, manifest, manifest.ticker))
    return _Scored(manifest.ticker, manifest.version, manifest.config.preset, evaluation)


def _place(row: LeagueRow) -> tuple[float, str, int]:
    ratio = row.evaluation.distribution.crps_ratio
    return (math.inf if ratio is None else ratio, row.ticker, row.version)
