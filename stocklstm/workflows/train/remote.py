"""Pack a version on a remote worker, and verify it on arrival."""

import math
from collections.abc import Mapping

import msgspec

from stocklstm.core.inputs.parts import SplitSeries
from stocklstm.core.inputs.volatility import AnchorState
from stocklstm.core.prices.pool_splits import known_rows
from stocklstm.core.scores.evaluation import ScoredDays, evaluate
from stocklstm.core.scores.pooling import join_tickers
from stocklstm.core.scores.scores import Evaluation
from stocklstm.errors import ArtifactCorruptError, StockLstmError
from stocklstm.learn.checkpoints import decode_checkpoint
from stocklstm.learn.stopping import ShouldStop
from stocklstm.store.manifest import (
    CHECKPOINT_FILE,
    decode_manifest,
    split_record,
    training_command,
)
from stocklstm.store.pool_members import MemberScores
from stocklstm.workflows.loading.pooled_model import AnyModel, PooledModel, assembled
from stocklstm.workflows.scoring import score_model
from stocklstm.workflows.train.fit import UNNUMBERED
from stocklstm.workflows.train.order import FinishedVersion, TrainingOrder, train_order
from stocklstm.workflows.train.pool_fit import pool_record, resumable_state

# Other processors round otherwise; a forecast of float32 weights agrees to about 1e-6.
_SAME = 1e-4


class _Package(msgspec.Struct, frozen=True):
    """What travels: bytes, numbers and words, and nothing that could be run."""

    manifest: bytes
    files: dict[str, bytes]
    seconds: float
    diagnosis: str


def train_packed(order: TrainingOrder, should_stop: ShouldStop) -> bytes:
    """Train an order, and pack the version's files for `unpack`."""
    made = train_order(order, should_stop)
    package = _Package(made.manifest.encode(), made.files, made.seconds, made.diagnosis)
    return msgspec.msgpack.encode(package)


def unpack(content: bytes, order: TrainingOrder) -> FinishedVersion:
    """Read a version that was made elsewhere, and check that it is what it says.

    Its graph and its checkpoint must be sound, it must be of the prices, the parts and the settings
    that were sent, and its scores on the test days, which are forecast anew here, must be what it
    says: of a pooled model those of every ticker, too.

    Args:
        content: From `train_packed`.
        order: What was to be done.

    Raises:
        ArtifactCorruptError: It is not.
    """
    owner = order.record.ticker
    try:
        package = msgspec.msgpack.decode(content, type=_Package)
        manifest = decode_manifest(package.manifest, owner, UNNUMBERED)
        # Names that the manifest may list are names of files, and no way to anywhere else.
        if package.files.keys() != manifest.files.keys():
            raise ArtifactCorruptError("its files are not those of its manifest")
        decode_checkpoint(package.files[CHECKPOINT_FILE])
        model = assembled(manifest, package.files.__getitem__)
        series = order.dataset.split(order.record.config)
        _require_ordered(model, order, series)
        days = _scored_anew(model, series)
    except (msgspec.MsgspecError, KeyError, StockLstmError) as error:
        raise ArtifactCorruptError(
            f"the version of {owner} that a worker made cannot be published: {error}",
            hint=f"{training_command(owner)} makes it here",
        ) from error
    return FinishedVersion(manifest, package.files, package.seconds, package.diagnosis, days)


def _require_ordered(
    model: AnyModel, order: TrainingOrder, series: Mapping[str, SplitSeries]
) -> None:
    """Refuse a version of other settings, prices or parts than those that were sent."""
    manifest, record = model.manifest, order.record
    if set(model.tickers) != set(series):
        raise ArtifactCorruptError("it is of other tickers")
    if manifest.config != record.config:
        raise ArtifactCorruptError("it is of other settings")
    seen = {name: model.of(name, series[name].bars).manifest.data.sha256 for name in series}
    if seen != {each.ticker: each.sha256 for each in record.series}:
        raise ArtifactCorruptError("it is of other prices")
    if manifest.splits != split_record(list(series.values()), record.config.horizon):
        raise ArtifactCorruptError("its parts are not those of its prices")
    if isinstance(model, PooledModel):
        _require_members(model, series)


def _require_members(model: PooledModel, series: Mapping[str, SplitSeries]) -> None:
    """Refuse what a pooled model says of its tickers, where it is not so."""
    manifest = model.manifest
    if manifest.data != pool_record(list(model.members.values())):
        raise ArtifactCorruptError("its prices are not those of its tickers")
    for ticker, member in model.members.items():
        bars, split = series[ticker].bars, series[ticker].split
        rows = known_rows(bars.dates, model.record.days)
        if (member.windows, rows) != (len(split.train), split.train_rows):
            raise ArtifactCorruptError(f"the parts of {ticker} are not those of its prices")
        first = model.of(ticker, bars).forecaster.first_origin()
        expected = resumable_state(member.anchor, bars, first)
        if not _alike(expected, member.state):
            raise ArtifactCorruptError(f"the volatility of {ticker} is not that of its prices")


def _alike(here: AnchorState | None, there: AnchorState | None) -> bool:
    if here is None or there is None:
        return here is there
    return (
        here.date == there.date
        and math.isclose(here.average, there.average, rel_tol=_SAME)
        and math.isclose(here.level, there.level, rel_tol=_SAME)
    )


def _scored_anew(model: AnyModel, series: Mapping[str, SplitSeries]) -> dict[str, ScoredDays]:
    """Forecast all test days of each ticker, and compare the scores with those that it has."""
    manifest = model.manifest
    days: dict[str, ScoredDays] = {}
    for ticker, each in series.items():
        if len(each.split.test):
            days[ticker] = score_model(model.of(ticker, each.bars), each.bars, each.split.test)
    if isinstance(model, PooledModel):
        for ticker, member in model.members.items():
            scored = evaluate(days[ticker], member.mase_scale) if ticker in days else None
            _require_same_ratios(ticker, scored, member.scores)
        together = join_tickers(list(days.values()))
    else:
        (together,) = days.values()
    here, there = evaluate(together, manifest.mase_scale), manifest.evaluation
    _require_close("its RMSE", here.point.rmse, there.point.rmse)
    _require_close("its CRPS", here.distribution.crps, there.distribution.crps)
    return days


def _require_same_ratios(ticker: str, here: Evaluation | None, there: MemberScores | None) -> None:
    if here is None or there is None:
        if here is not None or there is not None:
            raise ArtifactCorruptError(f"{ticker} has a test part, or scores, but not both")
        return
    ratios = here.point.rmse_ratio, here.distribution.crps_ratio
    if here.n != there.n or (None in ratios) != (None in (there.rmse_ratio, there.crps_ratio)):
        raise ArtifactCorruptError(f"the scores of {ticker} are of other days")
    _require_close(f"the RMSE ratio of {ticker}", ratios[0] or 0.0, there.rmse_ratio or 0.0)
    _require_close(f"the CRPS ratio of {ticker}", ratios[1] or 0.0, there.crps_ratio or 0.0)


def _require_close(name: str, here: float, there: float) -> None:
    if not math.isclose(here, there, rel_tol=_SAME):
        raise ArtifactCorruptError(f"{name} is {there:.6g} there and {here:.6g} here")
