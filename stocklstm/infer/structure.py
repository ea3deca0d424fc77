"""Whether a serving graph is one that this program could have made, checked before it is loaded.

An ONNX file can name other files to read weights from, hold subgraphs, and request any amount of
memory, by a tensor that it declares or by an operator that makes one. The graphs made here are a
chain of LSTM layers and a head, in float32 or in int8, whose weights may be stored in fewer bits
and unpacked at load. The bytes are parsed for just that: sizes and names, without copying a weight
and without a library.
"""

import math
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

_FLOAT_LAYER = r"( LSTM\(1\.0,c,c,c\) Squeeze\(1\.[01],c\))"
_INT8_LAYER = r"( DynamicQuantizeLSTM\(1\.0,c,c,c,,,,,c,c,c,c\) Squeeze\(1\.[01],c\))"
_HEADS = (
    r" Gemm\(1\.0,c,c\)",
    (
        r" DynamicQuantizeLinear\(1\.0\) Mul\(1\.1,v\) MatMulInteger\(2\.0,c,2\.2,c\)"
        r" Cast\(1\.0\) Mul\(1\.0,3\.0\) Add\(1\.0,v\)"
    ),
)
# Each node with where its inputs come from: "in" the window, "2.0" the first output of the node
# two before, "c" a constant, "v" one of a single axis where more could multiply each other.
_CHAIN = re.compile(
    rf"Transpose\(in\)({_FLOAT_LAYER}{{1,16}}|{_INT8_LAYER}{{1,16}})({_HEADS[0]}|{_HEADS[1]})"
)
_ELEMENTWISE = {"Add", "Mul"}
# What unpacks a constant, and how many constants it takes.
_UNPACKING = {"Cast": 1, "DequantizeLinear": 2}

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# Fields of the protocol buffers in onnx.proto, by message.
_MODEL_GRAPH, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 20, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR, _NODE_ATTRIBUTE = 1, 2, 4, 5
_TENSOR_DIMENSIONS, _TENSOR_NAME, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 1, 8, 13, 14
_TENSOR_TYPE, _TENSOR_RAW, _TENSOR_FLOATS, _TENSOR_DOUBLES = 2, 9, 4, 10
# Numbers with an exponent, by their type in onnx.proto; other floats are not made here.
_FLOAT32, _FLOAT64 = 1, 11
_FLOATS = {_FLOAT32: "<f4", 10: "<f2", _FLOAT64: "<f8"}
_INTEGERS = {2, 3, 6, 7, 22}
_LISTED = {_TENSOR_FLOATS: _FLOAT32, _TENSOR_DOUBLES: _FLOAT64}
# Tensors, graphs and sparse tensors, alone and in lists.
_ATTRIBUTES_WITH_CONTENT = {5, 6, 10, 11, 22, 23}


# A graph of sixteen layers has about a thousand. A file that unpacks to nothing but fields would be
# read for minutes.
_MOST_FIELDS = 20_000
# No weight has more axes.
_MOST_AXES = 8

