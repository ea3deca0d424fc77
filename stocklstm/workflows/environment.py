"""Which versions of what made a model."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import NamedTuple

_PACKAGES = ("stocklstm", "torch", "onnx", "onnxruntime", "numpy")

# What computes a forecast; a machine is another where its processor is of another kind.
_FORECASTING = ("onnxruntime", "numpy", "machine")

_LABELS = {"machine": "processor"}

# What Windows and macOS call the processors that Linux calls so.
_PROCESSORS = {"AMD64": "x86_64", "arm64": "aarch64"}

# What made the weights: no forecast depends on it, and a slim install has none of it.
_TRAINING = ("torch",)


class Differences(NamedTuple):
    """What is of another release here than what made a model, and of what that is true.

    Attributes:
        forecasts: Of what computes a forecast, in words.
        trainings: Of what only trains, in words.
    """

    forecasts: tuple[str, ...]
    trainings: tuple[str, ...]


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


def differences(made_with: Mapping[str, str]) -> Differences:
    """Compare what made a model with what is here.

    Only the first two numbers of a version count: repairs should not change results. What
    `made_with` lacks is not compared.
    """
    here = environment()

    def among(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(
            f"{_LABELS.get(name, name)} {made_with[name]} (here {here.get(name, 'none')})"
            for name in names
            if name in made_with and _release(made_with[name]) != _release(here.get(name, ""))
        )

    return Differences(among(_FORECASTING), among(_TRAINING))


def _installed(name: str) -> str | None:
    try:
        return installed(name)
    except PackageNotFoundError:
        return None


def _release(version: str) -> list[str]:
    return _PROCESSORS.get(version, version).split(".")[:2]
