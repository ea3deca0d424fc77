"""The serving graph of a network, as ONNX.

Built by hand: PyTorch's exporter takes thousands of times longer, and its graph cannot be
quantized. The graph is a transposition, one LSTM and one squeeze a layer, and the head.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.network import StockLSTM

OPSET = 17
IR_VERSION = 8

Weights = Mapping[str, NDArray[np.float32]]


def export_onnx(network: StockLSTM, config: TrainingConfig) -> bytes:
    """Write the network as ONNX, equal to it but for rounding.

    The window length is fixed: ONNX Runtime would accept a shorter window without a word if that
    axis were open.

    Returns:
        A model with input "windows" (batch, T, F) and output "outputs" (batch, Q), float32; any
        batch of at least 1.
    """
    weights = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    nodes, constants = _lstm_layers(weights, config)
    nodes.append(
        helper.make_node("Gemm", ["last", "head.weight", "head.bias"], ["outputs"], transB=1)
    )
    constants += [
        numpy_helper.from_array(weights[name], name) for name in ("head.weight", "head.bias")
    ]
    windows: list[int | str | None] = ["batch", config.seq_length, config.input_size]
    graph = helper.make_graph(
        nodes,
        "StockLSTM",
        [helper.make_tensor_value_info("windows", TensorProto.FLOAT, windows)],
        [helper.make_tensor_value_info("outputs", TensorProto.FLOAT, ["batch", config.outputs])],
        constants,
    )
    model = helper.make_model(
        graph,
        producer_name="stocklstm",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _lstm_layers(
    weights: Weights, config: TrainingConfig
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Chain the layers; "last" is the last state of the last one."""
    constants = [
        numpy_helper.from_array(np.array([1], np.int64), "direction_axis"),
        numpy_helper.from_array(np.array([0], np.int64), "layer_axis"),
    ]
    # ONNX wants (T, N, F) and gives the states as (T, directions, N, H).
    nodes = [helper.make_node("Transpose", ["windows"], ["states"], perm=[1, 0, 2])]
    states = "states"
    for layer in range(config.num_layers):
        names = [f"lstm.{kind}.{layer}" for kind in ("W", "R", "B")]
        constants += [
            numpy_helper.from_array(value, name)
            for name, value in zip(names, _onnx_layer(weights, layer), strict=True)
        ]
        final = layer == config.num_layers - 1
        outputs = ["", "last_state"] if final else [f"raw_states.{layer}"]
        nodes.append(
            helper.make_node("LSTM", [states, *names], outputs, hidden_size=config.hidden_size)
        )
        if not final:
            states = f"states.{layer}"
            nodes.append(
                helper.make_node("Squeeze", [f"raw_states.{layer}", "direction_axis"], [states])
            )
    nodes.append(helper.make_node("Squeeze", ["last_state", "layer_axis"], ["last"]))
    return nodes, constants


def _onnx_layer(weights: Weights, layer: int) -> list[NDArray[np.float32]]:
    """Reorder one layer's gates from PyTorch's i, f, g, o to ONNX's i, o, f, c."""
    parts = [
        _reorder(weights[f"lstm.{name}_l{layer}"])
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    return [parts[0][None], parts[1][None], np.concatenate(parts[2:])[None]]


def _reorder(gates: NDArray[np.float32]) -> NDArray[np.float32]:
    i, f, g, o = np.split(gates, 4)
    return np.concatenate((i, o, f, g))
