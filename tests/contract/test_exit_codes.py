"""Every error class has the documented exit code, and each code is met through `main`."""

import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stocklstm import errors
from stocklstm.client import Client
from stocklstm.core.exits import MEANINGS, ExitCode, exit_code, help_text, worst
from stocklstm.store.manifest_migrations import FORMAT
from tests.conftest import TICKER, TINY_OPTIONS, Cli
from tests.support.stored_rows import execute
from tests.support.tampering import flip_bit, replace_manifest

DOCUMENTED = {
    errors.ConfigError: 2,
    errors.MissingPackageError: 2,
    errors.CheckFailedError: 3,
    errors.TrainingDivergedError: 3,
    errors.NotFoundError: 4,
    errors.UnknownTickerError: 4,
    errors.NoPricesError: 4,
    errors.NoModelError: 4,
    errors.IntegrityError: 5,
    errors.ArtifactCorruptError: 5,
    errors.ArtifactVersionError: 5,
    errors.SchemaError: 5,
    errors.LostDatabaseError: 5,
    errors.NotEnoughDataError: 6,
    errors.SeriesTooShortError: 6,
    errors.StaleDataError: 6,
    errors.RejectedDataError: 6,
    errors.UnexpectedError: 1,
    errors.TryAgainError: 75,
    errors.StorageError: 75,
    errors.StoreLockedError: 75,
    errors.NetworkError: 75,
    errors.RateLimitedError: 75,
}


def subclasses(kind: type[errors.StockLstmError]) -> set[type[errors.StockLstmError]]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


