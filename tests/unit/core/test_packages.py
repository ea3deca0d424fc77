"""What is not installed is called by the name that pip knows, and a bug of ours stays one."""

import importlib

import pytest

from stocklstm.core.batch import unexpected
from stocklstm.core.packages import missing_package, require_packages
from stocklstm.errors import MissingPackageError, UnexpectedError


@pytest.mark.parametrize(
    ("module", "package", "line"),
    [
        ("sklearn", "scikit-learn", "pip install stocklstm"),
        ("exchange_calendars", "exchange-calendars", "pip install stocklstm"),
        ("matplotlib", "matplotlib", "pip install matplotlib"),
        ("prometheus_client", "prometheus-client", "pip install 'stocklstm[api]'"),
        ("optuna", "optuna", "pip install 'stocklstm[tune]'"),
    ],
)
def test_a_package_is_named_with_the_line_that_installs_it(
    module: str, package: str, line: str
) -> None:
    error = unexpected(ModuleNotFoundError(f"No module named '{module}'", name=module))

    assert isinstance(error, MissingPackageError)
    assert error.message == f"this needs {package}, which is not installed"
    assert error.hint == line


@pytest.mark.parametrize("module", ["fcntl", "winreg", "_lzma"])
def test_what_python_lacks_on_a_system_is_installed_by_nothing(module: str) -> None:
    error = ModuleNotFoundError(f"No module named '{module}'", name=module)

    assert missing_package(error) is None
    assert isinstance(unexpected(error), UnexpectedError)


@pytest.mark.parametrize("module", ["stocklstm.core.nothing", "numpy.nothing"])
def test_a_part_of_a_package_that_is_there_is_a_bug(module: str) -> None:
    with pytest.raises(ImportError) as raised:
        importlib.import_module(module)

    assert missing_package(raised.value) is None
    assert isinstance(unexpected(raised.value), UnexpectedError)


def test_so_is_a_name_that_a_module_does_not_have() -> None:
    assert isinstance(unexpected(ImportError("cannot import name", name="numpy")), UnexpectedError)


def test_what_is_there_is_not_refused_and_the_first_that_is_not_is_named() -> None:
    require_packages("predict", ("numpy", "json"))
    with pytest.raises(MissingPackageError, match="predict needs nowhere-to-be-found, which"):
        require_packages("predict", ("numpy", "nowhere_to_be_found", "nor_this"))
