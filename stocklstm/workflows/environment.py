"""Which versions of what made a model."""

import platform
from importlib.metadata import version as installed

_PACKAGES = ("stocklstm", "torch", "onnx", "onnxruntime", "numpy")


def environment() -> dict[str, str]:
    """List Python, the machine and the libraries that shape a model, without importing them."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{name: installed(name) for name in _PACKAGES},
    }
