"""The program as cron, a shell and a terminal run it."""

import json
import os
import pty
import random
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stocklstm.store.store import open_store
from tests.conftest import TICKER, TINY_OPTIONS, Program
from tests.e2e.conftest import Warm
from tests.support.places import SAMPLE
from tests.support.terminal import talkative


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "stocklstm", *arguments]


def in_a_terminal(columns: int, *arguments: str, **environment: str) -> str:
    """Run the program on a pseudo-terminal and give all that it wrote there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": f"{columns}", "TERM": "xterm-256color", **environment},
    )
    os.close(theirs)
    written = bytearray()
    while select.select([ours], [], [], 60)[0]:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux: the other end was closed
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    assert process.wait(timeout=60) == 0, written.decode()
    return written.decode()


def test_from_ticker_to_forecast(program: Program, home: Path) -> None:
    steps = [
        ("fetch", "--ticker", TICKER, "--source", "sample"),
        ("train", "--ticker", TICKER, *TINY_OPTIONS),
        ("evaluate", "--ticker", TICKER),
        ("predict", "--json", "--ticker", TICKER),
        ("quantize", "--ticker", TICKER, "--tolerance", "5"),
        ("validate", "--all", "--deep"),
        ("models", "list"),
        ("models", "show", TICKER),
        ("predict",),
    ]

    for step in steps:
        done = program(*step)
        assert done.returncode == 0, (step, done.stderr)
        assert done.stdout
        assert "Traceback" not in done.stderr
    assert TICKER in done.stdout
    assert home.is_dir()


def test_what_is_typed_for_a_ticker_is_read_or_answered(
    warm: Warm, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "sap.csv"
    file.write_text("Date,Close\n2024-03-11,180.5\n2024-03-12,181\n2024-03-13,182.25\n")
    said = {
        "PETR4": "did you mean PETR4.SA?",
        "BRK.B": "Yahoo writes BRK-B",
        "PETR4F": "PETR4 in odd lots on B3",
        "PETRC380": "an option of B3",
        "PETR4.SA,VALE3.SA": "next: --ticker PETR4.SA --ticker VALE3.SA",
    }

    for typed, answer in said.items():
        for way in ((typed,), ("--ticker", typed)):
            refused = warm("fetch", *way, "--file", str(file))
            assert (refused.code, refused.out) == (2, "")
            assert answer in refused.err
            assert "  next: " in refused.err
    assumed = warm("fetch", "SAP", "--file", str(file), "--json")
    chosen = warm(
        *("fetch", "SAP", "--file", str(file), "--json"),
        *("--calendar", "XETR", "--currency", "EUR"),
    )

    assert (assumed.code, chosen.code) == (0, 0)
    (first,), (second,) = (json.loads(done.out)["results"] for done in (assumed, chosen))
    assert first["assumed"] == {"calendar": "XNYS", "currency": "USD"}
    assert "say which by --calendar and --currency" in assumed.err
    assert (second["assumed"], second["currency"], second["exchange"]) == ({}, "EUR", "XETR")
    assert "assumed" not in chosen.err
    with open_store(home) as store:
        assert store.prices.tickers() == ["SAP"]
        assert store.prices.bars("SAP").closes.tolist() == [180.5, 181.0, 182.25]
        assert store.prices.instrument("SAP").time_zone == "Europe/Berlin"


@pytest.mark.usefixtures("priced_home")
def test_stdout_is_the_result_and_nothing_else(program: Program) -> None:
    trained = program("train", "-q", "-t", TICKER, *TINY_OPTIONS)
    predicted = program("predict", "--json")

    assert (trained.stdout, trained.stderr) == (f"{TICKER}@v1\n", "")
    json.loads(predicted.stdout)
    assert "warning" in predicted.stderr


@pytest.mark.usefixtures("model_home")
def test_a_reader_who_goes_away_is_no_error() -> None:
    process = subprocess.Popen(
        command("predict", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()

    said = process.stderr.read()
    assert process.wait(timeout=60) == 0
    process.stderr.close()
    assert "Traceback" not in said
    assert "Broken pipe" not in said


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize(
    ("encoding", "command_line"),
    [
        ("ascii", ("evaluate", "--no-plot")),
        ("ascii", ("predict",)),
        ("ascii", ("models", "list")),
        ("latin-1", ("predict",)),
    ],
)
def test_a_pipe_that_knows_few_characters_is_no_bug(
    program: Program, encoding: str, command_line: tuple[str, ...]
) -> None:
    human = program(*command_line, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    machine = program(*command_line, "--json", PYTHONIOENCODING=encoding, PYTHONUTF8="0")

    assert (human.returncode, machine.returncode) == (0, 0), human.stderr + machine.stderr
    assert json.loads(machine.stdout)["errors"] == []
    assert "PETR4.SA" in human.stdout


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_nobody_reading_the_warnings_costs_no_forecast(redirection: str) -> None:
    line = f"{shlex.join(command('predict', '-q'))} {redirection}"

    done = subprocess.run(["/bin/sh", "-c", line], stdout=subprocess.PIPE, timeout=60, check=False)

    assert done.returncode == 0
    assert float(done.stdout) > 0


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize(
    "arguments",
    [
        *(("predict",), ("predict", "--json"), ("--version",), ("--help",)),
        *(("predict", "--help"), ("models", "-h")),
    ],
)
def test_a_full_disk_behind_stdout_is_said(arguments: tuple[str, ...]) -> None:
    line = f"{shlex.join(command(*arguments))} >/dev/full"

    done = subprocess.run(
        ["/bin/sh", "-c", line], stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )

    assert done.returncode == 75
    assert "standard output" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_shell_that_cannot_complete_is_no_bug() -> None:
    line = f"{shlex.join(command('--show-completion'))}; exit $?"

    done = subprocess.run(
        ["/bin/sh", "-c", line], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("\n  next: run it in bash, zsh, fish or PowerShell\n")


@pytest.mark.usefixtures("model_home")
def test_a_narrow_terminal_shows_every_figure() -> None:
    written = in_a_terminal(40, "predict", NO_COLOR="1")

    plain = re.sub(r"\x1b\[[0-9;]*m", "", written)
    lines = [line.rstrip("\r") for line in plain.split("\n")]
    assert max(len(line) for line in lines if not line.startswith("warning")) <= 40
    assert "2024-03-14" in written
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", written)


@pytest.mark.usefixtures("model_home")
def test_a_wide_terminal_shows_colours_and_a_bar() -> None:
    written = in_a_terminal(160, "train", "-t", TICKER, *TINY_OPTIONS)

    assert "\x1b[" in written
    assert "2/2" in written
    assert "validation" in written


def test_verbose_shows_the_cause(program: Program, model_home: Path) -> None:
    (model_home / "stocklstm.db").write_bytes(b"junk" * 1000)

    plain, verbose = program("predict"), program("--verbose", "predict")

    assert "cause:" not in plain.stderr
    assert "cause: DatabaseError" in verbose.stderr


def test_the_version_is_told(program: Program) -> None:
    from stocklstm import __version__

    assert program("--version").stdout == f"stocklstm {__version__}\n"


def test_csv_to_forecast(warm: Warm, tmp_path: Path) -> None:
    lines = ["Data;Abertura;Máxima;Mínima;Fechamento;Volume"]
    for row in SAMPLE.read_text().splitlines()[-600:]:
        day, *prices, volume = row.split(",")
        year, month, number = day.split("-")
        comma = [price.replace(".", ",") for price in prices[:4]]
        lines.append(";".join([f"{number}/{month}/{year}", *comma, volume]))
    file = tmp_path / "petr4.csv"
    file.write_text("\n".join(lines), encoding="latin-1")

    arguments = ("fetch", "-t", TICKER, "--source", "csv", "--file", str(file), "--json")
    fetched = json.loads(warm(*arguments).out)

    (result,) = fetched["results"]
    assert (result["rows_added"], result["currency"]) == (600, "BRL")
    assert warm("train", "-q", "-t", TICKER, *TINY_OPTIONS).code == 0
    assert warm("predict", "-q").out.strip().replace(".", "").isdigit()


def test_kill_9_at_any_moment_of_training_leaves_the_champion(
    model_home: Path, program: Program, tmp_path: Path
) -> None:
    """Kill while a second version is trained and published; the first serves on.

    Whole processes, and few: tests/faults kills at every boundary.
    """
    moments = random.Random(0)
    arguments = talkative("train", "-t", TICKER, *TINY_OPTIONS, "--promote", "always")
    for attempt in range(3):
        home = tmp_path / f"kill{attempt}"
        shutil.copytree(model_home, home)
        environment = {**os.environ, "STOCKLSTM_HOME": str(home)}
        process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env=environment)
        assert process.stderr is not None
        for line in process.stderr:
            # What follows the last epoch is exporting, writing, publishing.
            if "epoch 2/2" in line:
                break
        time.sleep(moments.uniform(0, 0.6))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        process.stderr.close()

        with open_store(home) as store:
            versions = store.registry.versions(TICKER)
            assert versions in ([1], [1, 2])
            assert store.registry.aliases.of(TICKER)["champion"] in versions
        assert program("validate", "--all", STOCKLSTM_HOME=str(home)).returncode == 0
        assert program("predict", "-q", STOCKLSTM_HOME=str(home)).returncode == 0
