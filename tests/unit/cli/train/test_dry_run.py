"""What a person and a script see of train --dry-run."""

import json
from pathlib import Path

import pytest
import torch

from stocklstm.cli.output import Mode, show
from stocklstm.cli.train.dry_run import VIEW
from stocklstm.core.batch import Batch
from stocklstm.workflows.train.dry_run import PlannedNetwork, PlannedPart, PlannedTraining
from tests.conftest import TICKER, TINY_OPTIONS, Cli

DRY = ("train", "--ticker", TICKER, "--dry-run", *TINY_OPTIONS)

PLANNED = PlannedTraining(
    ticker=TICKER,
    preset="calibrated",
    network=PlannedNetwork(inputs=2, hidden=50, layers=1, outputs=15),
    parameters=11565,
    rows=3514,
    first="2010-01-04",
    last="2024-03-13",
    parts=(
        PlannedPart("train", 2332, "2010-05-04", "2019-10-03"),
        PlannedPart("validation", 412, "2019-10-07", "2021-06-09"),
        PlannedPart("calibration", 0, None, None),
        PlannedPart("test", 687, "2021-06-11", "2024-03-13"),
    ),
    steps_per_epoch=73,
    epochs=40,
    steps=2920,
    patience=6,
    start=None,
    device="cpu",
    skipped_devices=(),
    seconds_per_step=0.009,
    seconds_per_validation=0.03,
    seconds=27.4,
)

TABLE = """\
What training PETR4.SA would do
  preset       calibrated
  network      2 inputs, 1 layer of 50 units, 15 outputs
  parameters   11,565
  begins with  random weights
  prices       3,514 sessions, 2010-01-04 to 2024-03-13
  train        2,332 windows, forecasting 2010-05-04 to 2019-10-03
  validation   412 windows, forecasting 2019-10-07 to 2021-06-09
  calibration  no windows
  test         687 windows, forecasting 2021-06-11 to 2024-03-13
  epochs       at most 40
  steps        73 an epoch, at most 2,920
  device       cpu
  time         about 27 s at most; early stopping may make it less
"""


def test_into_a_pipe_the_whole_table_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    show(VIEW, Batch((PLANNED,)), Mode.HUMAN)

    assert capfd.readouterr().out == TABLE


@pytest.mark.parametrize("columns", ["20", "40", "60", "80", "200"])
def test_no_width_loses_a_figure(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    show(VIEW, Batch((PLANNED,)), Mode.HUMAN)

    out = capfd.readouterr().out

    assert max(map(len, out.splitlines())) <= int(columns)
    if int(columns) >= 80:
        assert out == TABLE
    joined = "".join(out.split())
    for words in TABLE.split():
        assert words in joined


def test_a_plan_is_shown_and_nothing_is_stored(cli: Cli, priced_home: Path) -> None:
    before = sorted(priced_home.rglob("*"))

    outcome = cli(*DRY)

    assert (outcome.code, outcome.err) == (0, "")
    assert "2 inputs, 1 layer of 16 units, 15 outputs" in outcome.out
    assert "early stopping may make it less" in outcome.out
    assert "early stopping" not in cli(*DRY, "--patience", "none").out
    assert sorted(priced_home.rglob("*")) == before


@pytest.mark.usefixtures("priced_home")
def test_a_device_that_trains_wrongly_is_refused_or_skipped(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "__version__", "2.13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    wrong = (
        "the LSTM's gradients ignore the dropout between layers "
        "(pytorch#190056, fixed in PyTorch 2.14)"
    )

    asked = cli(*DRY, "--device", "auto")
    (plan,) = json.loads(cli(*DRY, "--device", "auto", "--json").out)["plans"]

    assert (asked.code, asked.err) == (0, "")
    assert f"device cpu skipped mps: {wrong} time" in " ".join(asked.out.split())
    assert (plan["device"], plan["skipped_devices"]) == ("cpu", [f"mps: {wrong}"])
    for command in (DRY, tuple(each for each in DRY if each != "--dry-run")):
        refused = cli(*command, "--device", "mps")
        assert (refused.code, refused.out) == (2, "")
        assert refused.err == (
            f"error: {TICKER}: PyTorch 2.13.0 trains wrongly on mps: {wrong}\n"
            "  next: train with --device cpu\n"
        )


@pytest.mark.usefixtures("priced_home")
def test_quiet_writes_the_number_of_parameters(cli: Cli) -> None:
    assert cli(*DRY, "--quiet").out == f"{4 * 16 * (2 + 16 + 2) + 15 * (16 + 1)}\n"


@pytest.mark.parametrize(
    ("code", "arguments", "words"),
    [
        (2, ("--resume", "auto"), "leave --resume out"),
        (2, ("--promote", "maybe"), "--promote is one of"),
        (2, ("--epochs", "0"), "epochs must be"),
        (2, ("--precision", "16-mixed"), "16-mixed needs a GPU"),
        (3, ("--preset", "paper-short", "--learning-rate", "1e30"), "diverged"),
        (4, ("--ticker", "NOPE3.SA"), "NOPE3.SA"),
        (4, ("--from", TICKER), "there is no model"),
        (6, ("--seq-length", "3400"), "need at least"),
    ],
)
def test_the_codes_are_those_of_a_training(
    cli: Cli, priced_home: Path, code: int, arguments: tuple[str, ...], words: str
) -> None:
    before = sorted(priced_home.rglob("*"))

    outcome = cli(*DRY, *arguments)

    assert outcome.code == code
    assert words in outcome.err
    assert "Traceback" not in outcome.err
    assert sorted(priced_home.rglob("*")) == before


@pytest.mark.usefixtures("priced_home")
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_device_that_is_not_there(cli: Cli) -> None:
    outcome = cli(*DRY, "--device", "cuda", "--json")

    assert outcome.code == 2
    document = json.loads(outcome.out)
    assert document["plans"] == []
    assert "no device 'cuda'" in document["errors"][0]["message"]
