"""Streams that the shell closed, or behind which there is a full disk or nobody."""

import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from stocklstm.__main__ import _prepare_streams
from tests.support.forks import Forks, forks_of
from tests.support.streams import CLOSED, FILE, FULL, GONE

TASK = "tests.support.streams:run_with"


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    folder = tmp_path_factory.mktemp("light")
    with forks_of(folder, "stocklstm.cli.app", "stocklstm.cli.tables") as started:
        yield started


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["models", "nope"], 2),
        (["predict", "--nope"], 2),
        (["models"], 2),
        (["forecasts"], 4),
        (["train", "--help"], 0),
        (["config", "path", "--json"], 0),
    ],
)
def test_what_nobody_hears_changes_no_exit_code(
    light: Forks, home: Path, words: list[str], code: int
) -> None:
    codes = {
        streams: light.run(TASK, words, streams, environment={"STOCKLSTM_HOME": str(home)}).code
        for streams in itertools.product([CLOSED], [CLOSED, FILE], [CLOSED, FULL, GONE])
    }

    assert codes == dict.fromkeys(codes, code)
    assert not home.exists()


@pytest.mark.parametrize("err", [CLOSED, FULL, GONE, FILE])
def test_a_result_that_cannot_be_written_is_an_error(light: Forks, err: str) -> None:
    ended = light.run(TASK, ["config", "path"], (CLOSED, FULL, err))

    assert ended.code == 75


def open_after_streams() -> int:
    """Close all, as a shell can, and open a file."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        setattr(sys, name, None)
        with suppress(OSError):
            os.close(descriptor)
    _prepare_streams()
    return os.open(os.devnull, os.O_RDONLY)


def test_no_file_takes_the_place_of_a_stream(light: Forks) -> None:
    assert light.run("tests.e2e.test_streams:open_after_streams").code > 2
