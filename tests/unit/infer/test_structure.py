"""Only graphs that this program makes are loaded."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocklstm.core.settings.config import configure
from stocklstm.errors import ArtifactCorruptError
from stocklstm.infer import structure
from stocklstm.infer.session import ServingGraph
from stocklstm.infer.structure import check_structure
from stocklstm.learn.compress.dynamic import quantize_dynamic_int8
from stocklstm.learn.compress.weights import store_half, store_integers
from stocklstm.learn.network import StockLSTM
from stocklstm.learn.onnx_graph import export_onnx


def graph_of(layers: int, preset: str = "calibrated") -> bytes:
    config = configure(preset, num_layers=layers, hidden_size=3, seq_length=5)
    return export_onnx(StockLSTM.from_config(config), config)


SMALL = graph_of(1)


@pytest.mark.parametrize("layers", [1, 2, 16])
@pytest.mark.parametrize("preset", ["calibrated", "paper"])
def test_what_is_exported_and_quantized_passes(layers: int, preset: str) -> None:
    content = graph_of(layers, preset)

    assert check_structure(content) == "float32"
    for per_channel in (True, False):
        smaller = quantize_dynamic_int8(content, per_channel=per_channel)
        assert check_structure(smaller) == "int8"
    assert check_structure(store_half(content)) == "packed"
    for bits in (8, 4, 2):
        assert check_structure(store_integers(content, bits)) == "packed"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("make", [bytes, store_half, quantize_dynamic_int8])
def test_a_weight_that_is_not_finite_does_not(make: Callable[..., bytes], value: float) -> None:
    options = {"per_channel": True} if make is quantize_dynamic_int8 else {}
    model = onnx.load_model_from_string(make(SMALL, **options))
    wild = 0
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).copy()
        if values.dtype.kind != "f":
            continue
        values.flat[-1] = value
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        (same,) = [each for each in changed.graph.initializer if each.name == tensor.name]
        same.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        wild += 1
        with pytest.raises(ValueError, match="not finite"):
            check_structure(changed.SerializeToString())
    assert wild > 2


@pytest.mark.parametrize(
    "change",
    [
        lambda g: g.node[1].input.__setitem__(0, "windows"),
        lambda g: g.node[-1].__setattr__("op_type", "MatMul"),
        lambda g: g.node[0].__setattr__("op_type", "Identity"),
        lambda g: g.node.append(g.node[0]),
        lambda g: g.node[-1].output.__setitem__(0, "head.bias"),
        lambda g: g.initializer[0].__setattr__("data_location", 1),
        lambda g: g.initializer[0].dims.append(1 << 40),
        lambda g: g.initializer[0].dims.append(-1),
        lambda g: g.sparse_initializer.add(),
        lambda g: g.ClearField("node"),
    ],
)
def test_anything_else_does_not(change) -> None:
    model = onnx.load_model_from_string(SMALL)
    change(model.graph)

    with pytest.raises(ValueError, match=r"\b(it|its|is)\b"):
        check_structure(model.SerializeToString())


def again(graph: onnx.GraphProto, name: str, values: str | None = None) -> None:
    """Unpack a constant once more."""
    (node,) = [node for node in graph.node if name in node.input and node.op_type != "LSTM"]
    copy = graph.node.add()
    copy.CopyFrom(node)
    copy.output[0] = "another"
    copy.input[0] = values or name


@pytest.mark.parametrize(
    "change",
    [
        # One constant unpacked a thousand times would ask for a thousand times its memory.
        lambda g: again(g, "lstm.R.0"),
        lambda g: again(g, "lstm.R.0", values="lstm.R.0.float32"),
        lambda g: again(g, "lstm.R.0", values="windows"),
        lambda g: g.node[0].output.append("second"),
        lambda g: g.node[0].output.__setitem__(0, "head.bias"),
        lambda g: g.node[0].__setattr__("op_type", "Tile"),
        lambda g: g.initializer[0].dims.append(1 << 40),
    ],
)
def test_a_constant_is_unpacked_once(change) -> None:
    model = onnx.load_model_from_string(store_integers(SMALL, 8))
    change(model.graph)

    with pytest.raises(ValueError, match=r"\b(it|its|is|unpack)\b"):
        check_structure(model.SerializeToString())
    with pytest.raises(ArtifactCorruptError):
        ServingGraph(model.SerializeToString())


def test_two_graphs_do_not_become_one() -> None:
    model = onnx.load_model_from_string(SMALL)
    del model.graph.node[-1]

    with pytest.raises(ValueError, match="no ONNX model"):
        check_structure(SMALL + model.SerializeToString())


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_damaged_bytes_are_a_graph_or_refused(data) -> None:
    content = bytearray(SMALL)
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    kept = data.draw(st.integers(0, len(content)))
    try:
        check_structure(bytes(content[:kept]))
    except ValueError:
        return
    # What is let through is still the same chain.
    assert kept > len(SMALL) // 2


def outcome(content: bytes) -> str:
    try:
        return check_structure(content)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("make", [bytes, store_half, quantize_dynamic_int8])
def test_of_graphs_alike_one_is_read(
    make: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"per_channel": True} if make is quantize_dynamic_int8 else {}
    first, second = (make(graph_of(2), **options) for _ in range(2))
    assert first != second
    found = check_structure(first)

    monkeypatch.setattr(structure, "_read_model", lambda _: pytest.fail("it was read"))
    assert check_structure(second) == found


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_what_was_read_before_changes_no_outcome(data) -> None:
    content = bytearray(SMALL)
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    structure._frames.clear()
    alone = outcome(bytes(content))
    check_structure(SMALL)
    assert outcome(bytes(content)) == alone


def message(number: int, content: bytes) -> bytes:
    size, length = len(content), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


DIMENSION = b"\x08" + b"\xff" * 8 + b"\x7f"


@pytest.mark.parametrize(
    "content",
    [
        bytes(1 << 20),
        b"\x10\x00" * 50_000,
        message(7, b"\x10\x00" * 50_000),
        message(7, message(1, b"\x18\x00") * 50_000),
        message(7, message(5, b"\x10\x00" * 50_000)),
        message(7, message(5, DIMENSION * 50_000)),
        message(7, message(5, message(1, DIMENSION[1:] * 50_000))),
        message(7, message(1, message(5, b"\x10\x00" * 50_000))),
    ],
    ids=["zeros", "model", "graph", "nodes", "tensor", "axes", "packed axes", "attribute"],
)
def test_what_is_nothing_but_fields_is_soon_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"more parts|more than 8 axes"):
        check_structure(content)
