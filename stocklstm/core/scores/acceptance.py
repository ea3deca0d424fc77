"""Whether a smaller model may replace the one it was made from.

A network whose weights were rounded errs nearly as its parent does, every day, so that a paired
test tells the two apart however small the difference: +0.03 % is highly significant, and nobody's
loss. The tests therefore ask whether the loss is larger than a negligible part of what is allowed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stocklstm.core.forecasts.quantiles import crps
from stocklstm.core.language import english
from stocklstm.core.prices.series import Floats
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.scores.significance import diebold_mariano, holm
from stocklstm.core.settings.config import SIGNIFICANT
from stocklstm.core.wording import p_words, percent_change

NEGLIGIBLE = 0.2
"""Share of the tolerance up to which a loss is none."""


@dataclass(frozen=True)
class LossTest:
    """A paired test of whether a smaller model loses more than is negligible.

    Attributes:
        stat: Diebold–Mariano statistic of its daily losses against the parent's, these raised by
            what is negligible; above zero if the smaller model's are larger still. None where
            they differ by the same amount every day.
        p: Chance of as large a loss if it were negligible: one-sided, corrected for two tests
            (Holm 1979).
        found: True if that is below 5 %.
    """

    stat: float | None
    p: float
    found: bool


@dataclass(frozen=True)
class Acceptance:
    """How the errors of a smaller model compare with those of its parent, and the decision.

    Attributes:
        rmse_change_pct: Growth of the error, in per cent.
        crps_change_pct: Growth of the score, in per cent.
        squared: Test of its daily squared errors.
        distribution: Test of its daily CRPS.
        largest_difference: Of two point forecasts of the same day, in currency.
        accepted: True if neither grew by more than is allowed, and neither test finds a loss.
        reason: Why or why not, in words.
    """

    rmse_change_pct: float
    crps_change_pct: float
    squared: LossTest
    distribution: LossTest
    largest_difference: float
    accepted: bool
    reason: str


def judge_smaller(smaller: ScoredDays, parent: ScoredDays, tolerance_pct: float) -> Acceptance:
    """Compare a smaller model with its parent on the same n days.

    Args:
        tolerance_pct: Most growth of RMSE and CRPS that is allowed, in per cent; a fifth of it is
            negligible.
    """
    squares, wanted_squares = _squares(smaller), _squares(parent)
    spreads, wanted_spreads = _spreads(smaller), _spreads(parent)
    rmse = _growth(math.sqrt(squares.mean()), math.sqrt(wanted_squares.mean()))
    spread = _growth(float(spreads.mean()), float(wanted_spreads.mean()))
    margin = 1 + NEGLIGIBLE * tolerance_pct / 100
    squared, distribution = _tested(
        # The RMSE grows by the root of what its squares grow by.
        [(squares, margin**2 * wanted_squares), (spreads, margin * wanted_spreads)],
        parent.horizon,
    )
    close = rmse <= tolerance_pct and spread <= tolerance_pct
    losses = [
        english("{score} significantly worse ({p})", score=name, p=p_words(test.p))
        for name, test in (("RMSE", squared), ("CRPS", distribution))
        if test.found
    ]
    tested = " and ".join(losses) or _no_loss(tolerance_pct, len(parent.dates))
    return Acceptance(
        rmse_change_pct=rmse,
        crps_change_pct=spread,
        squared=squared,
        distribution=distribution,
        largest_difference=float(np.abs(smaller.forecasts.points - parent.forecasts.points).max()),
        accepted=close and not losses,
        reason=f"{_growth_words(rmse, spread, tolerance_pct)}; {tested}",
    )


def _no_loss(tolerance_pct: float, days: int) -> str:
    if not tolerance_pct:
        return english("no loss found in {days} test days", days=days)
    return english(
        "no loss beyond {share:g} % found in {days} test days",
        share=NEGLIGIBLE * tolerance_pct,
        days=days,
    )


def _growth_words(rmse: float, spread: float, tolerance_pct: float) -> str:
    changes = {"rmse": percent_change(rmse), "crps": percent_change(spread)}
    if rmse <= tolerance_pct and spread <= tolerance_pct:
        return english(
            "RMSE {rmse}, CRPS {crps}: within the {most} allowed",
            most=f"{tolerance_pct:g} %",
            **changes,
        )
    return english(
        "RMSE {rmse}, CRPS {crps}: more than the {most} allowed",
        most=f"{tolerance_pct:g} %",
        **changes,
    )


def _tested(pairs: Sequence[tuple[Floats, Floats]], horizon: int) -> list[LossTest]:
    tests = [diebold_mariano(losses, reference, horizon) for losses, reference in pairs]
    chances = holm([test.p / 2 if test.stat > 0 else 1 - test.p / 2 for test in tests])
    return [
        LossTest(test.stat if math.isfinite(test.stat) else None, chance, chance < SIGNIFICANT)
        for test, chance in zip(tests, chances, strict=True)
    ]


def _squares(days: ScoredDays) -> Floats:
    return (days.actuals - days.forecasts.points) ** 2


def _spreads(days: ScoredDays) -> Floats:
    return crps(days.actuals, days.forecasts.quantiles)


def _growth(after: float, before: float) -> float:
    if not (math.isfinite(after) and math.isfinite(before)):
        # Nothing is as good as what is no number.
        return math.inf
    if before == 0:
        return 0.0 if after == 0 else math.inf
    return 100 * (after / before - 1)
