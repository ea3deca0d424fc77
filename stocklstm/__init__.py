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
    "compare_versions": "stocklstm.workflows.evaluate.compare",
    "evaluate": "stocklstm.workflows.evaluate.evaluate",
    "evaluate_live": "stocklstm.workflows.evaluate.live",
    "fetch": "stocklstm.workflows.prices.fetch",
    "load": "stocklstm.workflows.loading.model",
    "predict": "stocklstm.workflows.predict.predict",
    "quantize": "stocklstm.workflows.quantize.quantize",
    "score_league": "stocklstm.workflows.evaluate.league",
    "train": "stocklstm.workflows.train.train",
    "tune": "stocklstm.workflows.train.tune",
    "validate": "stocklstm.workflows.validate.validate",
    "walk_forward": "stocklstm.workflows.evaluate.walk_forward",
}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604 - names, every one


def __getattr__(name: str) -> Any:  # noqa: ANN401 - functions of different shapes
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'stocklstm' has no attribute {name!r}")