def test_every_error_class_is_documented_here() -> None:
    own = {k for k in subclasses(errors.StockLstmError) if k.__module__ == errors.__name__}

    assert own - {errors.StockLstmError} == DOCUMENTED.keys()


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "--horizon", "0"),
        ("predict", "--horizon", "5-1"),
        ("evaluate", "--horizons", "1,1"),
        ("evaluate", "--horizons", "1-5", "--all"),
        ("predict", "--append"),
        ("predict", "--out", "forecasts.xlsx"),
        ("evening", "--csv", "-"),
        ("evening", "--log", "log", "--json"),
        ("schedule", "--for", "launchd"),
        ("schedule", "--append"),
        ("schedule", "PETR4.SA", "--at", "17:00"),
        ("forecasts", "--since", "yesterday"),
        ("evaluate", "--live", "--last", "0"),
        ("train", "-t", "PETR4.SA", "--promote", "perhaps"),
        ("train", "--dry-run"),
        ("train", "--all", "--preset", "paper"),
        ("train",),
        ("train", "-t", "PETR4.SA", "--jobs", "0"),
        ("train", "-t", "PETR4.SA", "--resume", "auto", "--from", "PETR4.SA"),
        ("train", "--pooled", "--name", "b3", "-t", "PETR4.SA"),
        ("train", "--pooled", "-t", "PETR4.SA", "-t", "VALE3.SA"),
        ("tune",),
        ("tune", "-t", "PETR4.SA", "--sampler", "magic"),
        ("quantize",),
        ("models", "show", "PETR4.SA@v0"),
        ("models", "promote", "PETR4.SA", "--as", "previous"),
        ("models", "promote", "PETR4.SA@v1", "--reason", "x" * 400),
        ("models", "rollback", ".."),
        ("models", "unalias", "PETR4.SA@champion"),
        ("models", "export", "PETR4.SA@v0"),
        ("models", "sign"),
        ("prices", "export"),
        ("prices", "rename", "VIIA3.SA", "../x"),
        ("prices", "rename", "VIIA3.SA", "viia3.sa"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_said_before_a_store_is_looked_for(
    cli: Cli, home: Path, words: tuple[str, ...]
) -> None:
    outcome = cli(*words)

    assert outcome.code == 2
    assert "no store" not in outcome.err
    assert not home.exists()


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_each_class_leaves_through_main_with_its_code(
    kind: type[errors.StockLstmError], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"needed": 2, "found": 1} if kind is errors.SeriesTooShortError else {}
    error = kind("what happened", hint="the next command", **extra)

    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(Client, "predict", fail)
    human, machine = cli("predict"), cli("predict", "--json")

    assert exit_code(error) == human.code == machine.code == DOCUMENTED[kind]
    assert human.out == ""
    assert human.err == "error: what happened\n  next: the next command\n"
    assert json.loads(machine.out)["errors"] == [
        {
            "ticker": None,
            "code": DOCUMENTED[kind],
            "error": kind.__name__,
            "message": "what happened",
            "hint": "the next command",
        }
    ]


def test_the_worst_code_stands_for_all() -> None:
    assert worst([]) is ExitCode.OK
    assert worst([ExitCode.TRY_AGAIN, ExitCode.INTEGRITY, ExitCode.NOT_FOUND]) is ExitCode.INTEGRITY
    assert worst([ExitCode.OK, ExitCode.TRY_AGAIN]) is ExitCode.TRY_AGAIN


def test_every_code_is_in_help(cli: Cli) -> None:
    shown = " ".join(cli("--help").out.split())

    assert help_text() in shown
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.usefixtures("model_home")
def test_0_when_all_is_well(cli: Cli) -> None:
    assert cli("predict").code == 0


BUGGY = """
import sys
import stocklstm.workflows.predict.predict as module
from stocklstm.__main__ import main

right = module._Run._draft

def draft(run, reference):
    if reference.version == 1:
        return 1 / 0
    return right(run, reference)

module._Run._draft = draft
sys.argv = ["stocklstm", "predict", "--json", "-t", "PETR4.SA@v1", "-t", "PETR4.SA"]
main()
"""


@pytest.mark.usefixtures("model_home")
def test_1_for_a_bug_with_a_traceback_and_the_other_results() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUGGY], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError: division by zero" in done.stderr
    document = json.loads(done.stdout)
    assert [forecast["ticker"] for forecast in document["forecasts"]] == [TICKER]
    assert [(e["ticker"], e["code"]) for e in document["errors"]] == [(TICKER, 1)]


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("predict", "--nonsense"),
        ("predict", "--json", "--quiet"),
        ("predict", "--json", "--csv", "-"),
        ("predict", "--quiet", "--csv", "-"),
        ("predict", "--max-age", "-1"),
        ("predict", "--ticker", "../../etc/passwd"),
        ("predict", "--ticker", "PETR4.SA@Nope!"),
        ("predict", "--lock-timeout", "-1"),
        ("predict", "--lock-timeout", "nan"),
        ("train", "--ticker", TICKER, "--threads", "100000"),
        ("train", "--ticker", TICKER, "--hidden-size", "100000000"),
        ("train", "--ticker", TICKER, "--preset", "magic"),
        ("train", "--ticker", TICKER, "--epochs", "0"),
        ("train", "--ticker", TICKER, "--dropout", "1.5"),
        ("train", "--ticker", TICKER, "--learning-rate", "nan"),
        ("train",),
        ("fetch", "--ticker", TICKER, "--source", "magic"),
        ("fetch", "--ticker", TICKER, "--source", "csv"),
        ("fetch", "--ticker", "x" * 1_000_000, "--source", "sample"),
        ("quantize", "--ticker", TICKER, "--method", "magic"),
        ("quantize", "--ticker", TICKER, "--method", "prune", "--schedule", "once"),
        ("evaluate", "--walk-forward", "0"),
        ("evaluate", "--walk-forward", "30", "--refit-every", "0"),
        ("evaluate", "--walk-forward", "30", "--embargo", "-1"),
        ("evaluate", "--walk-forward", "30", "--jobs", "0"),
        ("evaluate", "--walk-forward", "30", "--all"),
        ("evaluate", "--walk-forward", "30", "--compare", f"{TICKER}@v1"),
        ("evaluate", "--compare", "--all"),
        ("evaluate", "--compare", f"{TICKER}@v1"),
        ("evaluate", "--refit-every", "5"),
        ("evaluate", "--all", "--jobs", "2"),
    ],
)
def test_2_for_usage_and_configuration(cli: Cli, arguments: tuple[str, ...]) -> None:
    outcome = cli(*arguments)

    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert len(outcome.err) < 2000


