"""Which versions of what made a model."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

_PACKAGES = ("stocklstm", "torch", "onnx", "onnxruntime", "numpy")

# Those that compute; of others a version tells nothing about a forecast.
_COMPUTING = ("torch", "onnxruntime", "numpy")


def environment() -> dict[str, str]:
    """List Python, the machine and the libraries that shape a model, without importing them."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **packages(),
    }


def packages() -> dict[str, str]:
    """List only the libraries: what must be the same wherever a version may be made.

    A slim install lacks some.
    """
    found = {name: _installed(name) for name in _PACKAGES}
    return {name: version for name, version in found.items() if version is not None}


def differences(made_with: Mapping[str, str]) -> list[str]:
    """Name the libraries that compute and are of another release than those that made a model.

    Only the first two numbers of a version count: repairs should not change results. What
    `made_with` lacks is not compared.
    """
    found = []
    for name in _COMPUTING:
        then, now = made_with.get(name), _installed(name)
        if then is not None and (now is None or _release(then) != _release(now)):
            found.append(f"made with {name} {then}, here is {now or 'none'}")
    return found


def _installed(name: str) -> str | None:
    try:
        return installed(name)
    except PackageNotFoundError:
        return None


def _release(version: str) -> list[str]:
    return version.split(".")[:2]
