"""What every test gets: a store of its own, no network, and a way to run the program."""

import base64
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from stocklstm import fetch, train
from stocklstm.cli.app import run
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.report import figure as figures
from stocklstm.workflows.prices.plan import FetchOptions
from tests.support.property_tests import PROPERTY

# PyTorch's threads wait for each other busily: where several processes share the processors, that
# takes longer than what they compute. It is not loaded yet; processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Also where a test says nothing of its own, or no more than how many examples.
hypothesis.settings.register_profile("tests", PROPERTY)
hypothesis.settings.load_profile("tests")

TICKER = "PETR4.SA"

_OF_POSIX = re.compile(
    r"^import (fcntl|pty|pwd|resource)\b|\bos\.(chown|fork|getuid|mkfifo)\b|\b(Forks|forks_of)\b",
    re.MULTILINE,
)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out on Windows what needs forks, named pipes, terminals or limits."""
    if sys.platform != "win32" or collection_path.suffix != ".py":
        return None
    return True if _OF_POSIX.search(collection_path.read_text(encoding="utf-8")) else None


# Real prices, a network that trains in a second.
TINY = {"epochs": 2, "hidden_size": 16, "num_layers": 1, "dropout": 0.0, "seq_length": 10}

TINY_OPTIONS = [
    word for name, value in TINY.items() for word in (f"--{name.replace('_', '-')}", f"{value}")
]


@dataclass(frozen=True)
class Outcome:
    """What a command line did."""

    code: int
    out: str
    err: str


Cli = Callable[..., Outcome]
Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def _temporary_files() -> Iterator[None]:
    """Remove what killed processes leave behind; every user may write there, as in /tmp."""
    folder = Path(tempfile.mkdtemp(prefix="stocklstm-tests-"))
    folder.chmod(0o1777)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("STOCKLSTM_"):
            monkeypatch.delenv(name)
    # English, whatever the machine speaks; how it writes characters stays.
    if locale := os.environ.get("LC_ALL"):
        monkeypatch.setenv("LC_CTYPE", locale)
        monkeypatch.delenv("LC_ALL")
    monkeypatch.setenv("LC_MESSAGES", "C")
    monkeypatch.setenv("STOCKLSTM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STOCKLSTM_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: socket.socket, address: object) -> None:
        raise AssertionError(f"a test tried to reach {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


ONE_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)


def _save_one_pixel(file: Any, **options: object) -> None:
    if options.get("format") == "svg":
        file.write(b'<?xml version="1.0"?><svg/>')
    elif isinstance(file, str):
        Path(file).write_bytes(ONE_PIXEL)
    else:
        file.write(ONE_PIXEL)


@pytest.fixture(autouse=True)
def _small_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Save a PNG of one pixel for each picture: to paint it takes as long as to train a network.

    Everything up to that is done. Tests of how pictures look ask for `painted`.
    """
    if "painted" in request.fixturenames:
        return
    opened = figures._figure

    @contextmanager
    def unpainted(*arguments: Any) -> Iterator[Any]:
        with opened(*arguments) as figure:
            figure.savefig = _save_one_pixel
            yield figure

    monkeypatch.setattr(figures, "_figure", unpainted)


@pytest.fixture
def painted() -> None:
    """Paint pictures in full."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Cli:
    """Run a command line in this process, as `main` does."""

    def call(*arguments: str) -> Outcome:
        capfd.readouterr()
        code = run(list(arguments))
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def program(home: Path) -> Program:
    """Run the program in a process of its own, as cron does."""

    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "stocklstm", *arguments],
            env={**os.environ, "STOCKLSTM_HOME": str(home), **environment},
            capture_output=True,
            text=True,
            encoding=environment.get("PYTHONIOENCODING"),
            timeout=300,
            check=False,
        )

    return call


@pytest.fixture
def tiny() -> TrainingConfig:
    return configure("calibrated", **TINY)


@pytest.fixture(scope="session")
def _priced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("priced")
    fetch([TICKER], FetchOptions(source="sample"), home=home)
    return home


@pytest.fixture(scope="session")
def _modelled(_priced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("modelled") / "home"
    shutil.copytree(_priced, home)
    result = train([TICKER], configure("calibrated", **TINY), home=home, plot=False)
    assert not result.failures
    return home


@pytest.fixture
def priced_home(_priced: Path, home: Path) -> Path:
    """Give this test's store the bundled prices."""
    shutil.copytree(_priced, home)
    return home


@pytest.fixture
def model_home(_modelled: Path, home: Path) -> Path:
    """Give this test's store the bundled prices and a champion, PETR4.SA@v1."""
    shutil.copytree(_modelled, home)
    return home
