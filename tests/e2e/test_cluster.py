"""Training on a real Dask cluster: what is trained here, whatever happens to its workers."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stocklstm.store.store import open_store
from tests.conftest import TINY_OPTIONS, Cli
from tests.e2e.conftest import Warm
from tests.support.dask_cluster import Cluster, cluster
from tests.support.forks import Forks
from tests.support.many_tickers import (
    SMALL,
    TICKERS,
    give_names,
    options,
    published,
    require_same_versions,
)
from tests.support.stored_rows import execute
from tests.support.terminal import At, counts_processes, interrupted

# Longer than anybody would wait.
ENDLESS = [*TINY_OPTIONS, "--epochs", "10000", "--patience", "none"]


@pytest.fixture(scope="module")
def running(warm_forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(warm_forks, tmp_path_factory.mktemp("cluster")) as found:
        yield found


def test_a_cluster_trains_what_this_machine_does(
    cli: Cli, warm: Warm, many_home: Path, running: Cluster
) -> None:
    tickers = [TICKERS[0], "NONE3.SA", *TICKERS[1:]]
    arguments = ["train", *options(tickers), *SMALL, "--top-k", "1", "--promote", "never"]
    arguments += ["--no-fetch", "--json"]

    here = cli(*arguments)
    there = warm(*arguments, "--scheduler", running.address)

    assert here.code == there.code == 4, there.err
    one, other = json.loads(here.out), json.loads(there.out)
    assert one["errors"] == other["errors"]
    assert [result["ticker"] for result in other["results"]] == list(TICKERS)
    for mine, theirs in zip(one["results"], other["results"], strict=True):
        assert mine["evaluation"] == theirs["evaluation"]
    assert published(many_home) == {ticker: [1, 2] for ticker in TICKERS}
    require_same_versions(many_home, 1, 2)
    assert list((many_home / "runs").iterdir()) == []


@counts_processes
def test_a_run_that_was_stopped_here_goes_on_there(
    at_terminal: At, cli: Cli, warm: Warm, many_home: Path, running: Cluster
) -> None:
    short = [*SMALL, "--epochs", "12", "--batch-size", "16", "--top-k", "2", "--patience", "none"]
    arguments = ["train", "-t", TICKERS[0], *short]
    with at_terminal(many_home, *arguments) as process:
        process.wait_for("epoch 3/")
        interrupted(process)

    resumed = warm("train", "--resume", "auto", "--scheduler", running.address, "--json")
    whole = cli(*arguments, "--json")

    assert resumed.code == 0, resumed.err
    (there,), (here,) = (json.loads(text)["results"] for text in (resumed.out, whole.out))
    assert there["resumed_from"].startswith(TICKERS[0])
    assert there["evaluation"] == here["evaluation"]
    with open_store(many_home) as store:
        assert store.runs.names() == []
        names = [store.registry.manifest(TICKERS[0], v).files.keys() for v in (1, 2)]
    assert names[0] == names[1]


POOLED = ["train", "--pooled", "--name", "all", *options(TICKERS), *SMALL, "--top-k", "1"]


def test_a_cluster_trains_a_pooled_model_as_this_machine_does(
    cli: Cli, warm: Warm, many_home: Path, running: Cluster
) -> None:
    arguments = [*POOLED, "-t", "NONE3.SA", "--no-fetch", "--promote", "never", "--json"]

    here = cli(*arguments)
    there = warm(*arguments, "--scheduler", running.address)

    assert here.code == there.code == 0, there.err
    assert "warning: NONE3.SA: left out: " in there.err
    (mine,), (theirs,) = (json.loads(text)["results"] for text in (here.out, there.out))
    for name in ("evaluation", "tickers", "left_out", "windows"):
        assert mine[name] == theirs[name]
    assert published(many_home) == {"+all": [1, 2]}
    require_same_versions(many_home, 1, 2, ["+all"])
    assert list((many_home / "runs").iterdir()) == []


@counts_processes
def test_a_pooled_run_that_was_stopped_here_goes_on_there(
    at_terminal: At, cli: Cli, warm: Warm, many_home: Path, running: Cluster
) -> None:
    longer = ["--epochs", "8", "--batch-size", "64", "--patience", "none", "--promote", "never"]
    with at_terminal(many_home, *POOLED, *longer) as process:
        process.wait_for("epoch 2/")
        interrupted(process)
    with open_store(many_home) as store:
        (run,) = store.runs.names()

    resumed = warm("train", "--resume", run, "--scheduler", running.address, "--quiet")
    whole = cli(*POOLED, *longer, "--quiet")

    assert (resumed.out, whole.out) == ("+all@v1\n", "+all@v2\n"), resumed.err
    require_same_versions(many_home, 1, 2, ["+all"])
    assert list((many_home / "runs").iterdir()) == []


@counts_processes
def test_ctrl_c_calls_the_workers_off(
    at_terminal: At, warm: Warm, many_home: Path, running: Cluster
) -> None:
    arguments = ["train", *options(TICKERS[:3]), *ENDLESS, "--scheduler", running.address]
    with at_terminal(many_home, "train", "-t", TICKERS[3], *SMALL, *arguments[-2:]) as process:
        process.communicate()
    assert process.returncode == 0
    give_names(many_home, ["FEWR3.SA"])
    execute(many_home, "DELETE FROM prices WHERE ticker = 'FEWR3.SA' AND date < '2024-01-02'")
    with at_terminal(many_home, *arguments, "-t", "FEWR3.SA") as process:
        # All others have been handed out by then.
        process.wait_for("FEWR3.SA: failed")
        out, err = interrupted(process)

    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert f"note: nothing is kept of {', '.join(TICKERS[:3])}; " in err
    assert not (many_home / "runs").exists()
    # Were they still at work, nobody would be free.
    after = warm("train", "-t", TICKERS[0], *SMALL, *arguments[-2:], "--quiet")
    assert after.out == f"{TICKERS[0]}@v1\n"
    assert published(many_home) == {TICKERS[0]: [1], TICKERS[3]: [1]}


def test_the_tickers_of_a_killed_worker_are_trained_once_by_another(
    warm_forks: Forks, at_terminal: At, many_home: Path, tmp_path: Path
) -> None:
    long = [*SMALL, "--epochs", "8", "--batch-size", "32", "--patience", "none"]
    with cluster(warm_forks, tmp_path) as doomed:
        arguments = ["train", *options(TICKERS), *long, "--scheduler", doomed.address]
        with at_terminal(many_home, *arguments) as process:
            process.wait_for("(1 of 4)")
            # Both are at work: there are three left.
            doomed.workers[0].kill()
            out, err = process.communicate()

    assert process.returncode == 0, err
    assert [ticker for ticker in TICKERS if f"Trained {ticker}@v1" not in out] == []
    assert published(many_home) == {ticker: [1] for ticker in TICKERS}


@pytest.mark.usefixtures("many_home")
def test_what_is_no_scheduler_is_said(cli: Cli, warm: Warm) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        silent = warm("train", "-t", TICKERS[0], "--scheduler", address, "--json")
    strange = cli("train", "-t", TICKERS[0], "--scheduler", "ftp://a:1", "--json")
    both = cli("train", "-t", TICKERS[0], "--scheduler", address, "--jobs", "2", "--json")

    assert [silent.code, strange.code, both.code] == [75, 2, 2]
    errors = [json.loads(out)["errors"][0] for out in (silent.out, strange.out, both.out)]
    assert [error["error"] for error in errors] == ["NetworkError", "ConfigError", "ConfigError"]
    assert all(error["hint"] for error in errors)
    assert "Traceback" not in silent.err + strange.err + both.err
