"""Walking forward as a person does it: what is said, what is drawn, and how it is stopped."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import TICKER, Cli
from tests.e2e.test_tune import alive, wait_for


def test_the_cost_is_said_first_and_the_tables_hold_what_the_document_does(
    cli: Cli, model_home: Path
) -> None:
    arguments = ["evaluate", "--walk-forward", "30", "--refit-every", "20"]

    shown, document = cli(*arguments), json.loads(cli(*arguments, "--json").out)

    assert model_home.is_dir()
    assert shown.code == 0
    first, *others = shown.err.splitlines()
    assert re.fullmatch(
        r"PETR4.SA@v1: 2 trainings on [\d,]+ to [\d,]+ windows, at most 2 epochs each, to forecast "
        r"2024-01-\d\d to 2024-03-13: about .+ at most",
        first,
    )
    assert [line.partition(":")[2].split(":")[0] for line in others] == [" 1 of 2", " 2 of 2"]
    (walk,) = document["walks"]
    for figure in (
        *(f"{fold['rmse_ratio']:.4f}" for fold in walk["folds"]),
        *(f"{fold['crps_ratio']:.4f}" for fold in walk["folds"]),
        *(fold["last"] for fold in walk["folds"]),
        f"{walk['distribution']['crps_ratio']:.4f}",
        walk["verdict_text"],
        walk["report"],
    ):
        assert figure in shown.out
    assert cli(*arguments, "--quiet").out == f"{TICKER}@v1 {walk['verdict']}\n"
    assert walk["report"] in cli("models", "show", TICKER).out


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="counts the processes of Linux")
def test_ctrl_c_ends_every_process_and_stores_nothing(model_home: Path) -> None:
    arguments = ["--walk-forward", "60", "--refit-every", "2", "--jobs", "2"]
    with subprocess.Popen(
        [sys.executable, "-m", "stocklstm", "evaluate", *arguments],
        env={**os.environ, "STOCKLSTM_HOME": str(model_home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whoever runs the tests may have told this process to ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:
        wait_for(process, "2 of 30")
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        # Those that look after the others end when they notice that it is gone.
        for _ in range(1000):
            if not (left := alive(process.pid)):
                break
            time.sleep(0.01)
        assert left == []

    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert "Warning" not in err
    assert "nothing is stored" in err
    assert not (model_home / "reports").exists()


def test_no_width_loses_a_figure(
    cli: Cli, model_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("quantize", "-t", TICKER, "--quiet").code in {0, 3}
    assert model_home.is_dir()
    rows = json.loads(cli("evaluate", "--all", "--json").out)["league"]
    compare = ["evaluate", "--compare", f"{TICKER}@v1", f"{TICKER}@v2"]
    pair = json.loads(cli(*compare, "--json").out)["comparison"]
    league = [f"{row[key]:.4f}" for row in rows for key in ("crps_ratio", "rmse_ratio")]
    league += [f"{100 * share:.1f}%" for row in rows for share in row["coverage"].values()]
    figures = [f"{one[key]:.4f}" for one in pair for key in ("crps", "rmse", "crps_ratio")]
    figures.append("".join(pair[1]["result_text"].split()))

    for columns in ("40", "80"):
        monkeypatch.setenv("COLUMNS", columns)
        for arguments, wanted in ((["evaluate", "--all"], league), (compare, figures)):
            outcome = cli(*arguments)
            assert outcome.code == 0, outcome.err
            assert max(map(len, outcome.out.splitlines())) <= int(columns)
            joined = "".join(outcome.out.split())
            assert [figure for figure in wanted if figure not in joined] == []
