"""Dynamic int8: weights stored as bytes, activations scaled by their range at run time (W8A8).

ONNX Runtime's `DynamicQuantizeLSTM`. PyTorch's own `quantize_dynamic` is deprecated and slower
than float32 for this network. Because activations are scaled by the range they have in a batch,
a forecast depends a little on what else is in its batch.
"""

import logging
import tempfile
from pathlib import Path


def quantize_dynamic_int8(content: bytes, *, per_channel: bool = True) -> bytes:
    """Quantize all matrix products of a serving graph.

    Args:
        content: float32 ONNX model.
        per_channel: A scale for each row of a matrix, rather than one for all of it.

    Returns:
        int8 ONNX model with the same inputs and outputs.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # It advises a preprocessing step that changes nothing in a graph built by hand.
    logging.getLogger("root").addFilter(_is_not_preprocessing_advice)
    try:
        # The library reads and writes files only.
        with tempfile.TemporaryDirectory(prefix="stocklstm-") as scratch:
            source, target = Path(scratch, "float32.onnx"), Path(scratch, "int8.onnx")
            source.write_bytes(content)
            quantize_dynamic(source, target, per_channel=per_channel, weight_type=QuantType.QInt8)
            return target.read_bytes()
    finally:
        logging.getLogger("root").removeFilter(_is_not_preprocessing_advice)


def _is_not_preprocessing_advice(record: logging.LogRecord) -> bool:
    return "pre-processing" not in record.getMessage()
