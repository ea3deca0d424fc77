"""A real server on this machine for every test here, and one that many share."""

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_server import Server, serving


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests reach this machine and no other."""
    real = socket.socket.connect

    def connect(own: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1"}:
            raise AssertionError(f"a test tried to reach {address}")
        real(own, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers that end with the test."""
    with ExitStack() as running:

        def start(home: Path, *options: str, **environment: str) -> Server:
            return running.enter_context(serving(home, *options, **environment))

        yield start


@pytest.fixture(scope="module")
def shared_home(_modelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("served") / "home"
    shutil.copytree(_modelled, home)
    return home


@pytest.fixture(scope="module")
def server(shared_home: Path) -> Iterator[Server]:
    """One server for the tests of a module that change nothing it depends on."""
    with serving(shared_home) as running:
        yield running
