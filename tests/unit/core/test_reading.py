"""Pipes that users name: filled at once, later, by nobody."""

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stocklstm.core import reading
from stocklstm.core.reading import open_to_read
from tests.conftest import Cli


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def meanwhile(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_pipe_gives_what_is_written_to_it(pipe: Path) -> None:
    writer = meanwhile(lambda: pipe.write_bytes(b"epochs = 3\n" * 20_000) and None)
    with open_to_read(pipe) as file:
        assert len(file.read()) == 220_000
    writer.join()


def test_who_has_it_open_may_take_any_time(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PATIENCE_S", 0.0)

    def write() -> None:
        with os.fdopen(begun, "wb") as file:
            time.sleep(0.1)
            file.write(b"late")

    # As the shell opens the pipe of <(…) before it starts who reads.
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    begun = os.open(pipe, os.O_WRONLY)
    os.close(reader)
    writer = meanwhile(write)
    with open_to_read(pipe) as file:
        assert file.read() == b"late"
    writer.join()


def test_nobody_waits_for_ever_for_nobody(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PATIENCE_S", 0.01)
    before = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(OSError, match="nobody writes to it") as caught:
        open_to_read(pipe)

    assert caught.value.errno == errno.ETIMEDOUT
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["config", "show", "--config"], 2),
        (["predict", "--tickers-file"], 4),
        (["fetch", "PETR4.SA", "--file"], 4),
        (["fetch", "PETR4.SA", "--source", "b3", "--file"], 4),
        (["models", "import"], 4),
    ],
)
def test_every_command_says_so(
    cli: Cli, pipe: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int
) -> None:
    monkeypatch.setattr(reading, "PATIENCE_S", 0.01)

    outcome = cli(*words, str(pipe))

    assert outcome.code == code
    assert "next: " in outcome.err
