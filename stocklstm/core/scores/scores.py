"""What an evaluation yields; apart from how it is computed, which a forecast has no need of.

Manifests hold these classes. A field that is added needs a default, or every version that is stored
already reads as damaged; one that is renamed or removed needs a new manifest format
(`store.manifest_migrations`).
"""

from stocklstm.core.batch import Result
from stocklstm.core.records import dataclass


@dataclass(frozen=True)
class PointScores:
    """The point forecast against yesterday's close.

    A ratio is None where yesterday's close was never wrong, and a statistic is None where the
    losses differ by the same amount every day.

    Attributes:
        rmse: Root mean squared error.
        mae: Mean absolute error.
        rmse_naive: The same for yesterday's close.
        mae_naive: The same for yesterday's close.
        rmse_ratio: rmse / rmse_naive; below 1 is better than yesterday's close.
        mae_ratio: mae / mae_naive.
        skill: 1 - rmse_ratio.
        mase: mae over the naive mean absolute error of the training part (Hyndman & Koehler).
        dm_stat: Diebold–Mariano on squared errors; above 0 if the model's are larger.
        dm_p: Its two-sided p.
        skill_low: Lower bound of the skill with 95 % confidence, by resampling blocks of days; None
            where there are not two of them.
        skill_high: Upper bound.
        cw_stat: Clark–West, which forgives a larger model what it pays for being larger.
        cw_p: Its one-sided p; small speaks for the model.
        mape: Mean absolute error in per cent of the outcome.
        smape: The same in per cent of the mean of outcome and forecast.
        r2: Share of the variance of closes that is "explained"; near 1 for anything that repeats
            yesterday's close, and so no proof of anything.
        r2_naive: The same for yesterday's close.
    """

    rmse: float
    mae: float
    rmse_naive: float
    mae_naive: float
    rmse_ratio: float | None
    mae_ratio: float | None
    skill: float | None
    mase: float | None
    dm_stat: float | None
    dm_p: float
    skill_low: float | None
    skill_high: float | None
    cw_stat: float | None
    cw_p: float
    mape: float
    smape: float
    r2: float | None
    r2_naive: float | None


@dataclass(frozen=True)
class RivalScores:
    """A forecast that costs nothing, on the same days.

    Attributes:
        name: Such as "drift" or "AR(1)".
        rmse: Root mean squared error.
        mae: Mean absolute error.
        rmse_ratio: rmse over that of yesterday's close.
    """

    name: str
    rmse: float
    mae: float
    rmse_ratio: float | None


@dataclass(frozen=True)
class DirectionScores:
    """Was up or down foreseen?

    Attributes:
        accuracy: Share of days with the right sign; None if no day counts.
        n: Days counted: neither the outcome nor the forecast is exactly unchanged.
        excluded: Days not counted.
        low: Lower bound of the 95 % Wilson interval.
        high: Its upper bound.
        always_up: What "up" every day would have scored on the same days.
        always_down: What "down" every day would have scored.
        pt_stat: Pesaran–Timmermann; None if the forecasts or the outcomes never change direction.
        pt_p: Its one-sided p; small means that directions were foreseen.
    """

    accuracy: float | None
    n: int
    excluded: int
    low: float
    high: float
    always_up: float | None
    always_down: float | None
    pt_stat: float | None
    pt_p: float


@dataclass(frozen=True)
class Coverage:
    """How often an interval held the outcome.

    Attributes:
        level: Promised share.
        share: Share seen.
        low: Least share that a right interval would show in 99 of 100 tests (binomial).
        high: Greatest such share.
        winkler: Mean interval score (Winkler 1972; Gneiting & Raftery 2007).
        width: Mean width.
        kupiec_p: p of Kupiec's test of the share seen.
        christoffersen_p: p of Christoffersen's test of the share and of misses that follow each
            other.
        adaptive_share: Share that would have held if each interval had followed the hits before
            it; None where the interval need not.
        adaptive_level: Level at which that leaves the next one.
    """

    level: float
    share: float
    low: float
    high: float
    winkler: float
    width: float
    kupiec_p: float
    christoffersen_p: float
    adaptive_share: float | None = None
    adaptive_level: float | None = None

    @property
    def consistent(self) -> bool:
        """True if the share seen does not contradict the promise."""
        return self.low <= self.share <= self.high


@dataclass(frozen=True)
class DistributionRivalScores:
    """Another forecast of the distribution, on the same days.

    Attributes:
        name: Such as "GARCH(1,1)-t".
        crps: Its score.
        crps_ratio: The model's over it; below 1 the model is better.
        dm_stat: Diebold–Mariano on the daily scores; above 0 if the model's are larger.
        dm_p: Its two-sided p.
    """

    name: str
    crps: float
    crps_ratio: float | None
    dm_stat: float | None
    dm_p: float


@dataclass(frozen=True)
class DistributionScores:
    """The whole forecast distribution against EWMA filtered historical simulation.

    Attributes:
        crps: Continuous ranked probability score, approximated on the quantile grid.
        crps_ewma: The same for the EWMA baseline.
        crps_ratio: crps / crps_ewma; below 1 is better than EWMA.
        dm_stat: Diebold–Mariano on the daily scores; above 0 if the model's are larger.
        dm_p: Its two-sided p.
        coverage: One entry for each interval.
        reliability: Share of outcomes at or below each quantile of the grid.
        rivals: Further forecasts of the distribution.
    """

    crps: float
    crps_ewma: float
    crps_ratio: float | None
    dm_stat: float | None
    dm_p: float
    coverage: tuple[Coverage, ...]
    reliability: tuple[float, ...]
    rivals: tuple[DistributionRivalScores, ...] = ()


@dataclass(frozen=True, repr=False)
class Evaluation(Result):
    """All scores of a model on one stretch of days.

    Attributes:
        start: First day that was forecast, ISO.
        end: Last such day.
        n: Days.
        horizon: Sessions from the close a forecast was made at to the day it is of. Above 1 the
            spans overlap, and all bounds count only one day in so many.
        point: Against yesterday's close.
        rivals: Other forecasts that cost nothing.
        direction: Up or down.
        distribution: Against EWMA.
        verdict: "better", "no_better" or "worse" than yesterday's close.
        verdict_text: The same in words, with figures.
    """

    SHOWN = ("start", "end", "n", "point_rmse_ratio", "distribution_crps_ratio", "verdict")

    start: str
    end: str
    n: int
    point: PointScores
    rivals: tuple[RivalScores, ...]
    direction: DirectionScores
    distribution: DistributionScores
    verdict: str
    verdict_text: str
    horizon: int = 1
