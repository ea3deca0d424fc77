"""A process that may have few files open: nothing is lost, and it says what is wanting."""

import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TICKER, TINY_OPTIONS
from tests.support.forks import Ended, program
from tests.support.store_contents import contents, lost

TASK = "tests.e2e.test_few_files:with_few_files"

COMMANDS = [
    ["predict", TICKER, "--plot-file", "{place}/chart.png"],
    ["models", "export", TICKER, "--output", "{place}/bundle.zip"],
    ["prices", "export", TICKER, "--out", "{place}/prices.csv"],
    ["fetch", TICKER, "--source", "sample", "--full"],
    ["train", TICKER, *TINY_OPTIONS, "--promote", "never"],
    ["quantize", TICKER],
    ["config", "show"],
]


def with_few_files(most: int, *arguments: str) -> int:
    """Run a command line in this process, which is a fork."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return program(*arguments)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_too_few_files(
    command: list[str], warm_task: Callable[..., Ended], model_home: Path, tmp_path: Path
) -> None:
    words = [word.format(place=tmp_path) for word in command]
    before = contents(model_home)
    for most in (6, 8, 12):
        home = tmp_path / f"{most}"
        shutil.copytree(model_home, home)
        ended = warm_task(TASK, most, *words, environment={"STOCKLSTM_HOME": str(home)})

        assert ended.code in {0, 75}, ended.err
        if ended.code:
            assert "oo many" in ended.err
            assert "ulimit -n 4096" in ended.err
            assert "Traceback" not in ended.err
            assert lost(before, contents(home)) == []
