"""Stores for tests that run whole commands."""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import terminal
from tests.support.forks import (
    CALENDARS,
    CLUSTER,
    FETCHING,
    PROGRAM,
    TRAINING,
    Ended,
    Fork,
    Forks,
    forks_of,
)
from tests.support.many_tickers import TICKERS, give_names
from tests.support.terminal import At
from tests.support.yahoo_machine import GOOD, ITUB4, OLD, PETR4, VALE3, Machine
from tests.support.yahoo_server import (
    YahooServer,
    history,
)

if TYPE_CHECKING:
    from stocklstm.core.settings.config import TrainingConfig
    from stocklstm.learn.loop import TrainedNetwork, TrainingData


@pytest.fixture(scope="session")
def _many(_priced: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("many") / "home"
    shutil.copytree(_priced, home)
    give_names(home, TICKERS)
    return home


@pytest.fixture
def many_home(_many: Path, home: Path) -> Path:
    """Give this test's store the prices of several tickers, no two of them alike."""
    shutil.copytree(_many, home)
    return home


@pytest.fixture(scope="session")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    with YahooServer(folder, history(OLD)) as yahoo:
        machine = Machine(folder, yahoo)
        fetched = machine.fetch("-t", PETR4, "-t", VALE3, "-t", ITUB4, "--json")
    assert fetched.code == 0, fetched.err
    assert [item["rows_added"] for item in fetched.document["results"]] == [len(OLD)] * 3
    assert fetched.starts == ["", "", ""]
    return folder


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with forks_of(tmp_path_factory.mktemp("forks"), *FETCHING, prepared=CALENDARS) as started:
        yield started


@pytest.fixture
def fresh(tmp_path: Path, forks: Forks) -> Iterator[Machine]:
    """Start with nothing stored."""
    with YahooServer(tmp_path, GOOD) as yahoo:
        yield Machine(tmp_path, yahoo, forks=forks)


@pytest.fixture
def filled(fresh: Machine, _filled: Path) -> Machine:
    """Start with three tickers fetched up to 2024-03-08, and the client's cache of that day."""
    shutil.copytree(_filled / "home", fresh.home)
    shutil.copytree(_filled / "own", fresh.cache)
    return fresh


Warm = Callable[..., Ended]
Started = Callable[..., Fork]


@pytest.fixture(scope="session")
def warm_forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    modules = (*FETCHING, *TRAINING, *CLUSTER)
    with forks_of(tmp_path_factory.mktemp("warm"), *modules, prepared=CALENDARS) as started:
        yield started


@pytest.fixture
def at_terminal(warm_forks: Forks) -> At:
    """Run the program as a terminal does, in a fork that talks: it can be interrupted."""
    return partial(terminal.started, warm_forks)


@pytest.fixture
def started(warm_forks: Forks, home: Path) -> Started:
    """Start the program as `program` runs it, in a fork of a process that has imported all."""

    def call(*arguments: str, **environment: str) -> Fork:
        own = {name: value for name, value in os.environ.items() if name.startswith("STOCKLSTM_")}
        places = {**own, "STOCKLSTM_HOME": str(home), **environment}
        return warm_forks.start(PROGRAM, *arguments, environment=places)

    return call


@pytest.fixture
def warm_task(warm_forks: Forks) -> Warm:
    """Do a task of `tests.support.forks` in such a fork."""
    return warm_forks.run


@pytest.fixture
def warm(started: Started) -> Warm:
    """Run the program so, to its end."""
    return lambda *arguments, **environment: started(*arguments, **environment).wait()


@pytest.fixture
def reader_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the home directory of a reader whose machine has UTC, and lines of 80 characters."""
    place = tmp_path / "ana"
    started = place / ".venv" / "bin" / "stocklstm"
    started.parent.mkdir(parents=True)
    started.touch()
    monkeypatch.setattr(sys, "argv", [str(started)])
    # The language is that of the locale.
    monkeypatch.delenv("STOCKLSTM_LANG", raising=False)
    variables = {"HOME": str(place), "COLUMNS": "80", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    time.tzset()
    yield place
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(scope="session")
def _networks() -> "dict[str, TrainedNetwork]":
    return {}


@pytest.fixture
def trained_once(_networks: "dict[str, TrainedNetwork]", monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the network that a test before has trained by the same settings on the same prices."""
    from stocklstm.learn.loop import train_network
    from stocklstm.workflows.train import fit

    def train(
        config: "TrainingConfig",
        data: "TrainingData",
        on_epoch: Callable[..., None],
        **others: Any,
    ) -> "TrainedNetwork":
        prices = data.inputs.tobytes() + data.targets.tobytes()
        key = hashlib.sha256(prices + repr(config).encode()).hexdigest()
        if key not in _networks:
            _networks[key] = train_network(config, data, on_epoch, **others)
        return _networks[key]

    monkeypatch.setattr(fit, "train_network", train)
