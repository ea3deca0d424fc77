"""What travels to a worker that is not believed, and what is made of its answer here.

A worker is shown what its training part and validation part hold, and no row after them. Back come
weights and losses. All else of the version, its scaling, graph, scores, pictures and manifest, is
computed here, as it is for a training on this machine.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from stocklstm.core.clock import Stopwatch
from stocklstm.core.training.epochs import EpochRecord
from stocklstm.errors import ArtifactCorruptError, StockLstmError, TrainingDivergedError
from stocklstm.learn.checkpoints import decode_checkpoint, decode_state, encode_checkpoint
from stocklstm.learn.loop import TrainingData, check_trained, train_network
from stocklstm.learn.stopping import ShouldStop, StoppedError
from stocklstm.store.manifest import training_command
from stocklstm.store.runs import RunRecord
from stocklstm.workflows.train.fit import Prepared
from stocklstm.workflows.train.order import (
    FinishedVersion,
    RunInMemory,
    TrainingOrder,
    finish,
    saved_state,
    start_state,
)

# Clocks of two machines do not run alike.
_SPARE_S = 5.0
_LONGEST_WORDS = 100


@dataclass(frozen=True, eq=False)
class RemoteOrder:
    """What a worker needs of a training.

    Attributes:
        record: What the run is told to do.
        data: What it is trained on: numbers, scaled, and no day of the test part.
        files: State and checkpoints to go on from.
        start: Checkpoint whose weights are to be the first ones; None for random ones.
    """

    record: RunRecord
    data: TrainingData
    files: RunInMemory
    start: bytes | None


class _Epoch(msgspec.Struct, frozen=True):
    train_loss: float | None
    val_loss: float
    seconds: float


class _Package(msgspec.Struct, frozen=True):
    """What travels back: weights, losses and a word, and nothing that could be run."""

    kept: bytes
    checkpoints: dict[int, bytes]
    epochs: list[_Epoch]
    device: str


def remote_order(order: TrainingOrder, prepared: Prepared[Any]) -> RemoteOrder:
    """Make what travels to a worker."""
    # What was saved of the run is on this disk, and is read here first.
    saved_state(order)
    held = order.files
    files = held if isinstance(held, RunInMemory) else RunInMemory(held.state())
    return RemoteOrder(order.record, prepared.data, files, order.start)


def train_packed(order: RemoteOrder, should_stop: ShouldStop) -> bytes:
    """Train on a worker, and pack what came of it for `unpack`.

    Raises:
        TrainingDivergedError: The loss became infinite, or worse than that of an untrained network.
        StoppedError: `should_stop` said so.
    """
    if should_stop():
        raise StoppedError
    config = order.record.config
    network = train_network(
        config,
        order.data,
        lambda _: None,
        should_stop=should_stop,
        files=order.files,
        resume=saved_state(order),
        start=start_state(order),
    )
    epochs = [_Epoch(r.train_loss, r.val_loss, r.seconds) for r in network.history]
    package = _Package(
        kept=encode_checkpoint(network.network, network.state, config, network.history),
        checkpoints={epoch: order.files.checkpoint(epoch) for epoch in network.checkpoints},
        epochs=epochs,
        device=network.device,
    )
    return msgspec.msgpack.encode(package)


def unpack(
    content: object, order: TrainingOrder, prepared: Prepared[Any], most_seconds: float = math.inf
) -> FinishedVersion:
    """Make a version of the weights that a worker trained.

    Args:
        content: From `train_packed`, or whatever came instead.
        order: What was to be done.
        prepared: Its prices.
        most_seconds: As long as the worker can have taken.

    Raises:
        ArtifactCorruptError: The weights are not what was to be trained.
        TrainingDivergedError: By their losses.
    """
    owner = order.record.ticker
    try:
        if not isinstance(content, bytes):
            raise ArtifactCorruptError(f"it is {type(content).__name__} and not bytes")
        package = msgspec.msgpack.decode(content, type=_Package)
        _require_times(package.epochs, order, most_seconds)
        checkpoints = {
            epoch: decode_checkpoint(each) for epoch, each in package.checkpoints.items()
        }
        files = RunInMemory()
        network = check_trained(
            order.record.config,
            prepared.data,
            decode_checkpoint(package.kept),
            checkpoints,
            [EpochRecord(0, e.train_loss, e.val_loss, 0.0, e.seconds, 0) for e in package.epochs],
            _device(package.device),
            files,
            warm=order.start is not None,
        )
        watch = Stopwatch()
        fitted = prepared.assess(network, watch)
        watch.seconds = {"training": fitted.seconds, **watch.seconds}
    except TrainingDivergedError:
        raise
    except (msgspec.MsgspecError, RecursionError, StockLstmError) as error:
        raise ArtifactCorruptError(
            f"the version of {owner} that a worker made cannot be published: {error}",
            hint=f"{training_command(owner)} makes it here",
        ) from error
    return finish(fitted, replace(order, files=files), watch)


def _device(words: str) -> str:
    """Refuse a name that is none: it is shown beside the version."""
    if not (words.isprintable() and 0 < len(words) <= _LONGEST_WORDS):
        raise ArtifactCorruptError(f"{words[:40]!a} is no name of a device")
    return words


def _require_times(epochs: Sequence[_Epoch], order: TrainingOrder, most_seconds: float) -> None:
    """Refuse epochs that took longer than the worker had."""
    begun = order.files.state()
    before = 0.0
    if begun is not None:
        state: Mapping[str, Any] = decode_state(begun, "state.pth")
        before = state["spent"] + sum(record["seconds"] for record in state["history"])
    spent = sum(each.seconds for each in epochs)
    if not spent <= most_seconds + before + _SPARE_S:
        raise ArtifactCorruptError(f"it took {spent:.6g} seconds, which have not passed")
