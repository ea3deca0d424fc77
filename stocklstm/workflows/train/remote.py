"""A finished version on its way from a machine that is not trusted to know what it made."""

import math

import msgspec

from stocklstm.core.inputs.scaling import warm_up_rows
from stocklstm.core.prices.splits import split_origins
from stocklstm.core.scores.evaluation import evaluate
from stocklstm.core.scores.scores import Evaluation
from stocklstm.errors import ArtifactCorruptError, StockLstmError
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.checkpoints import decode_checkpoint
from stocklstm.learn.stopping import ShouldStop
from stocklstm.store.manifest import CHECKPOINT_FILE, SERVING_FILE, Manifest, decode_manifest
from stocklstm.workflows.loading.model import LoadedModel
from stocklstm.workflows.scoring import score_model
from stocklstm.workflows.train.fit import UNNUMBERED
from stocklstm.workflows.train.order import FinishedVersion, TrainingOrder, carry_out

# Other processors round otherwise; a forecast of float32 weights agrees to about 1e-6.
_SAME = 1e-4


class _Parcel(msgspec.Struct, frozen=True):
    """What travels: bytes, numbers and words, and nothing that could be run."""

    manifest: bytes
    files: dict[str, bytes]
    seconds: float
    diagnosis: str


def carry_out_far(order: TrainingOrder, should_stop: ShouldStop) -> bytes:
    """Train, and pack the version's files; see `training.carry_out`.

    Args:
        order: What to do.
        should_stop: Asked after every step.

    Returns:
        What `unpacked` reads.
    """
    made = carry_out(order, should_stop)
    parcel = _Parcel(made.manifest.encode(), made.files, made.seconds, made.diagnosis)
    return msgspec.msgpack.encode(parcel)


def unpacked(content: bytes, order: TrainingOrder) -> FinishedVersion:
    """Read a version that was made elsewhere, and see for oneself that it is what it says.

    Its graph and its checkpoint must be sound, it must be of the prices and the settings that were
    sent, and its scores on the test days, which are forecast anew here, must be what it says.

    Args:
        content: From `carry_out_far`.
        order: What was to be done.

    Raises:
        ArtifactCorruptError: It is not.
    """
    ticker = order.record.ticker
    try:
        parcel = msgspec.msgpack.decode(content, type=_Parcel)
        manifest = decode_manifest(parcel.manifest, ticker, UNNUMBERED)
        _require_ordered(manifest, parcel, order)
        decode_checkpoint(parcel.files[CHECKPOINT_FILE])
        graph = ServingGraph(parcel.files[SERVING_FILE])
        forecaster = Forecaster(graph, manifest.config, manifest.scaling)
        bars, config = order.bars, manifest.config
        test = split_origins(len(bars), warm_up_rows(config), config).test
        days = score_model(LoadedModel(manifest, forecaster), bars, test)
        _require_same(evaluate(days, manifest.mase_scale), manifest.evaluation)
    except (msgspec.MsgspecError, KeyError, StockLstmError) as error:
        raise ArtifactCorruptError(
            f"the version of {ticker} that a worker made cannot be published: {error}",
            hint=f"stocklstm train --ticker {ticker} makes it here",
        ) from error
    return FinishedVersion(manifest, parcel.files, parcel.seconds, parcel.diagnosis, days)


def _require_ordered(manifest: Manifest, parcel: _Parcel, order: TrainingOrder) -> None:
    # Names that the manifest may list are names of files, and no way to anywhere else.
    if parcel.files.keys() != manifest.files.keys():
        raise ArtifactCorruptError("its files are not those of its manifest")
    if manifest.config != order.record.config or manifest.data.sha256 != order.record.sha256:
        raise ArtifactCorruptError("it is of other settings or of other prices")


def _require_same(here: Evaluation, there: Evaluation) -> None:
    for name, mine, said in (
        ("RMSE", here.point.rmse, there.point.rmse),
        ("CRPS", here.distribution.crps, there.distribution.crps),
    ):
        if not math.isclose(mine, said, rel_tol=_SAME):
            raise ArtifactCorruptError(f"its {name} is {said:.6g} there and {mine:.6g} here")
