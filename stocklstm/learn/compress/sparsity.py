"""The share of zeros among the weights of a serving graph."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


def weight_sparsity(content: bytes) -> float:
    """Share of zeros in all weight matrices of an ONNX model, in float32 or quantized."""
    matrices = _matrices(content).values()
    return sum(_zeros(matrix) for matrix in matrices) / sum(matrix.size for matrix in matrices)


def sparsity_by_matrix(content: bytes) -> dict[str, float]:
    """Share of zeros in each weight matrix: W takes the inputs of a layer, R its states."""
    return {
        name.partition("_quantized")[0]: _zeros(matrix) / matrix.size
        for name, matrix in _matrices(content).items()
    }


def _matrices(content: bytes) -> dict[str, NDArray[Any]]:
    graph = onnx.load_model_from_string(content).graph
    return {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.name.startswith(("lstm.W", "lstm.R", "head.weight"))
        and not tensor.name.endswith(("_scale", "_zero_point"))
    }


def _zeros(matrix: NDArray[Any]) -> int:
    return int(np.count_nonzero(matrix == 0))
