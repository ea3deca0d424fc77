"""Weight-only quantization: weights of a serving graph stored small, unpacked to float32 at load.

ONNX Runtime has no LSTM with static int8 activations: its `quantize_static` leaves the operator as
it is, and one taken apart into a loop of integer products is many times slower. So activations
stay float32, and each weight matrix becomes a constant of fewer bits and a `DequantizeLinear` or
`Cast` that ONNX Runtime folds once, at load. The speed is that of float32, and a forecast does not
depend on its batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from stocklstm.learn.compress.rounding import (
    FEWEST_FOR_INT4,
    Codes,
    Weights,
    closest_scales,
    encode,
)

_HEAD, _HEAD_BIAS = "head.weight", "head.bias"
_BIAS = "lstm.B"
# The first with 4-bit integers (ONNX 1.16).
_INT4_OPSET, _INT4_IR_VERSION = 21, 10


Scales = Callable[[Weights, int], Weights]


@dataclass(frozen=True, eq=False)
class Correction:
    """A straight line from the outputs of the smaller network to those of the original.

    Attributes:
        slopes: (Q,).
        intercepts: (Q,) in the unit of the outputs.
    """

    slopes: NDArray[np.float64]
    intercepts: NDArray[np.float64]


def fit_correction(found: NDArray[np.float64], expected: NDArray[np.float64]) -> Correction:
    """Fit slope and intercept of each output by least squares.

    Args:
        found: (N, Q) outputs of the smaller network.
        expected: (N, Q) outputs of the original on the same windows.

    Returns:
        The identity for an output that never changes.
    """
    means, wanted = found.mean(axis=0), expected.mean(axis=0)
    spread = ((found - means) ** 2).sum(axis=0)
    shared = ((found - means) * (expected - wanted)).sum(axis=0)
    moves = spread > 0
    slopes = np.where(moves, shared / np.where(moves, spread, 1), 1.0)
    return Correction(slopes, wanted - slopes * means)


def store_half(content: bytes) -> bytes:
    """Store weights and biases of the LSTM, and the head's weights, as float16.

    Args:
        content: From `export_onnx`.
    """
    return _rewritten(content, _half)


def store_integers(
    content: bytes,
    bits: int,
    *,
    scales: Scales = closest_scales,
    correction: Correction | None = None,
) -> bytes:
    """Store each weight matrix as integers with a scale per row, biases as float16.

    Args:
        content: From `export_onnx`.
        bits: 8, 4 or 2; integers of 2 bits take 4, as ONNX Runtime knows no fewer.
        scales: Chooses the scale of each row.
        correction: Of the outputs: it goes into the head's scales and bias, and costs nothing.
    """

    def pack(name: str, values: Weights) -> _Packed:
        if name.startswith(_BIAS):
            return _half(name, values)
        rows = values.reshape(-1, values.shape[-1])
        width = 8 if bits == 8 else 4
        if width == 4 and rows.shape[1] < FEWEST_FOR_INT4:
            return _half(name, values)
        chosen = scales(rows, bits)
        codes = encode(rows, chosen, bits).reshape(values.shape)
        if name == _HEAD and correction is not None:
            chosen = (chosen * correction.slopes).astype(np.float32)
        axis = 0 if name == _HEAD else 1
        return _Packed(
            [_integers(name, codes, width), numpy_helper.from_array(chosen, f"{name}_scale")],
            helper.make_node(
                "DequantizeLinear", [name, f"{name}_scale"], [_unpacked(name)], axis=axis
            ),
        )

    rewritten = _rewritten(content, pack, int4=bits < 8)
    return rewritten if correction is None else _with_bias(rewritten, correction)


@dataclass(frozen=True)
class _Packed:
    """Constants that hold a matrix, and the node that unpacks it."""

    constants: list[onnx.TensorProto]
    node: onnx.NodeProto


def _unpacked(name: str) -> str:
    return f"{name}.float32"


def _half(name: str, values: Weights) -> _Packed:
    return _Packed(
        [numpy_helper.from_array(values.astype(np.float16), name)],
        helper.make_node("Cast", [name], [_unpacked(name)], to=TensorProto.FLOAT),
    )


def _integers(name: str, codes: Codes, width: int) -> onnx.TensorProto:
    if width == 8:
        return numpy_helper.from_array(codes, name)
    # Two to a byte, the first in its lower half.
    nibbles = codes.ravel().astype(np.uint8) & 0x0F
    nibbles = np.append(nibbles, np.zeros(len(nibbles) % 2, np.uint8))
    packed = nibbles[0::2] | (nibbles[1::2] << 4)
    return helper.make_tensor(name, TensorProto.INT4, codes.shape, packed.tobytes(), raw=True)


def _rewritten(
    content: bytes, pack: Callable[[str, Weights], _Packed], *, int4: bool = False
) -> bytes:
    """Replace every matrix and LSTM bias by packed constants and a node that unpacks them."""
    model = onnx.load_model_from_string(content)
    constants, nodes, names = list[onnx.TensorProto](), list[onnx.NodeProto](), dict[str, str]()
    for tensor in model.graph.initializer:
        if not tensor.name.startswith(("lstm.", _HEAD)):
            constants.append(tensor)
            continue
        packed = pack(tensor.name, numpy_helper.to_array(tensor))
        constants += packed.constants
        nodes.append(packed.node)
        names[tensor.name] = packed.node.output[0]
    nodes += [_renamed(node, names) for node in model.graph.node]
    graph = helper.make_graph(
        nodes, model.graph.name, model.graph.input, model.graph.output, constants
    )
    made = helper.make_model(
        graph,
        producer_name=model.producer_name,
        ir_version=_INT4_IR_VERSION if int4 else model.ir_version,
        opset_imports=[
            helper.make_opsetid("", _INT4_OPSET if int4 else model.opset_import[0].version)
        ],
    )
    onnx.checker.check_model(made, full_check=True)
    result: bytes = made.SerializeToString(deterministic=True)
    return result


def _renamed(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [names.get(name, name) for name in node.input]
    return copy


def _with_bias(content: bytes, correction: Correction) -> bytes:
    model = onnx.load_model_from_string(content)
    (bias,) = [tensor for tensor in model.graph.initializer if tensor.name == _HEAD_BIAS]
    values = numpy_helper.to_array(bias) * correction.slopes + correction.intercepts
    bias.CopyFrom(numpy_helper.from_array(values.astype(np.float32), _HEAD_BIAS))
    result: bytes = model.SerializeToString(deterministic=True)
    return result
