"""Packages that are not installed: which one is wanted, and the line that installs it."""

import sys
from collections.abc import Iterable
from importlib.util import find_spec

from stocklstm.errors import MissingPackageError

PICTURES = ("matplotlib",)
"""What pictures need."""

TRAINING = ("torch", "onnx")
"""What a training needs that a forecast does not."""

# Packages that are not called what is imported of them.
_NAMES = {"sklearn": "scikit-learn"}

EXTRAS = {
    "parquet": ("pyarrow",),
    "tune": ("optuna",),
    "garch": ("arch",),
    "api": ("fastapi", "uvicorn", "jinja2", "prometheus_client"),
    "distributed": ("dask", "distributed"),
}
"""Extras of this package, and what is imported of the packages that each brings."""


def package_of(module: str) -> str:
    """Name the package that brings a module."""
    return _NAMES.get(module, module.replace("_", "-"))


def require_packages(what: str, modules: Iterable[str]) -> None:
    """Refuse what needs a package that is not installed; nothing is imported.

    Args:
        what: As it is typed, such as "train".
        modules: Top-level modules that it needs.

    Raises:
        MissingPackageError: One of them is not there.
    """
    for module in modules:
        if find_spec(module) is None:
            raise _missing(what, module)


def missing_package(error: ImportError) -> MissingPackageError | None:
    """Tell whether something failed for want of a package."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    # A part of a package that is there, or of Python itself, comes with no package of its own.
    if "." in error.name or error.name in sys.stdlib_module_names:
        return None
    found = _missing("this", error.name)
    found.__cause__ = error
    return found


def _missing(what: str, module: str) -> MissingPackageError:
    package = package_of(module)
    extra = next((name for name, modules in EXTRAS.items() if module in modules), None)
    line = "pip install stocklstm"
    if extra is not None:
        line = f"pip install 'stocklstm[{extra}]'"
    elif module in PICTURES:
        line = f"pip install {package}"
    return MissingPackageError(f"{what} needs {package}, which is not installed", hint=line)
