"""evaluate --compare: versions of one ticker on the days that none of them ever saw."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stocklstm.core.batch import Batch, Result
from stocklstm.core.language import english
from stocklstm.core.prices.series import Bars, Indices
from stocklstm.core.reference import parse_reference
from stocklstm.core.scores.comparison import BETTER, NO_DIFFERENCE, ComparedScores, compare_all
from stocklstm.core.wording import p_words, size_words, two_digits
from stocklstm.errors import ConfigError, SeriesTooShortError
from stocklstm.store.store import Store
from stocklstm.workflows.loading.bars import as_read_by
from stocklstm.workflows.loading.model import LoadedModel, load_model
from stocklstm.workflows.scoring import score_model


@dataclass(frozen=True, repr=False)
class ComparedVersion(Result):
    """One version beside the first.

    Attributes:
        ticker: Ticker of the versions.
        version: Its number.
        preset: What its settings started from.
        currency: ISO 4217 code of all errors.
        against: Identity of the first version; None for that version itself.
        start: First shared day, ISO.
        end: Last one.
        n: Shared days.
        horizon: Sessions from the close a forecast was made at to the day it is of.
        scores: On these days.
        result: "first", "better", "worse" or "no_difference", by CRPS after Holm's correction.
        result_text: The same in words, with figures.
    """

    SHOWN = (
        "ticker",
        "version",
        "against",
        "n",
        "scores_rmse_ratio",
        "scores_crps_ratio",
        "result",
    )
    SAID = ("result_text",)

    ticker: str
    version: int
    preset: str
    currency: str
    against: str | None
    start: str
    end: str
    n: int
    horizon: int
    scores: ComparedScores
    result: str
    result_text: str


ComparisonResult = Batch[ComparedVersion]


def compare_versions(store: Store, references: Sequence[str]) -> ComparisonResult:
    """Compare versions of one ticker with the first that is named; see `Client.compare_versions`.

    The results are in the order in which the versions were named.
    """
    models = _models(store, references)
    manifest = models[0].manifest
    bars = store.prices.bars(manifest.ticker)
    origins = _shared_origins(models, bars)
    days = [
        score_model(model, as_read_by(store, model.manifest, manifest.ticker, bars), origins)
        for model in models
    ]
    currency = store.prices.instrument(manifest.ticker).currency
    dates, scores = days[0].dates, compare_all(days)
    return ComparisonResult(
        tuple(
            ComparedVersion(
                ticker=manifest.ticker,
                version=model.manifest.version,
                preset=model.manifest.config.preset,
                currency=currency,
                against=None if model is models[0] else manifest.id,
                start=str(dates[0]),
                end=str(dates[-1]),
                n=len(dates),
                horizon=manifest.config.horizon,
                scores=own,
                result="first" if own.distribution is None else own.distribution.judged,
                result_text=_words(model.manifest.id, manifest.id, own, scores[0].crps),
            )
            for model, own in zip(models, scores, strict=True)
        )
    )


def _models(store: Store, references: Sequence[str]) -> list[LoadedModel]:
    wanted = [parse_reference(reference) for reference in references]
    tickers = sorted({reference.ticker for reference in wanted})
    if len(tickers) > 1:
        raise ConfigError(
            f"versions of one ticker can be compared, not those of {', '.join(tickers)}",
            hint="stocklstm evaluate --all shows all versions of all tickers",
        )
    models = [load_model(store, reference) for reference in wanted]
    identities = [model.manifest.id for model in models]
    if len(set(identities)) < max(2, len(identities)):
        named = ", ".join(identities) or "none"
        raise ConfigError(
            f"--compare needs at least two different versions, and got {named}",
            hint="stocklstm models list shows those there are",
        )
    horizons = sorted({model.manifest.config.horizon for model in models})
    if len(horizons) > 1:
        raise ConfigError(
            f"versions that forecast {' and '.join(map(str, horizons))} sessions ahead cannot be "
            "compared: they forecast different things",
            hint="stocklstm evaluate --all shows each against yesterday's close",
        )
    return models


def _shared_origins(models: Sequence[LoadedModel], bars: Bars) -> Indices:
    """Find where each forecast of a day begins that lies in the test part of every version."""
    horizon = models[0].manifest.config.horizon
    begin = max(np.datetime64(model.manifest.splits.test_start, "D") for model in models)
    targets = np.flatnonzero(bars.dates >= begin)
    origins: Indices = targets[targets >= horizon] - horizon
    if not len(origins):
        ticker = models[0].manifest.ticker
        raise SeriesTooShortError(
            f"no stored price of {ticker} lies in the test part of all of "
            f"{', '.join(model.manifest.id for model in models)}, which begins on {begin}",
            needed=1,
            found=0,
            hint=f"stocklstm fetch --ticker {ticker}",
        )
    return origins


def _words(name: str, first: str, scores: ComparedScores, crps: float) -> str:
    test = scores.distribution
    if test is None:
        return english("{name} is what the others are compared with", name=name)
    change = 100 * (scores.crps / crps - 1) if crps > 0 else math.inf
    # Two versions of the same settings differ by little, which is worth two digits.
    digits = f"{two_digits(abs(change))} %" if abs(change) < 10 else size_words(abs(change) / 100)
    if scores.crps == crps:
        size = english("the same CRPS")
    elif change > 0:
        size = english("CRPS {size} higher", size=digits)
    else:
        size = english("CRPS {size} lower", size=digits)
    chance = p_words(test.holm_p)
    if test.judged == NO_DIFFERENCE:
        return english(
            "{name} and {first} cannot be told apart: {size} ({chance})",
            name=name,
            first=first,
            size=size,
            chance=chance,
        )
    if test.judged == BETTER:
        return english(
            "{name} is better than {first}: {size} ({chance})",
            name=name,
            first=first,
            size=size,
            chance=chance,
        )
    return english(
        "{name} is worse than {first}: {size} ({chance})",
        name=name,
        first=first,
        size=size,
        chance=chance,
    )
