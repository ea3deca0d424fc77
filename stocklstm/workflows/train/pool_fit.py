"""From the prices of several tickers to one pooled model with its scores, not yet stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stocklstm.core.clock import utc_now
from stocklstm.core.digest import sha256_hex
from stocklstm.core.inputs.features import InputRange, input_ranges
from stocklstm.core.inputs.scaling import PooledScaling, warm_up_rows
from stocklstm.core.inputs.volatility import WARM_UP, AnchorState, VolatilityAnchor
from stocklstm.core.prices.pool_splits import PoolDays, pool_days, require_parts
from stocklstm.core.prices.series import Bars, outcomes
from stocklstm.core.scores.baselines import Baselines, EwmaBaseline, naive_error
from stocklstm.core.scores.evaluation import ScoredDays, evaluate, score_days
from stocklstm.core.scores.pooling import pooled_days
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.training.epochs import EpochRecord
from stocklstm.errors import ConfigError, NotEnoughDataError
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.loop import TrainingData, train_network
from stocklstm.learn.onnx_graph import export_onnx
from stocklstm.learn.stopping import Keeper, State
from stocklstm.store.manifest import DataRecord, FileRecord, Manifest, PoolRecord
from stocklstm.store.pool_members import Member, MemberScores
from stocklstm.workflows.environment import environment
from stocklstm.workflows.train.fit import Fitted, training_record
from stocklstm.workflows.train.pool_parts import PoolSeries, fit_shared, part_series, split_record


@dataclass(frozen=True, eq=False)
class PreparedPool:
    """Prices made ready for the network.

    Attributes:
        days: Where the parts of all tickers begin.
        series: The tickers, in order.
        scaling: What they share, fitted on all training parts.
        data: What the training loop may see: the rows of all tickers, one after the other.
    """

    days: PoolDays
    series: tuple[PoolSeries, ...]
    scaling: PooledScaling
    data: TrainingData


@dataclass(frozen=True, eq=False)
class FittedPool(Fitted):
    """A trained pooled network, all that belongs to it, and how it did on the test parts.

    Attributes:
        prepared: What it was trained on.
        members: What it holds of each ticker; price sources are still to be filled in.
    """

    prepared: PreparedPool
    members: tuple[Member, ...]

    def manifest(self, name: str, version: int, files: dict[str, FileRecord]) -> Manifest:
        """Describe it as a version of a pooled model.

        Args:
            name: With the mark.
            version: Its number.
            files: What was written of it.
        """
        prepared = self.prepared
        return Manifest(
            ticker=name,
            version=version,
            created=utc_now(),
            config=self.config,
            input_ranges=_ranges(prepared, self.config),
            baselines=_mean_baselines([member.baselines for member in self.members]),
            mase_scale=self.mase_scale,
            splits=split_record(prepared.series, self.config.horizon),
            data=_data_record(self.members),
            training=training_record(self.network, self.diagnosis.kind),
            evaluation=self.evaluation,
            environment=environment(),
            files=files,
            pool=PoolRecord(len(self.members), prepared.scaling, prepared.days),
        )


def require_scale_free(config: TrainingConfig) -> None:
    """Refuse settings under which prices of one ticker would mean something to another.

    Args:
        config: All settings.

    Raises:
        ConfigError: A price is learned or shown, or rows are held back for residuals.
    """
    if config.target != "return" or "close" in config.features:
        raise ConfigError(
            "a pooled model learns returns: a price of one ticker says nothing of another's "
            f"(preset {config.preset}, target {config.target}, features "
            f"{', '.join(config.features)})",
            hint="leave --preset and close in --features out: calibrated is the preset for pools",
        )
    if config.calibration_fraction:
        raise ConfigError(
            "a pooled model has no use for a calibration part",
            hint="leave --calibration-fraction out",
        )


def prepare_pool(series: Mapping[str, Bars], config: TrainingConfig) -> PreparedPool:
    """Part the prices of all tickers on the same days, fit what they share, and lay them out.

    Rows from the test part on are cut off before a weight, a scaler or a choice could see them. The
    windows stay views of one array of all rows: memory grows with rows, whatever their length.

    Args:
        series: Prices by ticker; the order does not matter.
        config: All settings.

    Raises:
        SeriesTooShortError: All tickers together are too short for these settings.
        NotEnoughDataError: Only one is old enough to learn from.
    """
    warm_up = warm_up_rows(config)
    days = pool_days([bars.dates for bars in series.values()], warm_up, config)
    parted = tuple(
        part_series(ticker, bars, days, config) for ticker, bars in sorted(series.items())
    )
    require_parts([each.split for each in parted], config)
    taught = [each for each in parted if len(each.split.train)]
    if len(taught) < 2:
        raise NotEnoughDataError(
            f"of these tickers only {taught[0].ticker} is old enough to learn from",
            hint=f"stocklstm train --ticker {taught[0].ticker}, or name further tickers",
        )
    scaling = fit_shared(taught, config)
    return PreparedPool(days, parted, scaling, _laid_out(parted, days, scaling))


def _laid_out(parted: Sequence[PoolSeries], days: PoolDays, scaling: PooledScaling) -> TrainingData:
    """Put the rows of all tickers one after the other; no origin's window begins in another's."""
    inputs, targets, train, validation = [], [], [], []
    offset = 0
    for each in parted:
        if not len(each.split.train) + len(each.split.validation):
            continue
        seen = each.bars.select(each.bars.dates < np.datetime64(days.test_from, "D"))
        own = scaling.of(each.anchor)
        inputs.append(own.inputs(seen))
        targets.append(own.targets(seen))
        train.append(each.split.train + offset)
        validation.append(each.split.validation + offset)
        offset += len(seen)
    return TrainingData(
        np.concatenate(inputs),
        np.concatenate(targets),
        np.concatenate(train),
        np.concatenate(validation),
    )


def fit_pool(
    series: Mapping[str, Bars],
    config: TrainingConfig,
    on_epoch: Callable[[EpochRecord], None],
    *,
    keeper: Keeper | None = None,
    resume: State | None = None,
) -> FittedPool:
    """Train one network on several tickers and score it on each through the serving graph.

    Args:
        series: Prices by ticker, at least two.
        config: All settings.
        on_epoch: Called after every epoch.
        keeper: Where the run keeps what must survive it; by default nowhere.
        resume: State to go on from.

    Raises:
        ConfigError: Prices are to be learned.
        NotEnoughDataError: There are too few rows for these settings.
        TrainingDivergedError: The loss became infinite, or worse than that of an untrained network.
        StoppedError: The keeper said so.
    """
    require_scale_free(config)
    prepared = prepare_pool(series, config)
    network = train_network(config, prepared.data, on_epoch, keeper=keeper, resume=resume)
    onnx = export_onnx(network.network, config)
    graph = ServingGraph(onnx)
    members, scored = [], []
    for each in prepared.series:
        member, days = _assessed(each, Forecaster(graph, config, prepared.scaling.of(each.anchor)))
        members.append(member)
        scored += [] if days is None else [days]
    mase_scale = float(np.mean([_relative_error(e, config.horizon) for e in prepared.series]))
    return FittedPool(
        config=config,
        prepared=prepared,
        network=network,
        onnx=onnx,
        members=tuple(members),
        evaluation=evaluate(pooled_days(scored), mase_scale),
        mase_scale=mase_scale,
    )


def _assessed(each: PoolSeries, forecaster: Forecaster) -> tuple[Member, ScoredDays | None]:
    """Score one ticker on its test part."""
    bars, split, horizon = each.bars, each.split, forecaster.config.horizon
    baselines = Baselines.fit(bars, split.train_rows)
    mase_scale = naive_error(bars, split.train_rows, horizon)
    days = scores = None
    if len(split.test):
        forecasts = forecaster.forecast(bars, split.test)
        days = score_days(bars, split.test, forecasts, baselines, horizon)
        scores = member_scores(evaluate(days, mase_scale))
    data = DataRecord(
        rows=len(bars),
        first=str(bars.dates[0]),
        last=str(bars.dates[-1]),
        last_close=float(bars.closes[-1]),
        sha256=bars.fingerprint(),
        sources=(),
    )
    member = Member(
        ticker=each.ticker,
        data=data,
        windows=len(split.train),
        anchor=each.anchor,
        baselines=baselines,
        mase_scale=mase_scale,
        scores=scores,
        state=resumable_state(each.anchor, bars, forecaster.first_origin()),
    )
    return member, days


def resumable_state(anchor: VolatilityAnchor, bars: Bars, first_origin: int) -> AnchorState | None:
    """Tell where an anchor stood just before all that the next forecast looks at.

    Args:
        anchor: Of a ticker.
        bars: N sessions.
        first_origin: First row of any series at which a forecast can be made.

    Returns:
        None where the anchor itself was not known by then.
    """
    row = len(bars) - 1 - first_origin
    return anchor.state(bars, row) if row >= WARM_UP else None


def member_scores(evaluation: Evaluation) -> MemberScores:
    """Keep of one ticker's scores what a forecast is shown beside."""
    return MemberScores(
        n=evaluation.n,
        rmse_ratio=evaluation.point.rmse_ratio,
        crps_ratio=evaluation.distribution.crps_ratio,
        verdict=evaluation.verdict,
        verdict_text=evaluation.verdict_text,
    )


