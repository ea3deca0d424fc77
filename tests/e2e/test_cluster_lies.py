"""A cluster whose workers lie, fail, or fall silent: nothing of theirs runs here, nobody waits."""

import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

import pytest
from distributed import Client, get_worker

from stocklstm.errors import (
    ArtifactCorruptError,
    ConfigError,
    NetworkError,
    StockLstmError,
    TrainingDivergedError,
    TryAgainError,
    UnexpectedError,
)
from stocklstm.learn import cluster as learn_cluster
from stocklstm.learn.cluster import DaskWorkers
from stocklstm.learn.stopping import ShouldStop, StoppedError, never
from stocklstm.learn.workers import Call, Completed
from stocklstm.workflows.environment import packages
from tests.support.dask_cluster import Cluster, cluster
from tests.support.forks import Forks


class Bomb:
    """Creates a file when it is unpickled in the process that is attacked."""

    def __init__(self, path: Path, process: int) -> None:
        self.arguments = path, process

    def __reduce__(self) -> tuple[object, tuple[Path, int]]:
        return go_off, self.arguments


def go_off(path: Path, process: int) -> None:
    if os.getpid() == process:
        path.touch()


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """Let this process talk to the cluster, as every test does to nobody else."""


@pytest.fixture(scope="module")
def running(warm_forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(warm_forks, tmp_path_factory.mktemp("cluster"), workers=1) as found:
        yield found


def run(running: Cluster, task: Callable[..., object], *arguments: object) -> Completed:
    (ended,) = DaskWorkers(running.address, packages).run(task, [Call(7, arguments)], never)
    assert ended.key == 7
    return ended


# What the worker does in the place of `run_task`.


class UnpicklableError(Exception):
    """Cannot travel."""

    def __reduce__(self) -> str:
        raise TypeError("it stays here")


def give(lie: str, mark: Path, here: int) -> Any:
    match lie:
        case "a program":
            return Bomb(mark, here)
        case "a program in a list":
            return [b"x", Bomb(mark, here)]
        case "an error with a program":
            raise ValueError(Bomb(mark, here))
        case "an error that cannot travel":
            raise UnpicklableError
        case "a warning with a program":
            said = pickle.dumps(Bomb(mark, here))
            get_worker().log_event("warn", {"message": said, "category": said})
            time.sleep(0.2)
            return b""
        case "words for the screen":
            get_worker().log_event("print", {"args": ("tomorrow: 100",)})
            time.sleep(0.2)
            return b""
        case _:
            return PLAIN[int(lie)]


PLAIN = (None, 7, "words", [b"x"], {"made": b"x"}, bytearray(b"x"), b"", b"\x80", b"\x90", b"\xc1")
LIES = [
    "a program",
    "a program in a list",
    "an error with a program",
    "an error that cannot travel",
    "a warning with a program",
    "words for the screen",
    *(str(number) for number in range(len(PLAIN))),
]


@pytest.mark.parametrize("lie", LIES)
def test_only_bytes_are_taken_from_a_worker(
    running: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    lie: str,
) -> None:
    mark, here = tmp_path / "executed", os.getpid()
    with monkeypatch.context() as patch:
        # The worker is handed this in the place of what it should do.
        patch.setattr(learn_cluster, "run_task", lambda *_: give(lie, mark, here))
        patch.setattr(learn_cluster.DaskWorkers, "_check", lambda *_: None)
        ended = run(running, len)

    assert ended.value is None
    assert isinstance(ended.error, ArtifactCorruptError)
    assert "worker of the cluster sent back is not read: " in ended.error.message
    assert not mark.exists()
    assert "tomorrow" not in capfd.readouterr().out


def fail(kind: str, _should_stop: ShouldStop) -> object:
    match kind:
        case "cannot travel":
            raise UnpicklableError("a reason\x1b[2J")
        case "no memory":
            raise MemoryError
        case "diverged":
            raise TrainingDivergedError("it diverged", hint="curl http://x | sh")
        case "no device":
            raise ConfigError("x" * 10_000)
        case _:
            return None


@pytest.mark.parametrize(
    ("kind", "expected", "words"),
    [
        (
            "cannot travel",
            UnexpectedError,
            "a worker of the cluster failed: UnpicklableError: a reason?",
        ),
        ("no memory", UnexpectedError, "a worker of the cluster failed: MemoryError"),
        ("diverged", TrainingDivergedError, "it diverged"),
        ("no device", ConfigError, "xxx"),
        ("nothing", ArtifactCorruptError, "it is nothing"),
    ],
)
def test_whatever_a_task_raises_comes_back_as_words(
    running: Cluster, kind: str, expected: type[StockLstmError], words: str
) -> None:
    error = run(running, fail, kind).error

    assert type(error) is expected
    assert words in error.message
    assert error.message.isprintable()
    assert len(error.message) <= 2000
    # What to do next is not for a worker to say.
    assert error.hint
    assert "curl" not in error.hint


@pytest.mark.parametrize("lie", ["a program", "an error with a program", "0", "1", "6", "9"])
def test_a_worker_that_lies_of_its_versions_is_refused(
    running: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    mark, here = tmp_path / "executed", os.getpid()
    monkeypatch.setattr(learn_cluster, "_told_versions", lambda _: give(lie, mark, here))

    with pytest.raises(ConfigError, match=r"versions|cannot run stocklstm"):
        run(running, len)

    assert not mark.exists()


def wait(begun: Path, end: Path, should_stop: ShouldStop) -> bytes:
    begun.touch()
    while not should_stop() and not end.exists():
        time.sleep(0.01)
    raise StoppedError


def forget(dask_scheduler: Any) -> None:
    for key in [key for key in dask_scheduler.tasks if key.startswith("stocklstm-")]:
        del dask_scheduler.tasks[key]


def ended_after(
    running: Cluster, tmp_path: Path, then: Callable[[], object]
) -> BaseException | None:
    """Give a worker what never ends, and do something once it is at work."""
    begun, end = tmp_path / "begun", tmp_path / "end"

    def wait_and_do() -> None:
        while not begun.exists():
            time.sleep(0.01)
        then()

    thread = threading.Thread(target=wait_and_do, daemon=True)
    thread.start()
    error = run(running, wait, begun, end).error
    thread.join()
    end.touch()
    return error


def test_what_the_scheduler_has_lost_is_given_up(
    running: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn_cluster, "_LOOK_S", 0.1)

    with Client(running.address, set_as_default=False) as other:
        error = ended_after(running, tmp_path, lambda: other.run_on_scheduler(forget))

    assert isinstance(error, TryAgainError)
    assert "the scheduler has lost it" in error.message


def test_a_scheduler_that_has_stopped_is_not_waited_for(
    running: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn_cluster, "_LOOK_S", 0.1)
    monkeypatch.setattr(learn_cluster, "_NO_WORKER_S", 0.5)
    monkeypatch.setattr(learn_cluster, "_CONNECT_S", 1.0)
    monkeypatch.setattr(learn_cluster, "_ANSWER_S", 1.0)

    try:
        error = ended_after(running, tmp_path, lambda: running.scheduler.kill(SIGSTOP))
    finally:
        running.scheduler.kill(SIGCONT)

    assert isinstance(error, NetworkError)
