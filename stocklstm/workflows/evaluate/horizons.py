"""evaluate --horizons: how good a model is one, two and more sessions ahead."""

from collections.abc import Sequence
from dataclasses import dataclass

from stocklstm.core.batch import Batch, Result, for_each
from stocklstm.core.forecasts.live import FEWEST
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import (
    ModelReference,
    StoredTicker,
    parse_pool_reference,
    parse_reference,
    parse_ticker,
)
from stocklstm.core.scores.comparison import LeagueScores, league
from stocklstm.core.scores.scores import Coverage, Evaluation
from stocklstm.core.scores.significance import holm
from stocklstm.core.settings.config import SIGNIFICANT
from stocklstm.store.store import Store
from stocklstm.workflows.loading.bars import bars_of_model
from stocklstm.workflows.loading.model import (
    LoadedModel,
    chosen_references,
    load_model,
    require_ticker,
)
from stocklstm.workflows.loading.pooled_model import load_pool
from stocklstm.workflows.predict.predict import horizons_ahead
from stocklstm.workflows.scoring import score_horizons


@dataclass(frozen=True)
class IntervalVerdict:
    """Whether an interval holds as often as it promises.

    Attributes:
        level: Promised share.
        holm_p: Of Kupiec's test, as one of all horizons.
        verdict: "holds", "too_narrow" or "too_wide", by it; None if there are too few spans, or if
            it is a single price.
    """

    level: float
    holm_p: float
    verdict: str | None


@dataclass(frozen=True)
class HorizonRow:
    """Scores so many sessions ahead.

    Attributes:
        evaluation: The scores, as if this horizon were the only one; it says which it is.
        corrected: What remains of them as one of all horizons.
        intervals: The same of the intervals, in the order of `coverage`.
    """

    evaluation: Evaluation
    corrected: LeagueScores
    intervals: tuple[IntervalVerdict, ...]

    @property
    def spans(self) -> int:
        """Spans that do not overlap: one day in so many."""
        return _spans(self.evaluation)

    @property
    def verdict(self) -> str | None:
        """The corrected one, or None: fewer than twenty separate spans say nothing."""
        return self.corrected.verdict if self.spans >= FEWEST else None

    @property
    def distribution_verdict(self) -> str | None:
        """The same against EWMA."""
        return self.corrected.distribution_verdict if self.spans >= FEWEST else None


@dataclass(frozen=True, repr=False)
class HorizonScores(Result):
    """Scores of one model by horizon.

    Attributes:
        ticker: Whose prices.
        version: Number of the model.
        model: Its identity, such as PETR4.SA@v3, or +b3@v1 of a pooled model.
        preset: What its settings started from.
        learned: Sessions ahead that it was trained for; its forecasts of farther ones are those,
            widened by the square root of time.
        rows: One a horizon, nearest first.
    """

    ROWS = "rows"
    SHOWN = (
        "ticker",
        "version",
        "horizon",
        "n",
        "point_rmse_ratio",
        "distribution_crps_ratio",
        "corrected_verdict",
    )
    SAID = ()

    ticker: str
    version: int
    model: str
    preset: str
    learned: int
    rows: tuple[HorizonRow, ...]


HorizonResult = Batch[HorizonScores]


def evaluate_horizons(
    store: Store, references: Sequence[str], horizons: Sequence[int], pool: str | None
) -> HorizonResult:
    """Score models several sessions ahead; see `Client.evaluate_horizons`."""
    if pool is None:
        names = chosen_references(store, references)
        return HorizonResult(
            *for_each(names, parse_reference, lambda chosen: _own(store, chosen, horizons))
        )
    model = load_pool(store, parse_pool_reference(pool))

    def pooled(ticker: str) -> HorizonScores:
        bars = store.prices.bars(ticker)
        return _scored(model.scored(ticker, bars), bars, horizons)

    tickers = references or [StoredTicker(ticker) for ticker in model.tickers]
    return HorizonResult(*for_each(tickers, parse_ticker, pooled))


def _own(store: Store, reference: ModelReference, horizons: Sequence[int]) -> HorizonScores:
    require_ticker(reference)
    model = load_model(store, reference)
    return _scored(model, bars_of_model(store, model.manifest, model.ticker), horizons)


def _scored(model: LoadedModel, bars: Bars, horizons: Sequence[int]) -> HorizonScores:
    manifest = model.manifest
    scores = score_horizons(model, bars, horizons_ahead(manifest, sorted(horizons)))
    return HorizonScores(
        ticker=model.ticker,
        version=manifest.version,
        model=manifest.id,
        preset=manifest.config.preset,
        learned=manifest.config.horizon,
        # Who looks at many horizons finds something in one of them.
        rows=tuple(map(HorizonRow, scores, league(scores), _interval_verdicts(scores))),
    )


def _spans(scores: Evaluation) -> int:
    return scores.n // scores.horizon


def _interval_verdicts(scores: Sequence[Evaluation]) -> list[tuple[IntervalVerdict, ...]]:
    """Judge each level by Kupiec's test, corrected for the number of horizons."""
    # One row a level, and in it one a horizon.
    levels = list(zip(*(each.distribution.coverage for each in scores), strict=True))
    chances = [holm([coverage.kupiec_p for coverage in level]) for level in levels]
    return [
        tuple(
            _interval_verdict(level[place], chance[place], _spans(each))
            for level, chance in zip(levels, chances, strict=True)
        )
        for place, each in enumerate(scores)
    ]


def _interval_verdict(coverage: Coverage, chance: float, spans: int) -> IntervalVerdict:
    verdict = None
    # An interval that is a single price could be no narrower.
    if spans >= FEWEST and coverage.width:
        off = "too_narrow" if coverage.share < coverage.level else "too_wide"
        verdict = "holds" if chance >= SIGNIFICANT else off
    return IntervalVerdict(coverage.level, chance, verdict)
