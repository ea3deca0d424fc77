"""Searches that are killed or interrupted go on where they were; what is shown is whole."""

import json
import re
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from stocklstm.store.store import open_store
from tests.conftest import TICKER, TINY_OPTIONS, Cli, Outcome, Program
from tests.support.stored_rows import execute
from tests.support.terminal import At, counts_processes, interrupted

SMALLEST = [*TINY_OPTIONS, "--epochs", "1", "--hidden-size", "8", "--batch-size", "256"]
# Enough epochs for a signal to come in the middle of a trial.
LONG = [*TINY_OPTIONS, "--epochs", "12", "--patience", "none", "--batch-size", "64"]


@pytest.fixture
def short_home(priced_home: Path) -> Path:
    """Leave the last 600 prices, on which a trial takes a fraction of a second."""
    execute(
        priced_home,
        "DELETE FROM prices"
        " WHERE date NOT IN (SELECT date FROM prices ORDER BY date DESC LIMIT 600)",
    )
    return priced_home


def outcomes(home: Path, study: str) -> list[tuple[object, ...]]:
    with open_store(home) as store:
        return [
            (t.number, t.settings, t.status, t.loss, t.curve, t.kept_epoch, t.losses.tolist())
            for t in store.studies.trials(study)
        ]


def result_of(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 0, outcome.err
    (result,) = json.loads(outcome.out, parse_constant=pytest.fail)["results"]
    return result


def test_a_search_that_was_killed_ends_with_the_same_trials(
    at_terminal: At, cli: Cli, short_home: Path
) -> None:
    options = ["-t", TICKER, "--trials", "9", *LONG, "--epochs", "6"]
    with at_terminal(short_home, "tune", *options) as process:
        process.wait_for("trial 2 of")
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    with open_store(short_home) as store:
        (name,) = store.studies.unfinished()
    assert 2 <= len(outcomes(short_home, name)) < 9

    killed = result_of(cli("tune", "--resume", "auto", "-t", TICKER, "--json"))
    whole = result_of(cli("tune", *options, "--json"))

    assert killed["study"] == name
    assert killed["resumed"]
    assert len(whole["trials"]) == 9
    assert outcomes(short_home, killed["study"]) == outcomes(short_home, whole["study"])
    for key in ("improvement_pct", "p", "conclusion", "config", "command", "validation_days"):
        assert killed[key] == whole[key]


@counts_processes
@pytest.mark.parametrize(("jobs", "kind"), [("1", signal.SIGTERM), ("2", signal.SIGHUP)])
def test_a_signal_ends_every_process_and_says_how_to_go_on(
    at_terminal: At, cli: Cli, short_home: Path, program: Program, jobs: str, kind: signal.Signals
) -> None:
    with at_terminal(short_home, "tune", "-t", TICKER, "--jobs", jobs, *LONG) as process:
        process.wait_for("trial 2 of")
        out, err = interrupted(process, kind)

    assert process.returncode == 128 + kind
    assert out == ""
    assert "Traceback" not in err
    assert "Warning" not in err
    (command,) = re.findall(r"next: stocklstm (tune --resume \S+)$", err, re.MULTILINE)
    study = command.split()[-1]
    before = outcomes(short_home, study)
    assert len(before) >= 2

    # What it says works; settings, which the study has of its own, are refused.
    refused = cli(*command.split(), "--epochs", "3", "--json")
    assert refused.code == 2
    assert json.loads(refused.out)["errors"][0]["code"] == 2
    with open_store(short_home) as store, store.studies.locked(study):
        busy = program(*command.split(), "--json")
    assert busy.returncode == 75
    assert json.loads(busy.stdout)["errors"][0]["error"] == "StoreLockedError"
    assert outcomes(short_home, study) == before


def test_the_winner_is_published_with_the_loss_that_it_won_with(cli: Cli, short_home: Path) -> None:
    outcome = cli("tune", "-t", TICKER, "--trials", "3", "--publish", "--json", *SMALLEST)

    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out, parse_constant=pytest.fail)
    assert (document["schema_version"], document["command"]) == (1, "tune")
    assert document["errors"] == []
    (result,) = document["results"]
    published = result["published"]
    assert published["best_val_loss"] == result["best"]["val_loss"]
    assert published["kept_epoch"] == result["best"]["kept_epoch"]
    assert published["promoted"]
    with open_store(short_home) as store:
        manifest = store.registry.manifest(TICKER, published["version"])
    assert json.loads(json.dumps(asdict(manifest.config))) == result["config"]
    assert cli("predict", "-t", TICKER, "--quiet").code == 0


@pytest.mark.usefixtures("short_home")
def test_quiet_prints_the_command_or_the_version(cli: Cli) -> None:
    arguments = ["tune", "-t", TICKER, "--trials", "1", *SMALLEST, "--quiet"]

    assert cli(*arguments).out.startswith(f"stocklstm train --ticker {TICKER} --preset calibrated")
    assert cli(*arguments, "--publish").out == f"{TICKER}@v1\n"


def test_a_wrong_promotion_is_refused_before_the_search(cli: Cli, short_home: Path) -> None:
    outcome = cli("tune", "-t", TICKER, *SMALLEST, "--publish", "--promote", "magic")

    assert outcome.code == 2
    assert "--promote is one of" in outcome.err
    with open_store(short_home) as store:
        assert store.studies.unfinished() == []
        assert store.studies.connection.execute("SELECT * FROM trials").fetchall() == []


@pytest.mark.usefixtures("short_home")
@pytest.mark.parametrize(
    "arguments",
    [
        ("--sampler", "magic"),
        ("--trials", "0"),
        ("--jobs", "0"),
        ("--json", "--quiet"),
        ("--resume", "PETR4.SA-x", "--epochs", "3"),
        ("--resume", "PETR4.SA-x", "--sampler", "grid"),
        ("--resume", "PETR4.SA-x", "--trials", "3"),
        ("--schedule", "cosine", "--min-lr", "0.0005"),
    ],
)
def test_2_for_what_cannot_be_searched(cli: Cli, arguments: tuple[str, ...]) -> None:
    outcome = cli("tune", "-t", TICKER, *arguments)

    assert outcome.code == 2
    assert "Traceback" not in outcome.err


@pytest.mark.usefixtures("short_home")
def test_3_when_every_trial_diverges(cli: Cli) -> None:
    wild = ["--preset", "paper-short", "--scale-low", "-1e30", "--scale-high", "1e30"]

    outcome = cli("tune", "-t", TICKER, *SMALLEST, *wild, "--trials", "2")

    assert outcome.code == 3
    assert outcome.out == ""
    assert "none of 2 trials" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.usefixtures("short_home")
def test_no_width_loses_a_figure(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    study = json.loads(cli("tune", "-t", TICKER, "--trials", "4", *SMALLEST, "--json").out)
    (result,) = study["results"]
    figures = [
        *(f"{trial['val_loss']:.5f}" for trial in result["trials"]),
        *("best", "start", "".join(result["conclusion"].split())),
        *("".join(result["command"].split()), result["plot"]),
        f"{result['validation_days']}validationdays,notestday",
    ]

    for columns in ("40", "80"):
        monkeypatch.setenv("COLUMNS", columns)
        outcome = cli("tune", "--resume", result["study"])
        assert outcome.code == 0, outcome.err
        # The path of the picture is in a line of its own, whole.
        *lines, picture = outcome.out.splitlines()
        assert picture == f"Picture: {result['plot']}"
        assert max(map(len, lines)) <= int(columns)
        assert "…" not in outcome.out
        joined = "".join(outcome.out.split())
        assert [figure for figure in figures if figure not in joined] == []