@pytest.mark.parametrize("preset", ["calibrated", "paper", "paper-short"])
@pytest.mark.parametrize("rate", ["1e3", "1e30"])
def test_3_when_training_diverges(cli: Cli, priced_home: Path, preset: str, rate: str) -> None:
    arguments = ["--preset", preset, *TINY_OPTIONS, "--learning-rate", rate]

    outcome = cli("train", "--ticker", TICKER, *arguments)

    assert not (priced_home / "models" / TICKER / "v1").exists()
    assert not list((priced_home / "runs").iterdir())
    assert outcome.code == 3
    assert "diverged" in outcome.err


def test_4_for_what_is_not_there(cli: Cli, model_home: Path) -> None:
    assert cli("predict", "--ticker", "NOPE3.SA").code == 4
    assert cli("predict", "--ticker", f"{TICKER}@v7").code == 4
    assert cli("train", "--ticker", "NOPE3.SA", "--no-fetch").code == 4
    assert cli("train", "--ticker", "NOPE3.SA", "--dry-run").code == 4
    assert cli("tune", "--ticker", "NOPE3.SA", "--no-fetch").code == 4
    assert cli("fetch", "--ticker", "VALE3.SA", "--source", "sample").code == 4
    assert cli("models", "show", "NOPE3.SA").code == 4
    for file in model_home.glob("stocklstm.db*"):
        file.unlink()
    assert cli("predict").code == 5
    shutil.rmtree(model_home / "models")
    assert cli("predict").code == 4


@pytest.mark.parametrize("command", ["predict", "evaluate", "quantize", "validate"])
def test_5_for_a_damaged_model(cli: Cli, model_home: Path, command: str) -> None:
    flip_bit(model_home / "models" / TICKER / "v1" / "model.onnx", 0.5)

    outcome = cli(command, "--ticker", TICKER)

    assert outcome.code == 5
    assert "sha256" in outcome.err + outcome.out


def test_5_for_a_damaged_database(cli: Cli, model_home: Path) -> None:
    (model_home / "stocklstm.db").write_bytes(b"this is not a database" * 100)

    outcome = cli("predict")

    assert outcome.code == 5
    assert "damaged" in outcome.err


def test_5_for_a_format_of_the_future(cli: Cli, model_home: Path) -> None:
    version = model_home / "models" / TICKER / "v1"
    text = (version / "manifest.json").read_text()
    replace_manifest(version, text.replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}', 1))

    outcome = cli("predict")

    assert outcome.code == 5
    assert "upgrade" in outcome.err


