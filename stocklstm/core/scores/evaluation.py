"""Scores of forecasts against yesterday's close and against EWMA, and the verdict in words.

All errors are in the currency of the closes. The outcome of a day is the last close carried on
by the return of the adjusted close, so that on an ex-dividend day the dividend is added back:
nobody's error should grow because a dividend was paid. On all other days it is the close itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from stocklstm.core.forecasts.intervals import followed
from stocklstm.core.forecasts.live import FEWEST
from stocklstm.core.forecasts.quantiles import ReturnForecasts, crps, interval
from stocklstm.core.language import english
from stocklstm.core.prices.series import (
    Bars,
    Dates,
    Flags,
    Floats,
    Indices,
    outcomes,
)
from stocklstm.core.scores.baselines import Baselines, DistributionBaseline
from stocklstm.core.scores.calibration import (
    christoffersen,
    independence,
    kupiec,
    misses_repeat,
    reliability,
)
from stocklstm.core.scores.scores import (
    Coverage,
    DirectionScores,
    DistributionRivalScores,
    DistributionScores,
    Evaluation,
    PointScores,
    RivalScores,
)
from stocklstm.core.scores.significance import (
    PairedTest,
    binomial_band,
    clark_west,
    diebold_mariano,
    holm,
    pesaran_timmermann,
    skill_interval,
    wilson_interval,
)
from stocklstm.core.settings.config import INTERVAL_LEVELS, SIGNIFICANT
from stocklstm.core.wording import level_percent, p_words, percent, size_words


@dataclass(frozen=True, eq=False)
class ScoredDays:
    """Forecasts beside their outcomes, n days; prices in currency.

    Attributes:
        dates: (n,) days that were forecast.
        last_closes: (n,) closes the forecasts started from: the naive forecast.
        actuals: (n,) closes that came, dividends added back.
        forecasts: The model's, in currency.
        ewma: (n, Q) quantiles of the EWMA baseline, in currency.
        rivals: (n,) point forecasts of the other baselines by name, in currency.
        horizon: Sessions from the close a forecast started from to the day it is of.
        distributions: (n, Q) quantiles of further baselines by name, in currency.
        together: Most entries of one day: of several tickers, which tell much the same story.
    """

    dates: Dates
    last_closes: Floats
    actuals: Floats
    forecasts: ReturnForecasts
    ewma: Floats
    rivals: Mapping[str, Floats] = field(default_factory=dict)
    horizon: int = 1
    distributions: Mapping[str, Floats] = field(default_factory=dict)
    together: int = 1

    @property
    def span(self) -> int:
        """Consecutive entries that overlap; one in `span` is independent."""
        return self.horizon * self.together

    def select(self, chosen: Flags) -> "ScoredDays":
        """Keep the days that are flagged."""
        return ScoredDays(
            self.dates[chosen],
            self.last_closes[chosen],
            self.actuals[chosen],
            ReturnForecasts(self.forecasts.points[chosen], self.forecasts.quantiles[chosen]),
            self.ewma[chosen],
            {name: closes[chosen] for name, closes in self.rivals.items()},
            self.horizon,
            {name: closes[chosen] for name, closes in self.distributions.items()},
            self.together,
        )


def score_days(
    bars: Bars,
    origins: Indices,
    forecasts: ReturnForecasts,
    baselines: Baselines,
    horizon: int = 1,
    others: Sequence[DistributionBaseline] = (),
) -> ScoredDays:
    """Put forecasts beside their outcomes.

    Args:
        origins: (n,) rows at whose close the forecasts were made.
        forecasts: n return forecasts made there.
        baselines: Fitted on the model's training part.
        horizon: Sessions ahead.
        others: Further baselines of the distribution, fitted there too.
    """
    last = bars.closes[origins]
    rivals = baselines.points(bars, origins, horizon)
    return ScoredDays(
        dates=bars.dates[origins + horizon],
        last_closes=last,
        actuals=outcomes(bars, origins, horizon),
        forecasts=forecasts.closes(last),
        ewma=last[:, None] * np.exp(baselines.ewma.returns(bars, origins, horizon)),
        rivals={name: last * np.exp(returns) for name, returns in rivals.items()},
        horizon=horizon,
        distributions={
            other.name: last[:, None] * np.exp(other.returns(bars, origins, horizon))
            for other in others
        },
    )


def evaluate(days: ScoredDays, mase_scale: float, tickers: Sequence[Evaluation] = ()) -> Evaluation:
    """Compute every score and the verdict of at least one day.

    Args:
        mase_scale: From `naive_error`.
        tickers: Of each ticker by itself, where these are the days of several: the verdict counts
            them.
    """
    point = _point_scores(days, mase_scale)
    distribution = _distribution_scores(days)
    verdict = _verdict(point)
    return Evaluation(
        start=str(days.dates[0]),
        end=str(days.dates[-1]),
        n=len(days.dates),
        horizon=days.horizon,
        point=point,
        rivals=_rival_scores(days, point),
        direction=_direction_scores(days),
        distribution=distribution,
        verdict=verdict,
        verdict_text=" ".join(
            [
                _verdict_words(verdict, point, days.horizon),
                *_count_words(tickers),
                _interval_words(
                    distribution, [interval_faults(days, each) for each in distribution.coverage]
                ),
            ]
        ),
    )


def compare(days: ScoredDays, reference: ScoredDays) -> PairedTest:
    """Test whether two models' distributions of the same days are equally good (CRPS)."""
    return diebold_mariano(
        crps(days.actuals, days.forecasts.quantiles),
        crps(reference.actuals, reference.forecasts.quantiles),
        days.span,
    )