_Node = tuple[str, list[str], list[str]]
"""Operator, names of inputs, names of outputs."""


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[_Node] = []
        self.constants: dict[str, int] = {}
        """Number of axes by name."""
        self.weights: list[tuple[memoryview, int]] = []
        """Bytes of each constant, and of which type its numbers are."""
        self._left = _MOST_FIELDS

    def fields(self, data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
        """Yield the fields of a message, as long as there are not too many in all."""
        for field in _fields(data):
            self._left -= 1
            if self._left < 0:
                raise ValueError("it has more parts than any graph that is made here")
            yield field


Stored = Literal["float32", "int8", "packed"]
"""How the weights of a graph are stored: as they are, as int8 that is computed with, or in fewer
bits that are unpacked at load."""


def check_structure(content: bytes) -> Stored:
    """Refuse anything but a chain of LSTM layers and a head with all weights inside, and finite.

    Returns:
        How its weights are stored.

    Raises:
        ValueError: It is something else.
    """
    data, known = memoryview(content), _frames.get(len(content))
    # Models of the same settings differ in their weights alone.
    if known is not None and known.surrounds(content):
        for start, end, kind in known.weights:
            _require_finite(data[start:end], kind)
        return known.stored
    try:
        graph = _read_model(data)
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError("it is no ONNX model") from error
    weights = graph.weights
    unpacked = _unpack(graph)
    described = _describe(graph)
    if not _CHAIN.fullmatch(described):
        raise ValueError(f"it is no chain of LSTM layers and a head: {described[:200]!a}")
    stored: Stored = "int8" if "DynamicQuantizeLSTM" in described else "float32"
    if unpacked:
        stored = "packed"
    if len(_frames) >= _MOST_FRAMES:
        _frames.clear()
    _frames[len(content)] = _frame(data, weights, stored)
    return stored


class _Frame(NamedTuple):
    """A graph that was found to be one of ours, without its weights.

    Attributes:
        rest: All that is not weights: where it begins and ends, and its bytes.
        weights: Where the weights begin and end, and of which type they are.
    """

    rest: tuple[tuple[int, int, bytes], ...]
    weights: tuple[tuple[int, int, int], ...]
    stored: Stored

    def surrounds(self, content: bytes) -> bool:
        """Tell whether a graph of the same size is the same but for its weights."""
        return all(content[start:end] == rest for start, end, rest in self.rest)


_MOST_FRAMES = 8

_frames: dict[int, _Frame] = {}
"""By the size of the whole."""


def _frame(data: memoryview, weights: list[tuple[memoryview, int]], stored: Stored) -> _Frame:
    begin = _address(data)
    places = sorted(
        (start, start + len(raw), kind)
        for raw, kind in weights
        if len(raw)
        for start in [_address(raw) - begin]
    )
    edges = [0, *(edge for start, end, _ in places for edge in (start, end)), len(data)]
    rest = zip(edges[::2], edges[1::2], strict=True)
    return _Frame(
        tuple((start, end, bytes(data[start:end])) for start, end in rest), tuple(places), stored
    )


def _address(data: memoryview) -> int:
    return int(np.frombuffer(data, np.uint8).ctypes.data)


def _unpack(graph: _Graph) -> bool:
    """Replace nodes that unpack a constant by the constant; tell if there were any.

    Each constant is unpacked once, to at most eight times its bytes (4 bits to 32), so the size of
    the file bounds the memory it can request.
    """
    stored, rest = dict(graph.constants), list[_Node]()
    for node in graph.nodes:
        operator, inputs, outputs = node
        packed = len(inputs) == _UNPACKING.get(operator) and all(name in stored for name in inputs)
        if not packed:
            rest.append(node)
            continue
        (made,) = outputs
        if made in graph.constants:
            raise ValueError(f"{made[:40]!a} is made twice")
        graph.constants[made] = graph.constants[inputs[0]]
        for name in inputs:
            stored.pop(name, None)
    found = len(rest) < len(graph.nodes)
    graph.nodes = rest
    return found


def _describe(graph: _Graph) -> str:
    """List the nodes in their order with the origin of each input."""
    made: dict[str, tuple[int, int]] = {}
    words = []
    for number, (operator, inputs, outputs) in enumerate(graph.nodes):
        sources = []
        for name in inputs:
            if not name:
                sources.append("")
            elif name in made:
                before, output = made[name]
                sources.append(f"{number - before}.{output}")
            elif name in graph.constants:
                one_axis = operator in _ELEMENTWISE and graph.constants[name] <= 1
                sources.append("v" if one_axis else "c")
            else:
                sources.append("in")
        for output, name in enumerate(outputs):
            if name in made or name in graph.constants:
                raise ValueError(f"{name[:40]!a} is made twice")
            if name:
                made[name] = (number, output)
        words.append(f"{operator}({','.join(sources)})")
    return " ".join(words)


def _read_model(data: memoryview) -> _Graph:
    graph = _Graph()
    graphs = 0
    for number, value in graph.fields(data):
        if number in {_MODEL_TRAINING, _MODEL_FUNCTIONS}:
            raise ValueError("it holds functions of its own")
        if number == _MODEL_GRAPH:
            graphs += 1
            _read_graph(_message(value), graph)
    if graphs != 1:
        raise ValueError("it is no ONNX model")
    return graph


def _read_graph(data: memoryview, graph: _Graph) -> None:
    for number, value in graph.fields(data):
        if number == _GRAPH_SPARSE:
            raise ValueError("it holds sparse weights")
        if number == _GRAPH_NODE:
            graph.nodes.append(_read_node(_message(value), graph))
        elif number == _GRAPH_INITIALIZER:
            name, axes = _read_tensor(_message(value), graph)
            graph.constants[name] = axes


def _read_node(data: memoryview, graph: _Graph) -> _Node:
    operator, inputs, outputs = "", [], []
    for number, value in graph.fields(data):
        if number == _NODE_INPUT:
            inputs.append(_text(value))
        elif number == _NODE_OUTPUT:
            outputs.append(_text(value))
        elif number == _NODE_OPERATOR:
            operator = _text(value)
        elif number == _NODE_ATTRIBUTE and any(
            part in _ATTRIBUTES_WITH_CONTENT for part, _ in graph.fields(_message(value))
        ):
            raise ValueError("an operator holds tensors or graphs of its own")
    return operator, inputs, outputs


def _read_tensor(data: memoryview, graph: _Graph) -> tuple[str, int]:
    """Return a constant's name and its number of axes."""
    name, dimensions, kind = "", list[int](), 0
    raw = memoryview(b"")
    for number, value in graph.fields(data):
        if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value):
            raise ValueError("its weights lie in another file")
        if number == _TENSOR_TYPE and isinstance(value, int):
            kind = value
        elif number == _TENSOR_RAW:
            raw = _message(value)
        elif number in _LISTED:
            # One number may be stored so, packed, in the place of bytes.
            _require_finite(_message(value), _LISTED[number])
            graph.weights.append((_message(value), _LISTED[number]))
        if number == _TENSOR_NAME:
            name = _text(value)
        elif number == _TENSOR_DIMENSIONS:
            dimensions += [value] if isinstance(value, int) else _varints(value)
    _require_held(dimensions, len(data))
    _require_finite(raw, kind)
    graph.weights.append((raw, kind))
    return name, len(dimensions)


