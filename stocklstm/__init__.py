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

_FUNCTIONS = (
    *("collect_garbage", "compare_versions", "diff_models", "draw_forecasts", "effective_settings"),
    *("evaluate", "evaluate_live", "evaluate_pool", "export_model", "export_prices", "fetch"),
    *("import_model", "list_models", "load", "predict", "promote", "quantize", "remove_versions"),
    *("rollback", "score_league", "show_model", "show_prices", "sign_versions", "unalias"),
    *("validate", "verify_prices", "walk_forward"),
)
"""Methods of `Client`, each of which is a function here as well: it takes `home` besides."""

_ELSEWHERE = {
    "Client": "stocklstm.client",
    "open": "stocklstm.client",
    "train": "stocklstm.workflows.train.train",
    "tune": "stocklstm.workflows.train.tune",
}

__all__ = ["__version__", *_FUNCTIONS, *_ELSEWHERE]  # noqa: PLE0604 - names, every one


def __getattr__(name: str) -> Any:  # noqa: ANN401 - functions of different shapes
    if name in _FUNCTIONS:
        from stocklstm.client import function_of

        found = function_of(name)
    elif name in _ELSEWHERE:
        found = getattr(import_module(_ELSEWHERE[name]), name)
    else:
        raise AttributeError(f"module 'stocklstm' has no attribute {name!r}")
    globals()[name] = found
    return found
