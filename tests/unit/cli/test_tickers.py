"""How tickers are given on the command line, and what is said of those that are none."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from stocklstm import train
from stocklstm.core.reference import StoredTicker
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.market.sample import SampleSource
from stocklstm.store.store import open_store
from tests.conftest import TICKER, Cli
from tests.support.bundled_prices import bundled
from tests.support.scripted_source import ScriptedSource

COMMANDS = (
    "fetch --source sample",
    "train",
    "train --dry-run",
    "tune",
    "evaluate",
    "evaluate --live",
    "evaluate --all",
    "predict",
    "validate",
    "validate --prices",
    "quantize",
    "prices show",
    "prices export",
    "prices verify",
    "models list",
    "models gc --keep 1",
)

REFERENCES = ("models show", "models rollback", "models diff PETR4.SA")


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_a_code_of_b3_is(cli: Cli, command: str) -> None:
    said = cli(*command.split(), "--ticker", "PETR4")

    assert said.code == 2
    assert "did you mean PETR4.SA?" in said.err
    assert "next: take PETR4.SA" in said.err


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize("command", REFERENCES)
def test_so_do_those_whose_argument_it_is(cli: Cli, command: str) -> None:
    said = cli(*command.split(), "PETR4")

    assert (said.code, said.out) == (2, "")
    assert "did you mean PETR4.SA?" in said.err


def test_a_file_of_tickers_is_read_likewise(cli: Cli, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("PETR4\nBRK.B\nPETR4.SA, VALE3.SA\n")

    said = cli("fetch", "--source", "sample", "--tickers-file", str(names), "--json")

    assert said.code == 2
    first, second, third = json.loads(said.out)["errors"]
    assert first["message"] == "PETR4 is a code of B3: did you mean PETR4.SA?"
    assert second["message"] == "there is no BRK.B: Yahoo writes BRK-B"
    assert third["hint"] == "--ticker PETR4.SA --ticker VALE3.SA"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="reads a device of Unix")
def test_a_file_of_tickers_may_be_a_pipe_but_has_an_end(cli: Cli, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=("BRK.B\n",))
    writer.start()
    piped = cli("fetch", "--source", "sample", "--tickers-file", str(pipe))
    writer.join()
    endless = cli("predict", "--tickers-file", "/dev/zero")

    assert "Yahoo writes BRK-B" in piped.err
    assert (endless.code, endless.out) == (4, "")
    assert "/dev/zero cannot be read: it is larger than 16 MB" in endless.err


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="reads a device of Unix")
def test_so_is_standard_input(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/zero").open() as endless:
        monkeypatch.setattr(sys, "stdin", endless)
        said = cli("predict", "--tickers-file", "-")
    monkeypatch.setattr(sys, "stdin", None)
    closed = cli("predict", "--tickers-file", "-")

    assert (said.code, said.out, closed.code, closed.out) == (4, "", 4, "")
    assert "standard input cannot be read: it is larger than 16 MB" in said.err
    assert "standard input cannot be read: it is closed" in closed.err


@pytest.mark.usefixtures("model_home")
def test_a_directory_that_is_gone_is_said(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    refused = cli("predict", "--csv", "forecasts.csv")
    made = cli("predict", "--quiet")

    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("error: the directory from which this was started is gone\n")
    # What names no place here needs none.
    assert made.code == 0


# Stores of old, which took PETR4 for an American share


@pytest.fixture
def old_home(home: Path, tiny: TrainingConfig) -> Iterator[Path]:
    """Store the bundled prices, and a model of them, under the name PETR4."""
    answer = bundled()
    instrument = replace(answer.instrument, ticker="PETR4", currency="USD", exchange="XNYS")
    traded = answer.bars.select(answer.bars.volumes > 0)
    with open_store(home, create=True) as store:
        store.prices.merge(instrument, traded, (), source="csv", at="2024-03-14T00:00:00Z")
    result = train([StoredTicker("PETR4")], tiny, home=home)
    assert not result.failures
    return home


def test_what_is_done_for_all_that_is_stored_is_done_for_them_too(
    cli: Cli, old_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (
        "prices show",
        "prices verify",
        "predict",
        "evaluate --no-plot",
        "evaluate --all",
        "evaluate --live",
        "validate",
        "validate --prices",
        "models list",
        "models gc --keep 1",
        "models show PETR4@v1",
        f"models export PETR4@v1 --format onnx --output {old_home / 'model.onnx'}",
    ):
        said = cli(*command.split())
        assert said.code == 0, (command, said.err)
        assert "did you mean" not in said.err

    # The source does not have it; the name is not what is wrong.
    source = ScriptedSource(lambda request: SampleSource().fetch(request))
    monkeypatch.setattr("stocklstm.workflows.prices.plan.load_source", lambda _: source)
    refreshed = cli("fetch")
    assert refreshed.code == 4
    assert "PETR4: the sample holds PETR4.SA only" in refreshed.err

    asked = cli("predict", "--ticker", "PETR4")
    assert asked.code == 2
    assert "stocklstm prices rename PETR4 PETR4.SA" in asked.err


def test_an_old_name_is_given_up_as_the_next_steps_say(cli: Cli, old_home: Path) -> None:
    assert cli("prices", "rename", "PETR4", "PETR4.SA").code == 0

    begun = cli("train", "--ticker", "PETR4.SA", "--like", "PETR4", "--from", "PETR4")

    assert "did you mean" not in begun.err
    assert begun.code == 0, begun.err
    with open_store(old_home) as store:
        assert store.registry.tickers() == ["PETR4", "PETR4.SA"]


# Tickers without an option before them

NAMED = (
    "predict",
    "evaluate --no-plot",
    "evaluate --all",
    "evaluate --live",
    "validate",
    "validate --prices",
    "train --dry-run --quiet",
    "prices show",
    "prices export",
    "prices verify",
    "models list",
    "fetch --source sample",
)


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize("command", NAMED)
def test_a_ticker_needs_no_option_before_it(cli: Cli, command: str) -> None:
    for ticker, code in ((TICKER, 0), ("VALE3.SA", 4)):
        with_option, without = (cli(*command.split(), *way) for way in (("-t", ticker), (ticker,)))

        assert without == with_option
        assert without.code == code


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize(
    "command", ["evaluate --walk-forward 20", "evaluate --compare", "quantize", "tune", "train"]
)
@pytest.mark.parametrize("typed", ["petr4", "PETR4"])
def test_what_takes_long_knows_it_as_well(cli: Cli, command: str, typed: str) -> None:
    said = cli(*command.split(), typed)

    assert (said.code, said.out) == (2, "")
    assert "did you mean PETR4.SA?" in said.err


@pytest.mark.usefixtures("model_home")
def test_evaluate_takes_versions_as_well(cli: Cli) -> None:
    scored = cli("evaluate", f"{TICKER}@v1", "--quiet", "--no-plot")
    missing = cli("evaluate", f"{TICKER}@v1", f"{TICKER}@v7", "--quiet", "--no-plot")

    assert (scored.code, missing.code) == (0, 4)
    assert scored.out == missing.out == f"{TICKER}@v1 no_better\n"


def test_both_ways_go_together_in_their_order(cli: Cli) -> None:
    done = cli("fetch", "VALE3.SA", "--source", "sample", "-t", TICKER, "ITUB4.SA", "--json")

    document = json.loads(done.out)
    assert [result["ticker"] for result in document["results"]] == [TICKER]
    assert [error["ticker"] for error in document["errors"]] == ["VALE3.SA", "ITUB4.SA"]


def test_files_that_a_shell_put_there_are_no_tickers(cli: Cli, home: Path) -> None:
    said = cli("fetch", "--source", "b3", "--file", "COTAHIST_A2021.ZIP", "COTAHIST_A2022.ZIP")

    assert said.code == 2
    assert "'COTAHIST_A2022.ZIP' is the name of a file, and tickers are expected there" in said.err
    assert "next: give every file an option of its own" in said.err
    assert not home.exists()


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize("command", ["fetch --source sample", "predict", "prices show"])
@pytest.mark.parametrize("text", ["PETR4.SA,VALE3.SA", "PETR4.SA VALE3.SA", "petr4;vale3"])
def test_a_list_in_one_word_is_taken_apart_in_the_answer(cli: Cli, command: str, text: str) -> None:
    for way in ((text,), ("--ticker", text)):
        said = cli(*command.split(), *way)

        assert said.code == 2
        assert "is not a ticker but 2 of them: give each by itself" in said.err
        assert "next: --ticker PETR4.SA --ticker VALE3.SA" in said.err.replace("vale3", "VALE3.SA")
