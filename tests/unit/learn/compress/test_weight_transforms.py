"""Weights are bent in training as they will be stored."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call

from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.compress.distillation import distill
from stocklstm.learn.compress.rounding import plain_scales
from stocklstm.learn.compress.structured import keep_units
from stocklstm.learn.compress.weight_transforms import (
    Pruning,
    fake_quantized,
    fine_tune,
    start_state,
    transformed,
)
from stocklstm.learn.compress.weights import store_integers
from stocklstm.learn.loop import TrainingData, train_network
from stocklstm.learn.network import StockLSTM, network_outputs
from stocklstm.learn.onnx_graph import export_onnx


def silent(_: object) -> None:
    pass


@pytest.fixture
def small() -> TrainingConfig:
    return configure(
        "calibrated", epochs=1, hidden_size=6, num_layers=2, seq_length=10, batch_size=128
    )


def make(config: TrainingConfig) -> StockLSTM:
    torch.manual_seed(3)
    return StockLSTM.from_config(config).eval()


def windows_of(config: TrainingConfig, batch: int = 32) -> np.ndarray:
    shape = (batch, config.seq_length, config.input_size)
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(
    bits=st.sampled_from([8, 4, 2]),
    preset=st.sampled_from(["calibrated", "paper"]),
    hidden_size=st.integers(1, 40),
    num_layers=st.integers(1, 3),
)
def test_what_is_trained_is_what_is_exported(
    bits: int, preset: str, hidden_size: int, num_layers: int
) -> None:
    config = configure(preset, hidden_size=hidden_size, num_layers=num_layers, seq_length=12)
    network, transform = make(config), fake_quantized(bits)
    windows = windows_of(config)
    weights = {name: transform(name, value) for name, value in network.named_parameters()}
    with torch.no_grad():
        trained = functional_call(network, weights, (torch.from_numpy(windows),)).numpy()

    content = store_integers(export_onnx(network, config), bits, scales=plain_scales)

    # Rounding of float32 alone, relative to the largest output.
    found = ServingGraph(content).run(windows)
    assert np.abs(found - trained).max() <= 1e-5 * max(np.abs(trained).max(), 0.1)


def test_the_gradient_goes_straight_through_the_rounding() -> None:
    weights = torch.randn(4, 6, requires_grad=True)
    slopes = torch.randn(4, 6)

    (fake_quantized(4)("lstm.weight_hh_l0", weights) * slopes).sum().backward()

    assert weights.grad is not None
    assert torch.equal(weights.grad, slopes)


@settings(max_examples=50, deadline=None)
@given(rows=st.integers(1, 20), columns=st.integers(1, 20), sparsity=st.floats(0.01, 0.99))
def test_pruning_takes_the_smallest(rows: int, columns: int, sparsity: float) -> None:
    torch.manual_seed(0)
    weights = torch.randn(rows, columns)

    pruned = Pruning(sparsity)("lstm.weight_hh_l0", weights)

    zeros = pruned == 0
    assert int(zeros.sum()) == round(sparsity * weights.numel())
    assert torch.equal(pruned[~zeros], weights[~zeros])
    if 0 < int(zeros.sum()) < weights.numel():
        assert weights[zeros].abs().max() <= weights[~zeros].abs().min()


def test_biases_are_not_pruned() -> None:
    biases = torch.randn(8)

    assert torch.equal(Pruning(0.9)("head.bias", biases), biases)


def test_zeros_grow_as_zhu_and_gupta_have_it() -> None:
    pruning = Pruning(0.8, "polynomial")

    shares = []
    for progress in (0, 0.25, 0.5, 1):
        pruning.advance(progress)
        shares.append(pruning.sparsity)

    # Zhu & Gupta (2017), equation 1, from 0 to 0.8.
    assert shares == pytest.approx([0, 0.8 * (1 - 0.75**3), 0.7, 0.8])
    once = Pruning(0.8)
    once.advance(0)
    assert once.sparsity == 0.8


def test_training_moves_what_is_left_and_keeps_the_zeros(
    data: TrainingData, small: TrainingConfig
) -> None:
    start = start_state(make(small), small)
    pruning = Pruning(0.5)

    trained = fine_tune(small, data, start, silent, pruning)

    served = transformed(trained, pruning)
    for name, value in served.network.named_parameters():
        assert torch.equal(value, served.state["weights"][name])
        if value.ndim > 1:
            assert (value == 0).float().mean() == pytest.approx(0.5, abs=0.05)
    moved = trained.network.state_dict()["lstm.weight_hh_l0"]
    assert not torch.equal(moved, start["weights"]["lstm.weight_hh_l0"])


def test_the_first_weights_are_a_candidate(data: TrainingData, small: TrainingConfig) -> None:
    trained = fine_tune(small, data, start_state(make(small), small), silent, fake_quantized(2))

    assert [record.epoch for record in trained.history] == [0, 1]
    assert trained.history[0].train_loss is None


def test_without_bending_it_is_training(data: TrainingData, small: TrainingConfig) -> None:
    start = start_state(make(small), small)

    tuned = fine_tune(small, data, start, silent)

    trained = train_network(small, data, silent, start=start)
    for name, value in trained.network.state_dict().items():
        assert torch.equal(value, tuned.network.state_dict()[name])


@settings(max_examples=25, deadline=None)
@given(
    hidden_size=st.integers(2, 12),
    num_layers=st.integers(1, 3),
    silenced=st.integers(1, 11),
    seed=st.integers(0, 100),
)
def test_units_that_nothing_hears_can_go(
    hidden_size: int, num_layers: int, silenced: int, seed: int
) -> None:
    silenced = min(silenced, hidden_size - 1)
    config = configure("calibrated", hidden_size=hidden_size, num_layers=num_layers, seq_length=7)
    network = make(config)
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for layer in range(num_layers):
            units = torch.from_numpy(random.permutation(hidden_size)[:silenced])
            after = f"weight_ih_l{layer + 1}"
            heard = getattr(network.lstm, after, None)
            (network.head.weight if heard is None else heard)[:, units] = 0
            getattr(network.lstm, f"weight_hh_l{layer}")[:, units] = 0
    windows = windows_of(config)

    smaller = keep_units(network, hidden_size - silenced)

    assert smaller.architecture["hidden_size"] == hidden_size - silenced
    difference = network_outputs(smaller, windows) - network_outputs(network, windows)
    assert np.abs(difference).max() <= 1e-6


def test_a_student_without_a_teacher_is_a_network_trained_alone(
    data: TrainingData, small: TrainingConfig
) -> None:
    teacher = make(configure("calibrated", hidden_size=9, seq_length=10))

    student = distill(small, data, teacher, 0.0, silent)

    alone = train_network(small, data, silent)
    for name, value in alone.network.state_dict().items():
        assert torch.equal(value, student.network.state_dict()[name])


def test_a_student_comes_to_say_what_its_teacher_says(
    data: TrainingData, small: TrainingConfig
) -> None:
    teacher = make(configure("calibrated", hidden_size=9, seq_length=10))
    windows = np.stack([data.inputs[row - 9 : row + 1] for row in data.train])
    told = network_outputs(teacher, windows)
    # The last weights, and not their average.
    config = replace(
        small, epochs=8, batch_size=32, learning_rate=0.02, restore_best=False, ema_decay=None
    )

    def distance(alpha: float) -> float:
        student = distill(config, data, teacher, alpha, silent).network
        return float(np.abs(network_outputs(student, windows) - told).mean())

    assert distance(1.0) < 0.2 * distance(0.0)
