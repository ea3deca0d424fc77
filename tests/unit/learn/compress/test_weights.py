"""Weights stored small are unpacked to what was stored."""

import math

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.compress.rounding import LARGEST, closest_scales, encode, plain_scales
from stocklstm.learn.compress.weights import Correction, fit_correction, store_half, store_integers
from stocklstm.learn.network import StockLSTM, network_outputs
from stocklstm.learn.onnx_graph import export_onnx

BITS = sorted(LARGEST)

row_values = st.lists(st.floats(-10, 10, width=32, allow_subnormal=False), min_size=3, max_size=3)


def make(config: TrainingConfig, seed: int = 0) -> StockLSTM:
    torch.manual_seed(seed)
    return StockLSTM.from_config(config).eval()


def windows_of(config: TrainingConfig, batch: int) -> np.ndarray:
    shape = (batch, config.seq_length, config.input_size)
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def unpacked(content: bytes) -> dict[str, np.ndarray]:
    """Unpack every constant with NumPy and ONNX's own reader, without ONNX Runtime."""
    graph = onnx.load_model_from_string(content).graph
    found = {t.name: numpy_helper.to_array(t).astype(np.float32) for t in graph.initializer}
    for name in [name for name in found if f"{name}_scale" in found]:
        scales = found.pop(f"{name}_scale")
        shape = (-1, 1) if found[name].ndim == 2 else (1, -1, 1)
        found[name] = found[name] * scales.reshape(shape)
    return found


def rebuilt(content: bytes, config: TrainingConfig) -> StockLSTM:
    """Put unpacked constants into the network, gates back in PyTorch's order."""
    constants, weights = unpacked(content), {}
    for layer in range(config.num_layers):
        for kind, name in (("W", "weight_ih"), ("R", "weight_hh")):
            i, o, f, c = np.split(constants[f"lstm.{kind}.{layer}"][0], 4)
            weights[f"lstm.{name}_l{layer}"] = np.concatenate((i, f, c, o))
        for half, name in zip(
            np.split(constants[f"lstm.B.{layer}"][0], 2), ("bias_ih", "bias_hh"), strict=True
        ):
            i, o, f, c = np.split(half, 4)
            weights[f"lstm.{name}_l{layer}"] = np.concatenate((i, f, c, o))
    weights["head.weight"], weights["head.bias"] = constants["head.weight"], constants["head.bias"]
    network = StockLSTM.from_config(config).eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return network


FORMS = {
    "fp16": store_half,
    **{f"int{bits}": lambda content, bits=bits: store_integers(content, bits) for bits in BITS},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("preset", ["calibrated", "paper", "paper-short"])
@pytest.mark.parametrize("batch", [1, 256])
def test_what_is_served_is_what_is_stored(form: str, preset: str, batch: int) -> None:
    config = configure(preset, hidden_size=21)
    content = FORMS[form](export_onnx(make(config), config))
    windows = windows_of(config, batch)

    found = ServingGraph(content).run(windows)

    # As for float32: rounding alone, relative to the largest output.
    expected = network_outputs(rebuilt(content, config), windows)
    assert np.abs(found - expected).max() <= 1e-5 * max(np.abs(expected).max(), 0.1)


@pytest.mark.parametrize(
    ("form", "smaller", "difference"),
    [("fp16", 1.95, 1e-3), ("int8", 3.6, 0.01), ("int4", 6.5, 0.1)],
)
def test_it_is_smaller_and_close(form: str, smaller: float, difference: float) -> None:
    config = configure("paper")
    network = make(config)
    original = export_onnx(network, config)
    windows = windows_of(config, 64)

    content = FORMS[form](original)

    assert len(original) / len(content) >= smaller
    expected = network_outputs(network, windows)
    found = ServingGraph(content).run(windows)
    assert 0 < np.abs(found - expected).max() <= difference * np.abs(expected).max()


def test_a_forecast_does_not_depend_on_its_batch() -> None:
    config = configure("calibrated", hidden_size=16)
    graph = ServingGraph(store_integers(export_onnx(make(config), config), 8))
    windows = windows_of(config, 20)

    together = graph.run(windows)

    alone = np.concatenate([graph.run(windows[row : row + 1]) for row in range(20)])
    assert np.abs(together - alone).max() <= 1e-6


def short(scale: np.float32) -> np.float32:
    """Round up to 8 significant bits, or to 1 if there is nothing to round."""
    significand, exponent = math.frexp(scale)
    return np.float32(math.ldexp(math.ceil(significand * 256), exponent - 8) or 1.0)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(row_values, min_size=1, max_size=5), bits=st.sampled_from(BITS))
def test_codes_are_within_half_a_step_and_the_closest_scale_is_no_worse(
    rows: list[list[float]], bits: int
) -> None:
    values = np.array(rows, np.float32)
    scales = np.array([short(row) for row in np.abs(values).max(axis=1) / LARGEST[bits]])

    codes = encode(values, scales, bits)

    assert np.abs(codes).max() <= LARGEST[bits]
    assert (np.abs(values - codes * scales[:, None]) <= 0.501 * scales[:, None]).all()
    best = closest_scales(values, bits)
    assert not (best.view(np.uint32) & 0xFFFF).any()
    errors = ((values - encode(values, best, bits) * best[:, None]) ** 2).sum(axis=1)
    assert (errors <= ((values - codes * scales[:, None]) ** 2).sum(axis=1) * (1 + 1e-5)).all()


def test_two_bits_are_ternary_weights() -> None:
    # Li, Zhang & Liu (2016): zero below 0.7 times the mean absolute weight.
    values = np.array([[0.1, -0.69, 0.71, 2.5]], np.float32)

    codes = encode(values, plain_scales(values, 2), 2)

    assert np.abs(values).mean() == 1
    assert codes.tolist() == [[0, 0, 1, 1]]


def test_the_correction_is_that_of_least_squares() -> None:
    random = np.random.default_rng(0)
    expected = random.normal(size=(50, 3))
    found = 0.9 * expected + 0.2 + random.normal(0, 0.1, (50, 3))
    found[:, 2] = 5.0

    correction = fit_correction(found, expected)

    for output in range(2):
        slope, intercept = np.polyfit(found[:, output], expected[:, output], 1)
        assert correction.slopes[output] == pytest.approx(slope)
        assert correction.intercepts[output] == pytest.approx(intercept)
    # One that never changes is moved to the mean.
    assert correction.slopes[2] == 1
    assert correction.intercepts[2] == pytest.approx(expected[:, 2].mean() - 5)


@pytest.mark.parametrize("bits", BITS)
def test_a_correction_moves_the_outputs_and_costs_nothing(bits: int) -> None:
    config = configure("calibrated", hidden_size=9, seq_length=5)
    original = export_onnx(make(config), config)
    windows = windows_of(config, 10)
    correction = Correction(np.linspace(0.5, 1.5, 15), np.linspace(-1, 1, 15))

    plain, corrected = (
        store_integers(original, bits, correction=each) for each in (None, correction)
    )

    expected = ServingGraph(plain).run(windows) * correction.slopes + correction.intercepts
    assert np.abs(ServingGraph(corrected).run(windows) - expected).max() <= 1e-5
    assert len(corrected) == len(plain)
