"""A checkpoint holds all that is promised, nothing else, and is never executed."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ArtifactCorruptError
from stocklstm.learn.checkpoints import decode_checkpoint, encode_checkpoint, rebuild_network
from stocklstm.learn.loop import TrainedNetwork, TrainingData, train_network
from stocklstm.learn.network import network_outputs
from tests.support.tampering import Bomb


@pytest.fixture
def trained(tiny: TrainingConfig, data: TrainingData) -> TrainedNetwork:
    return train_network(tiny, data, lambda _: None)


@pytest.fixture
def content(trained: TrainedNetwork, tiny: TrainingConfig) -> bytes:
    return encode_checkpoint(trained.network, trained.state, tiny, trained.history)


def test_it_loads_with_plain_torch_and_weights_only(content: bytes) -> None:
    checkpoint = torch.load(io.BytesIO(content), weights_only=True)

    assert {
        "weights",
        "optimizer",
        "scheduler",
        "rng",
        "epoch",
        "losses",
        "best_epoch",
        "architecture",
        "config",
    } <= checkpoint.keys()


def test_it_holds_the_whole_state_of_the_optimizer(content: bytes, trained: TrainedNetwork) -> None:
    checkpoint = decode_checkpoint(content)

    moments = checkpoint["optimizer"]["state"]
    assert len(moments) == len(list(trained.network.parameters()))
    assert all({"step", "exp_avg", "exp_avg_sq"} <= state.keys() for state in moments.values())
    assert set(checkpoint["rng"]) == {"torch", "shuffle"}
    assert len(checkpoint["losses"]["validation"]) == len(trained.history)


def test_it_holds_no_training_rows(content: bytes, data: TrainingData) -> None:
    tensors = []

    def collect(value: object) -> None:
        if isinstance(value, torch.Tensor):
            tensors.append(value)
        elif isinstance(value, dict):
            list(map(collect, value.values()))
        elif isinstance(value, list | tuple):
            list(map(collect, value))

    collect(decode_checkpoint(content))
    values = np.concatenate([t.double().flatten().numpy() for t in tensors])
    assert len(tensors) > 10
    returns = data.inputs[60:, 0]
    moved = returns[np.abs(returns) > 1e-3]
    assert len(moved) > 600
    assert not np.isin(moved, values.astype(np.float32)).any()


def test_the_rebuilt_network_is_the_same(content: bytes, trained: TrainedNetwork) -> None:
    windows = np.random.default_rng(0).standard_normal((8, 10, 2)).astype(np.float32)

    rebuilt = rebuild_network(decode_checkpoint(content))

    expected = network_outputs(trained.network, windows)
    assert np.array_equal(network_outputs(rebuilt, windows), expected)


def test_a_pickle_in_its_place_is_refused_and_not_executed(tmp_path: Path) -> None:
    mark = tmp_path / "executed"

    for planted in (pickle.dumps(Bomb(mark)), saved(Bomb(mark)), saved({"weights": Bomb(mark)})):
        with pytest.raises(ArtifactCorruptError, match="not a safe checkpoint"):
            decode_checkpoint(planted)

    assert not mark.exists()
    pickle.loads(pickle.dumps(Bomb(mark)))  # noqa: S301 - shows that the bomb is a real one
    assert mark.exists()


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("value", [{}, {"format": 99}, [1, 2], torch.zeros(3)])
def test_something_else_that_torch_reads_is_refused(value: object) -> None:
    with pytest.raises(ArtifactCorruptError, match="not a checkpoint of this format"):
        decode_checkpoint(saved(value))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(content: bytes, share: float) -> None:
    with pytest.raises(ArtifactCorruptError):
        decode_checkpoint(content[: int(share * len(content))])


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": None},
        {"architecture": {"hidden_size": 3}},
        {"architecture": {"input_size": 2, "hidden_size": -1, "num_layers": 1, "dropout": 0}},
        {"weights": {}},
        {"weights": {"head.bias": torch.zeros(2)}},
    ],
)
def test_weights_that_do_not_fit_are_refused(content: bytes, change: dict[str, object]) -> None:
    with pytest.raises(ArtifactCorruptError, match="does not describe a network"):
        rebuild_network(decode_checkpoint(content) | change)
