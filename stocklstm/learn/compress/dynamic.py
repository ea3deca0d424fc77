"""Dynamic int8: weights stored as bytes, activations scaled by their range at run time (W8A8).

ONNX Runtime's `DynamicQuantizeLSTM`. PyTorch's own `quantize_dynamic` is deprecated and slower
than float32 for this network. Because activations are scaled by the range they have in a batch,
a forecast depends a little on what else is in its batch.
"""

import errno
import logging
import tempfile
from pathlib import Path

from stocklstm.core.system_errors import next_step
from stocklstm.errors import ConfigError, StockLstmError, StorageError

# Errors that no free space cures; ENOENT if there is no directory at all.
_FORBIDDEN = {errno.EACCES, errno.ENOENT, errno.ENOTDIR, errno.EPERM, errno.EROFS}

_ELSEWHERE = "set TMPDIR to another disk"


def quantize_dynamic_int8(content: bytes, *, per_channel: bool = True) -> bytes:
    """Quantize all matrix products of a float32 serving graph.

    Args:
        content: ONNX model.
        per_channel: A scale for each row of a matrix, rather than one for all of it.

    Raises:
        StorageError: The disk of temporary files is full or failing; ConfigError if there is no
            place for them.
    """
    from google.protobuf.message import DecodeError
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
    except OSError as error:
        raise _no_scratch(error) from error
    except DecodeError as error:
        # The library writes one of them without looking whether all of it was written.
        raise StorageError(
            "a temporary file was not written whole", hint=f"{_ELSEWHERE}, then run it again"
        ) from error
    finally:
        logging.getLogger("root").removeFilter(_is_not_preprocessing_advice)


def _no_scratch(error: OSError) -> StockLstmError:
    where = f" ({error.filename})" if error.filename else ""
    kind = ConfigError if error.errno in _FORBIDDEN else StorageError
    return kind(
        f"cannot write a temporary file: {error.strerror or error}{where}",
        hint=next_step(error, _ELSEWHERE),
    )


def _is_not_preprocessing_advice(record: logging.LogRecord) -> bool:
    return "pre-processing" not in record.getMessage()
