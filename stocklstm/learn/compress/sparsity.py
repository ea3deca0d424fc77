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
    arrays = [numpy_helper.to_array(tensor) for tensor in graph.initializer]
    # Biases, axes and scales are vectors.
    matrices = [array for array in arrays if array.ndim >= 2 and array.size > 1]
    zeros = sum(int(np.count_nonzero(array == 0)) for array in matrices)
    return zeros / sum(array.size for array in matrices)
