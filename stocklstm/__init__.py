"""Train an LSTM on a stock's daily closes and forecast the next session, honestly.

The names below are loaded on first use, so that `import stocklstm` costs nothing.
"""

import os
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# ONNX Runtime 1.29 and later report their use to Microsoft unless told otherwise before they are
# imported. What people forecast, and when, is nobody's business. A user's own setting stands.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_PUBLIC = {
    "compare_versions": "stocklstm.workflows.comparison",
    "evaluate": "stocklstm.workflows.evaluate",
    "evaluate_live": "stocklstm.workflows.live",
    "fetch": "stocklstm.workflows.fetch",
    "load": "stocklstm.workflows.serving",
    "predict": "stocklstm.workflows.predict",
    "quantize": "stocklstm.workflows.quantize",
    "score_league": "stocklstm.workflows.league",
    "train": "stocklstm.workflows.train",
    "tune": "stocklstm.workflows.tune",
    "validate": "stocklstm.workflows.validate",
    "walk_forward": "stocklstm.workflows.walk_forward",
}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604 - names, every one


def __getattr__(name: str) -> Any:  # noqa: ANN401 - functions of different shapes
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'stocklstm' has no attribute {name!r}")