def _require_held(dimensions: list[int], size: int) -> None:
    """Refuse a tensor that declares more numbers than its bytes can hold."""
    if len(dimensions) > _MOST_AXES:
        raise ValueError(f"a weight has more than {_MOST_AXES} axes")
    declared = math.prod(dimensions)
    # Each number takes at least half a byte.
    if declared > 2 * size:
        raise ValueError(f"it declares {declared} weights in {size} bytes")


def _require_finite(raw: memoryview, kind: int) -> None:
    """Refuse weights that are not finite: an LSTM may hide them, as its states are bounded."""
    if kind in _INTEGERS:
        return
    if kind not in _FLOATS:
        raise ValueError(f"its weights are of type {kind}")
    if not np.isfinite(np.frombuffer(raw, _FLOATS[kind])).all():
        raise ValueError("its weights are not finite numbers")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("it is no ONNX model")  # noqa: TRY004 - a fault of the bytes
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_message(value)).decode()


def _varints(data: memoryview) -> list[int]:
    numbers, place = list[int](), 0
    while place < len(data) and len(numbers) <= _MOST_AXES:
        number, place = _varint(data, place)
        numbers.append(number)
    return numbers


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[place]
        number |= (byte & 0x7F) << shift
        place += 1
        shift += 7
        if byte < 0x80:
            return number, place
        if shift > 63:
            raise ValueError("it is no ONNX model")


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the number and the value of each field of a message; values without bytes as 0."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            length, place = _varint(data, place)
        else:
            length = {_FIXED64: 8, _FIXED32: 4}.get(kind, len(data) + 1)
        if length > len(data) - place:
            raise ValueError("it is no ONNX model, or cut off")
        yield key >> 3, data[place : place + length] if kind == _BYTES else 0
        place += length