def _relative_error(each: PoolSeries, horizon: int) -> float:
    origins = np.arange(each.split.train_rows - horizon)
    closes = each.bars.closes[origins]
    return float(np.abs(outcomes(each.bars, origins, horizon) / closes - 1).mean())


def _ranges(prepared: PreparedPool, config: TrainingConfig) -> tuple[InputRange, ...]:
    """Find what the training parts held of each feature, all together."""
    warm_up = warm_up_rows(config)
    found = [
        input_ranges(
            config.features,
            each.bars,
            np.arange(warm_up, int(each.split.train[-1]) + 1),
            each.anchor,
        )
        for each in prepared.series
        if len(each.split.train)
    ]
    return tuple(
        InputRange(same[0].name, min(r.low for r in same), max(r.high for r in same))
        for same in zip(*found, strict=True)
    )


def _mean_baselines(each: Sequence[Baselines]) -> Baselines:
    quantiles = np.mean([one.ewma.quantiles for one in each], axis=0)
    # No floor: what is still for one ticker is not for another.
    anchor = VolatilityAnchor("returns", each[0].ewma.anchor.decay, 0.0)
    drift, intercept, slope = np.mean([(b.drift, b.intercept, b.slope) for b in each], axis=0)
    ewma = EwmaBaseline(tuple(quantiles.tolist()), anchor)
    return Baselines(ewma, float(drift), float(intercept), float(slope))


def _data_record(members: Sequence[Member]) -> DataRecord:
    lines = (f"{member.ticker} {member.data.sha256}\n".encode() for member in members)
    return DataRecord(
        rows=sum(member.data.rows for member in members),
        first=min(member.data.first for member in members),
        last=max(member.data.last for member in members),
        last_close=1.0,
        sha256=sha256_hex(*lines),
        sources=tuple(sorted({name for member in members for name in member.data.sources})),
    )
