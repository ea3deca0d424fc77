"""The pooled model: one network on the prices of several tickers, not yet stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stocklstm.core.digest import sha256_hex
from stocklstm.core.inputs.parts import PoolSeries, fit_shared, split_pool
from stocklstm.core.inputs.scaling import PooledScaling
from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.prices.pool_splits import PoolDays
from stocklstm.core.prices.series import Bars, outcomes
from stocklstm.core.scores.baselines import Baselines, EwmaBaseline, naive_error
from stocklstm.core.scores.evaluation import ScoredDays, evaluate, score_days
from stocklstm.core.scores.pooling import join_tickers
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.loop import TrainedNetwork, TrainingData
from stocklstm.store.manifest import DataRecord, FileRecord, Manifest, PoolRecord
from stocklstm.store.pool_members import MEMBERS_FILE, Member, MemberScores, encode_members
from stocklstm.workflows.train.beginning import require_scale_free
from stocklstm.workflows.train.fit import Fitted, Prepared, Sources, data_record


@dataclass(frozen=True, eq=False)
class PreparedPool(Prepared["FittedPool"]):
    """The prices of several tickers; `data` holds their rows one after the other.

    Attributes:
        series: The tickers, in order.
        days: Where the parts of all tickers begin.
        scaling: What they share, fitted on all training parts.
    """

    series: tuple[PoolSeries, ...]
    days: PoolDays
    scaling: PooledScaling

    def _scored(self, network: TrainedNetwork, onnx: bytes) -> "FittedPool":
        """Score a network on the test part of each ticker, and on all of them."""
        config = self.config
        graph = ServingGraph(onnx)
        members, scored, judged = [], {}, []
        for each in self.series:
            forecaster = Forecaster(graph, config, self.scaling.of(each.anchor))
            member, days, evaluation = _assessed(each, forecaster)
            members.append(member)
            if days is not None and evaluation is not None:
                scored[each.ticker] = days
                judged.append(evaluation)
        mase_scale = float(np.mean([_relative_error(e, config.horizon) for e in self.series]))
        return FittedPool(
            prepared=self,
            network=network,
            onnx=onnx,
            mase_scale=mase_scale,
            evaluation=evaluate(join_tickers(list(scored.values())), mase_scale, judged),
            members=tuple(members),
            days=scored,
        )


@dataclass(frozen=True, eq=False)
class FittedPool(Fitted):
    """A pooled model.

    Attributes:
        members: What it holds of each ticker; price sources are still to be filled in.
        days: Test part of each ticker that has one, scored day by day.
    """

    prepared: PreparedPool
    members: tuple[Member, ...]
    days: dict[str, ScoredDays]

    def days_by_ticker(self, owner: str) -> dict[str, ScoredDays]:  # noqa: ARG002 - of all kinds alike
        """Give the test part of each ticker that has one."""
        return self.days

    def _own_files(self, sources: Sources) -> dict[str, bytes]:
        """Write what it holds of each ticker."""
        return {MEMBERS_FILE: encode_members(_with_sources(self.members, sources))}

    def manifest(self, owner: str, sources: Sources, files: Mapping[str, FileRecord]) -> Manifest:
        """Describe it as a version of a pooled model, with `UNNUMBERED`."""
        prepared = self.prepared
        return self._manifest(
            owner,
            files,
            [each.anchor for each in prepared.series],
            baselines=_mean_baselines([member.baselines for member in self.members]),
            data=pool_record(_with_sources(self.members, sources)),
            pool=PoolRecord(len(self.members), prepared.scaling, prepared.days),
        )


def prepare_pool(bars: Mapping[str, Bars], config: TrainingConfig) -> PreparedPool:
    """Part the prices of all tickers on the same days, fit what they share, and lay them out.

    Rows from the test part on are cut off before a weight, a scaler or a choice could see them. The
    windows stay views of one array of all rows: memory grows with rows, whatever their length.

    Args:
        bars: Prices by ticker, at least two; the order does not matter.
        config: All settings.

    Raises:
        ConfigError: Prices are to be learned.
        SeriesTooShortError: All tickers together are too short for these settings.
        NotEnoughDataError: Only one is old enough to learn from.
    """
    require_scale_free(config)
    days, series = split_pool(bars, config)
    scaling = fit_shared(series, config)
    return PreparedPool(config, _laid_out(series, days, scaling), series, days, scaling)


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


def _assessed(
    each: PoolSeries, forecaster: Forecaster
) -> tuple[Member, ScoredDays | None, Evaluation | None]:
    """Score one ticker on its test part."""
    bars, split, horizon = each.bars, each.split, forecaster.config.horizon
    baselines = Baselines.fit(bars, split.train_rows)
    mase_scale = naive_error(bars, split.train_rows, horizon)
    days = evaluation = None
    if len(split.test):
        forecasts = forecaster.forecast(bars, split.test)
        days = score_days(bars, split.test, forecasts, baselines, horizon)
        evaluation = evaluate(days, mase_scale)
    member = Member(
        ticker=each.ticker,
        data=data_record(bars, ()),
        windows=len(split.train),
        anchor=each.anchor,
        baselines=baselines,
        mase_scale=mase_scale,
        scores=None if evaluation is None else member_scores(evaluation),
        state=each.anchor.resumable(bars, forecaster.first_origin()),
    )
    return member, days, evaluation


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


def _mean_baselines(each: Sequence[Baselines]) -> Baselines:
    quantiles = np.mean([one.ewma.quantiles for one in each], axis=0)
    # No floor: what is still for one ticker is not for another.
    anchor = VolatilityAnchor("returns", each[0].ewma.anchor.decay, 0.0)
    drift, intercept, slope = np.mean([(b.drift, b.intercept, b.slope) for b in each], axis=0)
    ewma = EwmaBaseline(tuple(quantiles.tolist()), anchor)
    return Baselines(ewma, float(drift), float(intercept), float(slope))


def _with_sources(members: Sequence[Member], sources: Sources) -> list[Member]:
    return [
        replace(member, data=replace(member.data, sources=sources[member.ticker]))
        for member in members
    ]


def pool_record(members: Sequence[Member]) -> DataRecord:
    """Describe the prices of all tickers together."""
    lines = (f"{member.ticker} {member.data.sha256}\n".encode() for member in members)
    return DataRecord(
        rows=sum(member.data.rows for member in members),
        first=min(member.data.first for member in members),
        last=max(member.data.last for member in members),
        last_close=1.0,
        sha256=sha256_hex(*lines),
        sources=tuple(sorted({name for member in members for name in member.data.sources})),
    )
