"""Many tickers at once: as one after the other, whatever ends a process, and stopped in order."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stocklstm.store.store import open_store
from tests.conftest import TINY_OPTIONS, Cli
from tests.support.cotahist import Quote, cotahist
from tests.support.many_tickers import SMALL, TICKERS, options, published, require_same_versions
from tests.support.terminal import (
    At,
    alive,
    counts_processes,
    interrupted,
)

# Enough epochs for a signal to come in the middle of all trainings, though one process may be at
# work well before the other.
LONG = [*TINY_OPTIONS, "--hidden-size", "8", "--epochs", "80", "--patience", "none"]


def wait_until(condition: Callable[[], object]) -> None:
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never came true")


def test_several_processes_train_what_one_does(cli: Cli, many_home: Path) -> None:
    tickers = [TICKERS[0], "NONE3.SA", *TICKERS[1:], "a b", TICKERS[0].lower()]
    arguments = ["train", *options(tickers), *SMALL, "--promote", "never", "--json", "--no-fetch"]

    alone = cli(*arguments)
    together = cli(*arguments, "--jobs", "2")

    # Where nobody looks on none is drawn.
    drawn = {path.parent.name for path in (many_home / "reports").rglob("*.png")}
    assert drawn == {"v1"}

    assert alone.code == together.code == 4
    one, other = json.loads(alone.out), json.loads(together.out)
    assert one["errors"] == other["errors"]
    assert [error["ticker"] for error in other["errors"]] == ["NONE3.SA", None]
    assert [result["ticker"] for result in other["results"]] == list(TICKERS)
    assert published(many_home) == {ticker: [1, 2] for ticker in TICKERS}
    require_same_versions(many_home, 1, 2)
    with open_store(many_home) as store:
        assert store.runs.names() == []


@counts_processes
def test_a_signal_to_all_stops_all_and_all_go_on(
    at_terminal: At, cli: Cli, many_home: Path
) -> None:
    arguments = ["train", *options(TICKERS[:3]), *LONG, "--jobs", "2"]
    runs = many_home / "runs"
    with at_terminal(many_home, *arguments) as process:
        wait_until(lambda: len(list(runs.glob("*/state.pth"))) == 2)
        out, err = interrupted(process, signal.SIGTERM)

    assert process.returncode == 143
    assert out == ""
    assert "Traceback" not in err
    assert "next: stocklstm train --resume auto --jobs 2\n" in err
    assert f"note: nothing is kept of {TICKERS[2]}; " in err
    assert len(list(runs.iterdir())) == len(list(runs.glob("*/state.pth"))) == 2
    assert published(many_home) == {}

    whole = cli("train", *options(TICKERS[:2]), *LONG, "--json")
    resumed = cli("train", "--resume", "auto", "--jobs", "2", "--json")

    assert (whole.code, resumed.code) == (0, 0), resumed.err
    for one, other in zip(*(json.loads(o.out)["results"] for o in (whole, resumed)), strict=True):
        assert other["resumed_from"].startswith(one["ticker"])
        assert one["evaluation"] == other["evaluation"]
        assert one["best_val_loss"] == other["best_val_loss"]
    assert list(runs.iterdir()) == []


@counts_processes
def test_a_killed_worker_loses_nothing(at_terminal: At, many_home: Path) -> None:
    arguments = ["train", *options(TICKERS), *LONG, "--epochs", "5", "--jobs", "2", "--quiet"]
    with at_terminal(many_home, *arguments) as process:
        wait_until(lambda: list(many_home.glob("runs/*/state.pth")))
        os.kill(trainers(process.pid)[0], signal.SIGKILL)
        out, err = process.communicate()

    assert process.returncode == 0, err
    assert out == "".join(f"{ticker}@v1\n" for ticker in TICKERS)
    assert published(many_home) == {ticker: [1] for ticker in TICKERS}
    assert list((many_home / "runs").iterdir()) == []


@counts_processes
def test_who_is_killed_leaves_nobody_at_work(at_terminal: At, cli: Cli, many_home: Path) -> None:
    with at_terminal(many_home, "train", *options(TICKERS), *LONG, "--jobs", "2") as process:
        wait_until(lambda: len(list(many_home.glob("runs/*/state.pth"))) == 2)
        process.kill()
        process.communicate()
        # Whoever trains ends with the step under way; idle processes end a little later.
        wait_until(lambda: not trainers(process.pid))

    assert published(many_home) == {}
    resumed = cli("train", "--resume", "auto", "--quiet")
    assert resumed.code == 0, resumed.err
    assert len(resumed.out.splitlines()) >= 2


def trainers(group: int) -> list[int]:
    """Find the processes that train: those that hand out and look after others do not."""
    return sorted(process for process, command in alive(group).items() if "popen_loky" in command)


@pytest.mark.parametrize("jobs", ["0", "257"])
def test_2_for_a_number_of_processes_that_cannot_be(cli: Cli, many_home: Path, jobs: str) -> None:
    outcome = cli("train", "-t", TICKERS[0], "--jobs", jobs)

    assert outcome.code == 2
    assert "--jobs must be from 1 to 256" in outcome.err
    assert published(many_home) == {}


@counts_processes
def test_ctrl_c_ends_the_reading_of_files(at_terminal: At, home: Path, tmp_path: Path) -> None:
    whole, never = tmp_path / "COTAHIST_A2023.TXT", tmp_path / "COTAHIST_A2024.TXT"
    whole.write_bytes(cotahist([Quote("2023-03-13", "PETR4", 26, 27, 25, 26)]))
    # Who opens it waits for somebody who writes.
    os.mkfifo(never)
    arguments = ["fetch", "--source", "b3", "--file", f"{whole}", "--file", f"{never}"]
    with at_terminal(home, *arguments, "--jobs", "2") as process:
        process.wait_for("COTAHIST_A2023.TXT: read, 1 of 2")
        out, err = interrupted(process)

    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert not home.exists()
