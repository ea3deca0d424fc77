"""A signal ends training after the step under way, and says how to go on; all else it ends at once.

Processes of `--jobs`, searches and servers: test_jobs.py, test_tune.py, tests/api/test_life.py.
"""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stocklstm.core.exits import STOP_SIGNALS
from stocklstm.store.store import open_store
from tests.conftest import TICKER, TINY_OPTIONS, Cli
from tests.e2e.conftest import Started
from tests.support.store_contents import contents

# Enough epochs for the signal to come long before the last.
OPTIONS = [*TINY_OPTIONS, "--epochs", "4000", "--patience", "none"]


def wait_until(condition: Callable[[], object]) -> None:
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never came true")


@pytest.mark.parametrize("mode", [(), ("--json",)], ids=["", "json"])
@pytest.mark.parametrize("kind", STOP_SIGNALS)
def test_training_keeps_its_state_and_names_the_next_command(
    priced_home: Path, cli: Cli, started: Started, kind: signal.Signals, mode: tuple[str, ...]
) -> None:
    running = started("train", "-t", TICKER, *OPTIONS, *mode)
    wait_until(lambda: list(priced_home.glob("runs/*/state.pth")))
    os.kill(running.pid, kind)
    if kind == signal.SIGHUP:
        # As where a terminal is closed: by its shell, and by the system.
        os.kill(running.pid, kind)
    ended = running.wait()

    assert ended.code == 128 + kind
    assert "Traceback" not in ended.err
    (command,) = re.findall(r"next: stocklstm (train --resume \S+)$", ended.err, re.MULTILINE)
    state = priced_home / "runs" / command.split()[-1] / "state.pth"
    if mode:
        document = json.loads(ended.out)
        assert (document["command"], document["results"]) == ("train", [])
        (error,) = document["errors"]
        assert (error["code"], error["hint"]) == (128 + kind, f"stocklstm {command}")
    else:
        assert ended.out == ""

    # What it says works; a second stop, at once, leaves what was kept.
    before = state.read_bytes()
    refused = cli(*command.split(), "--epochs", "3", "--json")
    assert refused.code == 2
    assert json.loads(refused.out)["errors"][0]["code"] == 2
    assert state.read_bytes() == before


@pytest.mark.parametrize("kind", STOP_SIGNALS)
def test_whatever_else_waits_ends_at_once_and_changes_nothing(
    model_home: Path, started: Started, kind: signal.Signals
) -> None:
    before = contents(model_home)
    with open_store(model_home) as store, store.writing("evening"):
        running = started("evening", "--lock-timeout", "3600", "--json")
        # It looks for the lock as soon as it has opened the store.
        wait_until((model_home / "locks/evening.lock").exists)
        time.sleep(0.2)
        os.kill(running.pid, kind)
        ended = running.wait()

    assert ended.code == 128 + kind
    assert "Traceback" not in ended.err
    (error,) = json.loads(ended.out)["errors"]
    assert (error["ticker"], error["code"], error["hint"]) == (None, 128 + kind, "run it again")
    assert contents(model_home) == before
