"""A worker is refused that would not train what is trained here, and no pickle of it is read."""

import pickle
from pathlib import Path

import pytest
import tblib.pickling_support
from distributed.scheduler import KilledWorker
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.errors import ConfigError
from stocklstm.learn.cluster import _KilledWorkerError, _load_nothing, _require_same
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


class TouchedError(Exception):
    """Creates a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.args[0],)


@pytest.mark.parametrize("travelling", [False, True])
def test_of_errors_only_that_workers_were_lost_is_read(tmp_path: Path, *, travelling: bool) -> None:
    lost, evil = KilledWorker("key", None, 3), TouchedError(tmp_path / "touched")
    if travelling:
        # As Dask makes errors ready to travel.
        tblib.pickling_support.install(lost, evil)

    read = _load_nothing(pickle.dumps(lost))
    with pytest.raises(TypeError, match="which is not read"):
        _load_nothing(pickle.dumps(evil))

    assert isinstance(read, _KilledWorkerError)
    assert not (tmp_path / "touched").exists()


@given(st.recursive(st.none() | st.integers() | st.floats() | st.text() | st.binary(), st.lists))
def test_plain_values_are_read_and_nothing_else(value: object) -> None:
    assert repr(_load_nothing(pickle.dumps(value))) == repr(value)
    assert _load_nothing(pickle.dumps(bytes)) is bytes
    for kind in (str, int, Path, ValueError, TypeError(value), Path("/"), range(3)):
        with pytest.raises(TypeError):
            _load_nothing(pickle.dumps(kind))