def compare_with_ewma(days: ScoredDays) -> PairedTest:
    """Test whether a model's distributions are as good as those of EWMA (CRPS)."""
    return diebold_mariano(
        crps(days.actuals, days.forecasts.quantiles), crps(days.actuals, days.ewma), days.span
    )


def mean_crps(days: ScoredDays) -> float:
    """Average the CRPS of a model over its days, in currency; lower is better."""
    return float(crps(days.actuals, days.forecasts.quantiles).mean())


def _point_scores(days: ScoredDays, mase_scale: float) -> PointScores:
    points, actuals, horizon = days.forecasts.points, days.actuals, days.span
    errors, naive = actuals - points, actuals - days.last_closes
    rmse, mae = _errors(errors)
    rmse_naive, mae_naive = _errors(naive)
    test = diebold_mariano(errors**2, naive**2, horizon)
    nested = clark_west(errors, naive, days.last_closes - points, horizon)
    ratio = _ratio(rmse, rmse_naive)
    low, high = skill_interval(errors**2, naive**2, horizon=horizon)
    return PointScores(
        rmse=rmse,
        mae=mae,
        rmse_naive=rmse_naive,
        mae_naive=mae_naive,
        rmse_ratio=ratio,
        mae_ratio=_ratio(mae, mae_naive),
        skill=None if ratio is None else 1 - ratio,
        mase=_ratio(mae, mase_scale),
        dm_stat=_finite(test.stat),
        dm_p=test.p,
        skill_low=_finite(low),
        skill_high=_finite(high),
        cw_stat=_finite(nested.stat),
        cw_p=nested.p,
        mape=100 * float((np.abs(errors) / actuals).mean()),
        smape=200 * float((np.abs(errors) / (actuals + points)).mean()),
        r2=_r2(errors, actuals),
        r2_naive=_r2(naive, actuals),
    )


def _errors(errors: Floats) -> tuple[float, float]:
    return float(np.sqrt(np.mean(errors**2))), float(np.abs(errors).mean())


def _r2(errors: Floats, actuals: Floats) -> float | None:
    spread = float(((actuals - actuals.mean()) ** 2).sum())
    return 1 - float((errors**2).sum()) / spread if spread > 0 else None


def _rival_scores(days: ScoredDays, point: PointScores) -> tuple[RivalScores, ...]:
    scores = []
    for name, closes in days.rivals.items():
        rmse, mae = _errors(days.actuals - closes)
        scores.append(RivalScores(name, rmse, mae, _ratio(rmse, point.rmse_naive)))
    return tuple(scores)


def _ratio(value: float, reference: float) -> float | None:
    return value / reference if reference > 0 else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _direction_scores(days: ScoredDays) -> DirectionScores:
    # Adjusted closes are rounded: a day whose close did not change has a return of some 1e-7.
    still = np.abs(days.actuals / days.last_closes - 1) < 1e-6
    moves = np.where(still, 0, np.sign(days.actuals - days.last_closes))
    calls = np.sign(days.forecasts.points - days.last_closes)
    counted = (moves != 0) & (calls != 0)
    count = int(counted.sum())
    hits = int((moves == calls)[counted].sum())
    # Overlapping spans tell the same story several times: only one in h is news.
    low, high = wilson_interval(round(hits / days.span), round(count / days.span))
    every = slice(None, None, days.span)
    test = pesaran_timmermann(calls[counted][every] > 0, moves[counted][every] > 0)
    up = float((moves > 0)[counted].mean()) if count else None
    return DirectionScores(
        accuracy=hits / count if count else None,
        n=count,
        excluded=len(moves) - count,
        low=low,
        high=high,
        always_up=up,
        always_down=None if up is None else 1 - up,
        pt_stat=None if test.p == 1 else test.stat,
        pt_p=test.p,
    )


