"""How many weights of a serving graph are zero."""

import numpy as np
import onnx
from onnx import numpy_helper


def weight_sparsity(content: bytes) -> float:
    """Count zeros among all weight matrices.

    Args:
        content: ONNX model, float32 or int8 with symmetric weights.

    Returns:
        Share of zeros, from 0 to 1.
    """
    graph = onnx.load_model_from_string(content).graph
    matrices = [
        numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.name.startswith(("lstm.W", "lstm.R", "head.weight"))
        and not tensor.name.endswith(("_scale", "_zero_point"))
    ]
    zeros = sum(int(np.count_nonzero(array == 0)) for array in matrices)
    return zeros / sum(array.size for array in matrices)