def test_6_for_too_few_rows(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "short.csv"
    file.write_text("Date,Close\n2024-03-11,10\n2024-03-12,10.1\n2024-03-13,10.2\n")
    assert cli("fetch", "--ticker", TICKER, "--source", "csv", "--file", f"{file}").code == 0

    outcome = cli("train", "--ticker", TICKER)

    assert outcome.code == 6
    assert "need at least" in outcome.err


def test_6_for_a_jump_that_nothing_explains(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "jump.csv"
    file.write_text("Date,Close\n2024-03-11,10\n2024-03-12,1000\n2024-03-13,1001\n")
    arguments = ["fetch", "--ticker", TICKER, "--source", "csv", "--file", f"{file}"]

    outcome = cli(*arguments)

    assert outcome.code == 6
    assert "--accept-revision" in outcome.err
    assert cli(*arguments, "--accept-revision").code == 0


@pytest.mark.usefixtures("model_home")
def test_6_for_a_check_that_warns_under_strict(cli: Cli) -> None:
    assert cli("predict").code == 0

    outcome = cli("predict", "--strict")

    # The bundled prices end in 2024.
    assert (outcome.code, outcome.out) == (6, "")
    assert "sessions behind" in outcome.err
    assert f"next: stocklstm fetch --ticker {TICKER}" in outcome.err


def test_75_for_a_locked_store(cli: Cli, model_home: Path) -> None:
    other = sqlite3.connect(model_home / "stocklstm.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    outcome = cli("models", "promote", f"{TICKER}@v1", "--lock-timeout", "0.1")
    read = cli("predict", "--lock-timeout", "0.1")

    other.close()
    assert outcome.code == 75
    assert "--lock-timeout" in outcome.err
    # A forecast needs no lock but to be recorded.
    assert read.code == 0
    assert "R$" in read.out
    assert "this forecast is not in the ledger: another stocklstm is writing" in read.err


def test_130_for_an_interrupt(priced_home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "stocklstm", "train", "-t", TICKER, "--epochs", "1000"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "STOCKLSTM_HOME": str(priced_home)},
        # A shell may run the tests in the background, where Ctrl-C is ignored and stays so.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread
    )
    assert process.stderr is not None
    # The first epoch is reported: training is under way.
    assert "epoch 0" in process.stderr.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)

    said = process.stderr.read()
    assert process.wait(timeout=60) == 130
    process.stderr.close()
    assert "Traceback" not in said
    assert not list((priced_home / "models").rglob("v*"))


@pytest.mark.parametrize("command", [("prices", "verify"), ("validate", "--prices")])
def test_unsound_prices_are_damage(cli: Cli, priced_home: Path, command: tuple[str, ...]) -> None:
    execute(priced_home, "UPDATE prices SET close = -1 WHERE date = '2024-03-12'")

    assert cli(*command).code == 5


@pytest.mark.parametrize(
    ("command", "pages"),
    [
        # In brief only the last rows are read, and of these every byte is compared.
        (("prices", "show"), None),
        (("prices", "show", TICKER), 1),
        (("prices", "verify"), 1),
        (("validate", "--prices"), 1),
    ],
)
def test_5_for_prices_in_a_damaged_database(
    cli: Cli, priced_home: Path, command: tuple[str, ...], pages: int | None
) -> None:
    database = priced_home / "stocklstm.db"
    content = bytearray(database.read_bytes())
    begin = len(content) // 2 // 4096 * 4096
    end = len(content) if pages is None else begin + 4096 * pages
    content[begin:end] = b"\xff" * (end - begin)
    database.write_bytes(content)

    outcome = cli(*command)

    assert outcome.code == 5
    assert "Traceback" not in outcome.err


@pytest.mark.usefixtures("priced_home")
def test_2_for_an_export_to_a_place_that_is_none(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (f"{tmp_path}/file/petr4.csv", f"{tmp_path}/none/", "x" * 300):
        outcome = cli("prices", "export", "-t", TICKER, "--out", place)

        assert outcome.code == 2
        assert "STOCKLSTM_HOME" not in outcome.err
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.usefixtures("priced_home")
def test_75_for_an_export_to_a_full_disk(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "petr4.csv"
    file.write_text("old")

    def refuse(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    outcome = cli("prices", "export", "-t", TICKER, "--out", str(file))

    assert outcome.code == 75
    assert file.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "petr4.csv"]


def test_looking_at_prices_where_there_are_none(cli: Cli, home: Path) -> None:
    assert not home.exists()
    for command in ("show", "verify"):
        assert cli("prices", command).code == 4
    assert cli("prices", "export", "-t", "PETR4.SA").code == 4
    assert cli("prices", "export").code == 2
    assert cli("prices", "rename", "VIIA3.SA", "BHIA3.SA").code == 4
