"""A smaller network learns to say what a larger one says, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.learn.compress.matching import augmented, match, without_dropout
from stocklstm.learn.compress.structured import keep_units
from stocklstm.learn.compress.weight_transforms import Pruning, transformed
from stocklstm.learn.loop import TrainingData
from stocklstm.learn.network import StockLSTM, network_outputs

SEQ_LENGTH = 10


def silent(_: object) -> None:
    pass


def make(hidden_size: int, **settings: object) -> StockLSTM:
    config = configure("calibrated-50", hidden_size=hidden_size, seq_length=SEQ_LENGTH, **settings)
    torch.manual_seed(3)
    network = StockLSTM.from_config(config).eval()
    with torch.no_grad():
        # As in a head that has learned, the outputs move together, and not by little.
        network.head.weight.copy_(5 * network.head.weight[:1].expand(15, -1).clone())
        # And four units carry most.
        for name, value in network.named_parameters():
            if value.ndim > 1 and name != "lstm.weight_ih_l0":
                value[:, 4:] *= 0.3
    return network


@pytest.fixture
def matching() -> TrainingConfig:
    return configure(
        "calibrated-50",
        hidden_size=4,
        seq_length=SEQ_LENGTH,
        dropout=0.0,
        epochs=50,
        patience=None,
        restore_best=False,
        batch_size=32,
        learning_rate=0.02,
        schedule="cosine",
        ema_decay=None,
    )


def windows_of(data: TrainingData, stretch: float = 1.0) -> np.ndarray:
    windows = [data.inputs[row - SEQ_LENGTH + 1 : row + 1] for row in data.train]
    return np.float32(stretch) * np.stack(windows)


def distance(one: StockLSTM, other: StockLSTM, windows: np.ndarray) -> float:
    return float(np.abs(network_outputs(one, windows) - network_outputs(other, windows)).mean())


def test_what_was_cut_off_is_made_up_for(data: TrainingData, matching: TrainingConfig) -> None:
    teacher = make(12)
    cut = keep_units(teacher, 4)

    student = match(matching, data, teacher, cut, silent).network

    # Where the training windows are, and beyond them.
    for stretch in (1.0, 2.0):
        windows = windows_of(data, stretch)
        assert distance(student, teacher, windows) < 0.3 * distance(cut, teacher, windows)


def test_what_came_is_not_learned(data: TrainingData, matching: TrainingConfig) -> None:
    teacher = make(12)
    # Prices that would have been otherwise, and the same windows.
    otherwise = replace(data, targets=data.targets[::-1].copy())

    students = [
        match(replace(matching, epochs=2), each, teacher, keep_units(teacher, 4), silent).network
        for each in (data, otherwise)
    ]

    for name, value in students[0].state_dict().items():
        assert torch.equal(value, students[1].state_dict()[name])


def test_a_network_that_says_the_same_is_left_as_it_is(
    data: TrainingData, matching: TrainingConfig
) -> None:
    # With dropout in training: none of it may come between the two.
    teacher = make(4, dropout=0.5)

    config = replace(matching, epochs=1, learning_rate=1e-9, min_lr=0.0)
    trained = match(config, data, teacher, teacher, silent)

    assert trained.network.architecture["dropout"] == 0
    assert trained.history[-1].train_loss == pytest.approx(0, abs=1e-12)
    weights = trained.network.state_dict()
    assert trained.state["weights"].keys() == weights.keys()
    for name, value in teacher.state_dict().items():
        expected = value
        if "bias_ih" in name:
            expected = value + teacher.state_dict()[name.replace("_ih", "_hh")]
        elif "bias_hh" in name:
            expected = torch.zeros_like(value)
        assert torch.allclose(weights[name], expected, atol=1e-6)
        assert torch.equal(weights[name], trained.state["weights"][name])


def test_zeros_stay_while_the_rest_makes_up_for_them(
    data: TrainingData, matching: TrainingConfig
) -> None:
    teacher, pruning = make(12), Pruning(0.7)
    config = replace(matching, hidden_size=12)

    trained = match(config, data, teacher, teacher, silent, pruning)

    student = transformed(trained, pruning).network
    zeros = [value == 0 for value in student.state_dict().values() if value.ndim > 1]
    assert torch.cat([zero.ravel() for zero in zeros]).float().mean() == pytest.approx(
        0.7, abs=0.01
    )
    at_once = without_dropout(teacher)
    with torch.no_grad():
        for value in at_once.parameters():
            value.copy_(pruning("", value))
    windows = windows_of(data)
    assert distance(student, teacher, windows) < 0.5 * distance(at_once, teacher, windows)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), features=st.integers(1, 4))
def test_variations_are_stretched_and_shifted_windows(seed: int, features: int) -> None:
    torch.manual_seed(seed)
    windows = torch.randn(50, 8, features, dtype=torch.float64)
    spread = torch.rand(features, dtype=torch.float64)

    variations = augmented(windows, spread)

    steps, varied_steps = windows.diff(dim=1), variations.diff(dim=1)
    factors = varied_steps[:, :1] / steps[:, :1]
    # One factor for all steps of a window and feature, above zero; some windows are left alone.
    assert torch.allclose(varied_steps, factors * steps, rtol=1e-6, atol=1e-9)
    assert (factors > 0).all()
    kept = (variations == windows).flatten(1).all(1)
    assert 0 < kept.sum() < 35
    shifts = variations.mean(1) - windows.mean(1)
    assert (shifts.abs() <= 6 * spread).all()