def _distribution_scores(days: ScoredDays) -> DistributionScores:
    scores = crps(days.actuals, days.forecasts.quantiles)
    baseline = crps(days.actuals, days.ewma)
    test = diebold_mariano(scores, baseline, days.span)
    return DistributionScores(
        crps=float(scores.mean()),
        crps_ewma=float(baseline.mean()),
        crps_ratio=_ratio(float(scores.mean()), float(baseline.mean())),
        dm_stat=_finite(test.stat),
        dm_p=test.p,
        coverage=tuple(_coverage(days, level) for level in INTERVAL_LEVELS),
        reliability=tuple(reliability(days.actuals, days.forecasts.quantiles).tolist()),
        rivals=tuple(
            _distribution_rival(name, scores, crps(days.actuals, quantiles), days.span)
            for name, quantiles in days.distributions.items()
        ),
    )


def _distribution_rival(
    name: str, scores: Floats, reference: Floats, horizon: int
) -> DistributionRivalScores:
    test = diebold_mariano(scores, reference, horizon)
    ratio = _ratio(float(scores.mean()), float(reference.mean()))
    return DistributionRivalScores(name, float(reference.mean()), ratio, _finite(test.stat), test.p)


def _inside(days: ScoredDays, level: float) -> Flags:
    lower, upper = interval(days.forecasts.quantiles, level)
    inside: Flags = (lower <= days.actuals) & (days.actuals <= upper)
    return inside


