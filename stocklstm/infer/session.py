"""The serving graph in ONNX Runtime."""

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from stocklstm.core.prices.series import Floats
from stocklstm.errors import ArtifactCorruptError
from stocklstm.infer.structure import check_structure

_ERRORS_ONLY = 3

# Windows that are run at once: more would need more memory, and take no less time each.
_TOGETHER = 64


class ServingGraph:
    """A loaded graph that maps windows to outputs."""

    def __init__(self, content: bytes) -> None:
        """Load a graph.

        Args:
            content: ONNX model with input "windows" (batch, T, F) and output "outputs".

        Raises:
            ArtifactCorruptError: It is not such a model, or one that this program does not make.
        """
        options = ort.SessionOptions()
        # One thread is fastest for a network this small, and leaves the machine to others.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # The graph is as small as it can be, and a forecast is one run: neither optimizing it nor
        # keeping memory for the next run would pay.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.log_severity_level = _ERRORS_ONLY
        try:
            self.stored = check_structure(content)
            if self.stored == "packed":
                # All there is to optimize: weights are unpacked once, and not in every run.
                options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
                options.add_session_config_entry("session.disable_quant_qdq", "1")
            self._session = ort.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
            (inputs,) = self._session.get_inputs()
            (outputs,) = self._session.get_outputs()
            self._shape = tuple(inputs.shape[1:])
            self.outputs = outputs.shape[1]
        except Exception as error:
            # ONNX Runtime has an exception class for each status and no common one to import.
            reason = str(error).strip().partition("\n")[0]
            raise ArtifactCorruptError(f"the serving graph cannot be loaded: {reason}") from error

    @property
    def window_shape(self) -> tuple[int, int]:
        """Sessions T and features F of a window."""
        length, features = self._shape
        return length, features

    def run(self, windows: NDArray[np.float32]) -> Floats:
        """Forecast each window.

        Args:
            windows: (N, T, F), finite.

        Returns:
            (N, Q); no rows if there are no windows.

        Raises:
            ValueError: A window holds something that is not finite, which ONNX Runtime would
                answer with a plausible number, or has the wrong shape.
        """
        if windows.shape[1:] != self._shape:
            raise ValueError(f"windows are {windows.shape[1:]}, the graph takes {self._shape}")
        if not np.isfinite(windows).all():
            raise ValueError("a window holds a value that is not finite")
        if len(windows) == 0:
            # ONNX Runtime aborts the whole process on an empty batch.
            return np.empty((0, self.outputs))
        (outputs,) = self._session.run(None, {"windows": np.ascontiguousarray(windows)})
        return np.asarray(outputs, np.float64)

    def run_each(self, windows: NDArray[np.float32], *, together: bool = False) -> Floats:
        """Forecast many windows, one after the other or in batches.

        Args:
            windows: (N, T, F), finite.
            together: In batches, which takes half as long and may round otherwise; int8, whose
                steps would depend on the other windows, is run one by one even so.

        Returns:
            (N, Q); no rows if there are no windows.

        Raises:
            ValueError: As of `run`.
        """
        count = _TOGETHER if together and self.stored != "int8" else 1
        if len(windows) == count:
            return self.run(windows)
        parts = [self.run(windows[row : row + count]) for row in range(0, len(windows), count)]
        return np.concatenate([np.empty((0, self.outputs)), *parts])
