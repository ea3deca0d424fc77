"""The serving graph is the network: ONNX Runtime against PyTorch."""

import resource
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.core.settings.config import PRESETS, TrainingConfig, configure
from stocklstm.errors import ConfigError, StorageError
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.compress.dynamic import quantize_dynamic_int8
from stocklstm.learn.compress.sparsity import weight_sparsity
from stocklstm.learn.network import StockLSTM, network_outputs
from stocklstm.learn.onnx_graph import export_onnx


def make(config: TrainingConfig, seed: int = 0) -> StockLSTM:
    torch.manual_seed(seed)
    return StockLSTM.from_config(config).eval()


def windows_of(config: TrainingConfig, batch: int, seed: int = 0) -> np.ndarray:
    shape = (batch, config.seq_length, config.input_size)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference of any output over the largest output, or a tenth of the usual scale.

    A network of a unit or two can come to almost 0, where only rounding is left to compare.
    """
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 0.1))


@settings(max_examples=40, deadline=None)
@given(
    preset=st.sampled_from(["calibrated", "paper"]),
    hidden_size=st.integers(1, 64),
    num_layers=st.integers(1, 4),
    seq_length=st.integers(2, 80),
    batch=st.sampled_from([1, 256]),
    seed=st.integers(0, 1000),
)
def test_any_shape_agrees_with_pytorch(
    preset: str, hidden_size: int, num_layers: int, seq_length: int, batch: int, seed: int
) -> None:
    config = configure(
        preset, hidden_size=hidden_size, num_layers=num_layers, seq_length=seq_length
    )
    network = make(config, seed)
    windows = windows_of(config, batch, seed)

    found = ServingGraph(export_onnx(network, config)).run(windows)

    assert relative_difference(found, network_outputs(network, windows)) <= 1e-5


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("batch", [1, 256])
def test_each_preset_agrees_with_pytorch(preset: str, batch: int) -> None:
    config = PRESETS[preset]
    network = make(config)
    windows = windows_of(config, batch)

    found = ServingGraph(export_onnx(network, config)).run(windows)

    assert relative_difference(found, network_outputs(network, windows)) <= 1e-5


def test_the_window_length_is_fixed_and_the_batch_is_not() -> None:
    graph = onnx.load_model_from_string(export_onnx(make(PRESETS["paper"]), PRESETS["paper"])).graph

    dimensions = graph.input[0].type.tensor_type.shape.dim
    assert dimensions[0].dim_param == "batch"
    assert [d.dim_value for d in dimensions[1:]] == [60, 1]


def test_the_same_weights_give_the_same_bytes() -> None:
    config = PRESETS["calibrated"]

    assert export_onnx(make(config), config) == export_onnx(make(config), config)


def test_int8_is_smaller_and_close() -> None:
    config = PRESETS["paper"]
    network = make(config)
    original = export_onnx(network, config)

    smaller = quantize_dynamic_int8(original)

    assert len(original) / len(smaller) > 3.5
    windows = windows_of(config, 64)
    found = ServingGraph(smaller).run(windows)
    assert 0 < relative_difference(found, network_outputs(network, windows)) < 0.05


def test_int8_leaves_no_float_matrix_behind() -> None:
    config = PRESETS["calibrated"]
    graph = onnx.load_model_from_string(quantize_dynamic_int8(export_onnx(make(config), config)))

    kinds = {node.op_type for node in graph.graph.node}
    assert "DynamicQuantizeLSTM" in kinds
    assert not kinds & {"LSTM", "Gemm", "MatMul"}


def test_sparsity_counts_zero_weights() -> None:
    config = configure("calibrated", hidden_size=8, num_layers=1)
    network = make(config)
    with torch.no_grad():
        network.lstm.weight_hh_l0[:16] = 0

    # 4 × 8 rows of 2 + 8 weights, and 15 of 8; half of the recurrent ones are zero.
    expected = 16 * 8 / (32 * (2 + 8) + 15 * 8)
    assert weight_sparsity(export_onnx(network, config)) == pytest.approx(expected)


def test_int8_without_room_for_temporary_files_is_said() -> None:
    config = configure("calibrated")
    original = export_onnx(make(config), config)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    said = set()
    # Also where what is written in between is a little longer than what goes in.
    for most_bytes in (0, 1000, len(original) - 1, *range(len(original), len(original) + 600, 50)):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
        try:
            quantize_dynamic_int8(original)
        except StorageError as error:
            said.add((error.message.partition(":")[0], "TMPDIR" in (error.hint or "")))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said == {
        ("cannot write a temporary file", True),
        ("a temporary file was not written whole", True),
    }


def test_int8_without_a_place_for_temporary_files_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = configure("calibrated")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))

    with pytest.raises(ConfigError, match="cannot write a temporary file: No such file"):
        quantize_dynamic_int8(export_onnx(make(config), config))