def _coverage(days: ScoredDays, level: float) -> Coverage:
    lower, upper = interval(days.forecasts.quantiles, level)
    inside = _inside(days, level)
    widths = upper - lower
    missed = np.maximum(lower - days.actuals, 0) + np.maximum(days.actuals - upper, 0)
    independent = max(1, len(inside) // days.span)
    apart = inside[:: days.span]
    low, high = binomial_band(independent, level, 0.99)
    chance = kupiec(apart, level).p
    # Of spans that overlap the outcomes before are not known in time.
    follows = chance < SIGNIFICANT and days.span == 1 and len(inside) >= FEWEST
    held, next_level = (
        followed(days.actuals, days.forecasts.quantiles, level) if follows else (None, None)
    )
    return Coverage(
        level=level,
        share=float(inside.mean()),
        low=low,
        high=high,
        winkler=float((widths + 2 / (1 - level) * missed).mean()),
        width=float(widths.mean()),
        kupiec_p=chance,
        christoffersen_p=christoffersen(apart, level).p,
        adaptive_share=held,
        adaptive_level=next_level,
    )


def _verdict(point: PointScores) -> str:
    return _judged(point, point.dm_p)


def _judged(point: PointScores, chance: float) -> str:
    if chance < SIGNIFICANT and point.rmse != point.rmse_naive:
        return "worse" if point.rmse > point.rmse_naive else "better"
    return "no_better"


def _verdict_words(verdict: str, point: PointScores, horizon: int) -> str:
    naive = _naive(horizon)
    if point.rmse_ratio is None:
        return (
            english("WORSE THAN {naive}: the price never changed on these days.", naive=naive)
            if verdict == "worse"
            else english(
                "NO BETTER THAN {naive}: the price never changed on these days.", naive=naive
            )
        )
    size, chance = size_words(abs(point.rmse_ratio - 1)), p_words(point.dm_p)
    if verdict == "worse":
        return english(
            "WORSE THAN {naive}: error {size} larger ({chance}); do not use.",
            naive=naive,
            size=size,
            chance=chance,
        )
    if verdict == "better":
        return english(
            "BETTER THAN {naive}: error {size} smaller ({chance}).",
            naive=naive,
            size=size,
            chance=chance,
        )
    if point.rmse == point.rmse_naive:
        return english("NO BETTER THAN {naive}: the same error.", naive=naive)
    if point.rmse_ratio > 1:
        return english(
            "NO BETTER THAN {naive}: error {size} larger ({chance}).",
            naive=naive,
            size=size,
            chance=chance,
        )
    return english(
        "NO BETTER THAN {naive}: error {size} smaller ({chance}).",
        naive=naive,
        size=size,
        chance=chance,
    )


def _naive(horizon: int) -> str:
    """Name the naive forecast in capitals."""
    if horizon == 1:
        return english("YESTERDAY'S CLOSE")
    return english("THE CLOSE {horizon} SESSIONS BEFORE", horizon=horizon)


def _count_words(tickers: Sequence[Evaluation]) -> list[str]:
    """Count the tickers that are better or worse, corrected for their number (Holm 1979)."""
    if not tickers:
        return []
    chances = holm([each.point.dm_p for each in tickers])
    judged = [_judged(each.point, chance) for each, chance in zip(tickers, chances, strict=True)]
    better, worse = (judged.count(verdict) for verdict in ("better", "worse"))
    return [
        english(
            "Ticker by ticker: better for {better} of {count} after Holm, worse for {worse}.",
            better=better,
            count=len(tickers),
            worse=worse,
        )
    ]


class IntervalFault(NamedTuple):
    """What is wrong with an interval.

    Attributes:
        kind: "too narrow", "too wide", "misses in runs" or "misses too regular".
        p: Of the test that found it.
    """

    kind: str
    p: float


def interval_faults(days: ScoredDays, coverage: Coverage) -> list[IntervalFault]:
    """Judge one interval by Kupiec's and Christoffersen's tests at 5 %.

    Both need 20 independent days; of fewer, a share has to lie outside its binomial range. An
    interval that is a single price, of what never changed, could not be narrower: it is not judged.
    """
    held = _inside(days, coverage.level)[:: days.span]
    if not coverage.width:
        return []
    few = len(held) < FEWEST
    faults = []
    if off := (not (coverage.consistent if few else coverage.kupiec_p >= SIGNIFICANT)):
        kind = "too narrow" if held.mean() < coverage.level else "too wide"
        faults.append(IntervalFault(kind, coverage.kupiec_p))
    if few:
        return faults
    # Christoffersen's test is of the share and of the order of the misses at once: where the share
    # is off, the order has to be so by itself.
    if coverage.christoffersen_p < SIGNIFICANT and (not off or independence(held).p < SIGNIFICANT):
        kind = "misses in runs" if misses_repeat(held) else "misses too regular"
        faults.append(IntervalFault(kind, coverage.christoffersen_p))
    return faults


def _fault_words(fault: IntervalFault) -> str:
    p = p_words(fault.p)
    if fault.kind == "too narrow":
        return english("TOO NARROW ({p})", p=p)
    if fault.kind == "too wide":
        return english("TOO WIDE ({p})", p=p)
    if fault.kind == "misses in runs":
        return english("MISSES COME IN RUNS ({p})", p=p)
    return english("MISSES COME TOO REGULARLY ({p})", p=p)


def _interval_words(
    distribution: DistributionScores, found: Sequence[Sequence[IntervalFault]]
) -> str:
    """Name every level that does not hold what it promises; the widest one where all do.

    Args:
        found: What is wrong with each interval of the distribution.
    """
    if not any(each.width for each in distribution.coverage):
        return english("Intervals: each a single price.")
    off = [
        english(
            "{level} covered {share}: {faults}",
            level=level_percent(each.level),
            share=percent(each.share),
            faults=" and ".join(map(_fault_words, faults)),
        )
        for each, faults in zip(distribution.coverage, found, strict=True)
        if faults
    ]
    widest = distribution.coverage[-1]
    words = english("Intervals: {levels}.", levels="; ".join(off) or _consistent(widest))
    if distribution.dm_p < SIGNIFICANT and distribution.crps_ratio is not None:
        size, p = size_words(abs(distribution.crps_ratio - 1)), p_words(distribution.dm_p)
        if distribution.crps_ratio > 1:
            return f"{words} " + english(
                "Distribution: {size} worse than EWMA ({p}).", size=size, p=p
            )
        return f"{words} " + english("Distribution: {size} better than EWMA ({p}).", size=size, p=p)
    return words


def _consistent(coverage: Coverage) -> str:
    return english(
        "{level} covered {share} (expected {low:.0f}–{high:.0f} %): consistent",
        level=level_percent(coverage.level),
        share=percent(coverage.share),
        low=coverage.low * 100,
        high=coverage.high * 100,
    )
