"""Walking forward as a person does it: what is said, what is drawn, and how it is stopped."""

import json
import re
import signal
from pathlib import Path

import pytest

from tests.conftest import TICKER, Cli
from tests.support.terminal import At, counts_processes, interrupted


@pytest.mark.usefixtures("model_home")
def test_the_cost_is_said_first_and_the_tables_hold_what_the_document_does(cli: Cli) -> None:
    arguments = ["evaluate", "--walk-forward", "30", "--refit-every", "20"]

    shown, document = cli(*arguments), json.loads(cli(*arguments, "--json").out)

    assert shown.code == 0
    first, *others = shown.err.splitlines()
    assert re.fullmatch(
        r"PETR4.SA@v1: 2 trainings on [\d,]+ to [\d,]+ windows, at most 2 epochs each, to forecast "
        r"2024-01-\d\d to 2024-03-13: about .+ at most",
        first,
    )
    # A line for each training on a terminal alone; elsewhere one a minute.
    assert others == []
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


@counts_processes
def test_a_signal_ends_every_process_and_stores_nothing(at_terminal: At, model_home: Path) -> None:
    arguments = ["--walk-forward", "60", "--refit-every", "2", "--jobs", "2"]
    with at_terminal(model_home, "evaluate", *arguments) as process:
        process.wait_for("2 of 30")
        out, err = interrupted(process, signal.SIGTERM)

    assert process.returncode == 143
    assert out == ""
    assert "Traceback" not in err
    assert "Warning" not in err
    assert "nothing is stored" in err
    assert not (model_home / "reports").exists()


@pytest.mark.usefixtures("model_home")
def test_no_width_loses_a_figure(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("quantize", "-t", TICKER, "--quiet").code in {0, 3}
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
