"""Many versions at once: which differences are significant, corrected for their number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stocklstm.core.forecasts.quantiles import crps
from stocklstm.core.prices.series import Floats
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.scores.significance import PairedTest, diebold_mariano, holm
from stocklstm.core.settings.config import SIGNIFICANT

BETTER, WORSE, NO_DIFFERENCE, NO_BETTER = "better", "worse", "no_difference", "no_better"


@dataclass(frozen=True)
class AdjustedTest:
    """A paired test that is one of several.

    Attributes:
        stat: Above zero if the losses are larger than the other's; None where they differ by the
            same amount every day.
        p: Of this test alone, two-sided.
        holm_p: Of this test as one of all (Holm 1979).
        judged: "better", "worse" or "no_difference", by `holm_p`.
    """

    stat: float | None
    p: float
    holm_p: float
    judged: str


@dataclass(frozen=True)
class ComparedScores:
    """One model on the days that all of them forecast.

    Attributes:
        rmse: Root mean squared error.
        rmse_ratio: Over that of the last close; None if that was never wrong.
        crps: Continuous ranked probability score.
        crps_ratio: Over that of EWMA, as fitted on the training part of the first model.
        squared: Its squared errors against the first model's; None for that model.
        distribution: Its daily CRPS likewise.
    """

    rmse: float
    rmse_ratio: float | None
    crps: float
    crps_ratio: float | None
    squared: AdjustedTest | None
    distribution: AdjustedTest | None


def compare_all(models: Sequence[ScoredDays]) -> tuple[ComparedScores, ...]:
    """Compare models with the first of them, day by day.

    Holm's correction counts the comparisons, once for squared errors and once for CRPS.

    Args:
        models: At least two, each with the same n days.
    """
    first = models[0]
    squares = [(days.actuals - days.forecasts.points) ** 2 for days in models]
    spreads = [crps(days.actuals, days.forecasts.quantiles) for days in models]
    naive = (first.actuals - first.last_closes) ** 2
    ewma = crps(first.actuals, first.ewma)

    def against_first(losses: Sequence[Floats]) -> list[AdjustedTest | None]:
        tests = [diebold_mariano(other, losses[0], first.horizon) for other in losses[1:]]
        return [None, *adjusted(tests)]

    return tuple(
        ComparedScores(
            rmse=math.sqrt(float(square.mean())),
            rmse_ratio=_root(_ratio(square, naive)),
            crps=float(spread.mean()),
            crps_ratio=_ratio(spread, ewma),
            squared=squared,
            distribution=distribution,
        )
        for square, spread, squared, distribution in zip(
            squares, spreads, against_first(squares), against_first(spreads), strict=True
        )
    )


def adjusted(tests: Sequence[PairedTest]) -> list[AdjustedTest]:
    """Judge tests that are made together, corrected for their number."""
    chances = holm([test.p for test in tests])
    return [
        AdjustedTest(
            stat=test.stat if math.isfinite(test.stat) else None,
            p=test.p,
            holm_p=chance,
            judged=_judged(test.stat, chance),
        )
        for test, chance in zip(tests, chances, strict=True)
    ]


def _judged(stat: float, chance: float) -> str:
    if not chance < SIGNIFICANT or stat == 0:
        return NO_DIFFERENCE
    return WORSE if stat > 0 else BETTER


@dataclass(frozen=True)
class LeagueScores:
    """What remains of an evaluation that is one of many.

    Attributes:
        dm_holm_p: p of the error against yesterday's close, corrected.
        verdict: "better", "no_better" or "worse" than yesterday's close, by it.
        crps_holm_p: p of the CRPS against EWMA, corrected.
        distribution_verdict: The same three words against EWMA, by it.
    """

    dm_holm_p: float
    verdict: str
    crps_holm_p: float
    distribution_verdict: str


def league(evaluations: Sequence[Evaluation]) -> tuple[LeagueScores, ...]:
    """Correct the verdicts of evaluations for their number, by Holm's method.

    The errors against yesterday's close are one family of tests, the CRPS against EWMA another.
    """
    points = holm([scores.point.dm_p for scores in evaluations])
    spreads = holm([scores.distribution.dm_p for scores in evaluations])
    return tuple(
        LeagueScores(
            dm_holm_p=point,
            verdict=_verdict(scores.point.rmse - scores.point.rmse_naive, point),
            crps_holm_p=spread,
            distribution_verdict=_verdict(
                scores.distribution.crps - scores.distribution.crps_ewma, spread
            ),
        )
        for scores, point, spread in zip(evaluations, points, spreads, strict=True)
    )


def _verdict(difference: float, chance: float) -> str:
    if not chance < SIGNIFICANT or difference == 0:
        return NO_BETTER
    return WORSE if difference > 0 else BETTER


def _ratio(losses: Floats, reference: Floats) -> float | None:
    mean = float(reference.mean())
    return float(losses.mean()) / mean if mean > 0 else None


def _root(ratio: float | None) -> float | None:
    return None if ratio is None else math.sqrt(ratio)
