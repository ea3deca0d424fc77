"""A worker is refused that would not train what is trained here."""

import pytest

from stocklstm.errors import ConfigError
from stocklstm.learn.cluster import _require_same
from stocklstm.workflows.environment import packages

WORKER = "tcp://10.0.0.7:40001"


def test_the_same_versions_pass() -> None:
    here = packages()

    _require_same(here, dict(here), WORKER)

    assert {"stocklstm", "torch", "numpy", "onnx"} <= here.keys()


@pytest.mark.parametrize("name", ["stocklstm", "torch", "numpy", "onnx"])
def test_another_version_is_refused(name: str) -> None:
    here = packages()

    with pytest.raises(ConfigError, match=f"{WORKER} has {name} 0.0.1") as caught:
        _require_same(here, {**here, name: "0.0.1"}, WORKER)

    assert caught.value.hint == f"install {name} {here[name]} where the worker runs"


def test_a_worker_without_the_program_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot run stocklstm: ModuleNotFoundError"):
        _require_same(packages(), ModuleNotFoundError("No module named 'stocklstm'"), WORKER)
