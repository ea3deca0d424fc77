"""Which words a shell is offered, asked as the shells ask."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stocklstm.core.settings.compression import METHODS
from stocklstm.core.settings.config import PRESETS
from stocklstm.store.locks import writer_lock
from stocklstm.store.paths import StorePaths
from tests.conftest import TICKER, Cli
from tests.support.loaded_modules import HEAVY

Asked = Callable[..., list[str]]


@pytest.fixture
def bash(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Ask as bash does: the words as it has broken them, the last one to be completed."""

    def completions(*words: str) -> list[str]:
        monkeypatch.setenv("_STOCKLSTM_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(("stocklstm", *words)))
        monkeypatch.setenv("COMP_CWORD", f"{len(words)}")
        outcome = cli()
        assert (outcome.code, outcome.err) == (0, "")
        return outcome.out.splitlines()

    return completions


@pytest.fixture
def zsh(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Ask as zsh does: the line up to the cursor."""

    def completions(line: str) -> str:
        monkeypatch.setenv("_STOCKLSTM_COMPLETE", "complete_zsh")
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
        outcome = cli()
        assert (outcome.code, outcome.err) == (0, "")
        return outcome.out

    return completions


def test_commands_and_options_are_completed(bash: Asked) -> None:
    assert bash("pre") == ["predict"]
    assert bash("models", "un") == ["unalias"]
    assert "--horizon" in bash("predict", "--h")
    assert bash("predict", "--ver") == ["--verbose", "--version"]


def test_what_commands_do_is_said_whole(zsh: Callable[[str], str]) -> None:
    assert '"models":"See what the store holds, name it, clear it out."' in zsh("stocklstm mod")


@pytest.mark.usefixtures("model_home")
def test_no_option_prints_its_answer_among_the_words(
    bash: Asked, zsh: Callable[[str], str]
) -> None:
    assert bash("-V", "predict", "") == bash("predict", "--version", "P") == [TICKER]
    assert bash("predict", "--help", "P") == [TICKER]
    assert zsh("stocklstm predict -V P") == zsh("stocklstm predict P")


@pytest.mark.usefixtures("priced_home")
@pytest.mark.parametrize("command", ["fetch", "train", "tune", "prices show", "prices rename"])
def test_prices_are_completed(bash: Asked, command: str) -> None:
    assert bash(*command.split(), "") == [TICKER]
    # Letter case does not matter, and what was typed stays.
    assert bash(*command.split(), "petr") == ["petr4.SA"]
    assert bash(*command.split(), "VALE") == []


@pytest.mark.usefixtures("priced_home")
def test_without_a_model_there_is_none_to_be_named(bash: Asked) -> None:
    for command in ("predict", "evaluate", "validate", "quantize"):
        assert bash(command, "") == []


@pytest.mark.usefixtures("model_home")
@pytest.mark.parametrize(
    "line", ["predict", "evaluate", "validate", "quantize", "predict -t", "train --like"]
)
def test_models_and_their_versions_are_completed(
    bash: Asked, zsh: Callable[[str], str], line: str
) -> None:
    words = line.split()

    assert bash(*words, "P") == [TICKER]
    # Bash takes what stands behind an @ for a word of its own, and replaces that alone.
    assert bash(*words, TICKER, "@") == ["v1", "champion"]
    assert bash(*words, TICKER, "@", "c") == ["champion"]
    assert zsh(f"stocklstm {line} petr4.sa@") == (
        """_arguments '*: :(("petr4.sa@v1"\n"petr4.sa@champion"))'\n"""
    )


@pytest.mark.usefixtures("model_home")
def test_what_is_removed_is_a_name_that_somebody_gave(bash: Asked, cli: Cli) -> None:
    assert bash("models", "unalias", TICKER, "@") == []
    with pytest.MonkeyPatch.context() as plain:
        plain.delenv("_STOCKLSTM_COMPLETE")
        assert cli("models", "promote", f"{TICKER}@v1", "--as", "live").code == 0

    assert bash("models", "unalias", "P") == [TICKER]
    assert bash("models", "unalias", TICKER, "@") == ["live"]


@pytest.mark.usefixtures("model_home")
def test_an_option_and_its_value_may_be_one_word(bash: Asked, zsh: Callable[[str], str]) -> None:
    assert bash("predict", "--ticker", "=") == [TICKER]
    assert bash("predict", "--ticker", "=", "PE") == [TICKER]
    assert bash("predict", "--ticker", "=", TICKER, "@", "v") == ["v1"]
    assert TICKER in zsh("stocklstm predict --ticker=PE")


def test_a_pooled_model_is_completed_without_its_mark(bash: Asked, pooled_home: Path) -> None:
    assert bash("predict", "--model", "b") == bash("evaluate", "--model", "") == ["b3"]
    assert bash("evaluate", "--model", "b3", "@") == ["v1", "champion"]
    assert bash("models", "show", "+") == ["+b3"]
    assert "+b3" not in bash("models", "show", "")
    assert pooled_home.exists()


@pytest.fixture
def pooled_home(model_home: Path) -> Path:
    """Give the version a second name, that of a pooled model: names are all that is read."""
    with sqlite3.connect(model_home / "stocklstm.db") as connection:
        for table in ("versions", "aliases"):
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - ours
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(
                f"INSERT INTO {table} VALUES ({marks})",  # noqa: S608 - ours
                [("+b3", *row[1:]) for row in rows],
            )
    connection.close()
    return model_home


def test_words_of_a_few_are_completed(bash: Asked) -> None:
    assert bash("train", "--preset", "") == list(PRESETS)
    assert bash("train", "--preset", "Paper-") == ["Paper-short"]
    assert bash("quantize", "--method", "") == list(METHODS)
    assert bash("quantize", "--budget", "l") == ["latency"]
    assert bash("tune", "--sampler", "t") == ["tpe"]
    assert bash("fetch", "--source", "") == ["b3", "csv", "sample", "yahoo"]
    assert bash("train", "--promote", "a") == ["auto", "always"]
    assert bash("train", "--optimizer", "a") == ["adam", "adamw"]
    assert bash("train", "--restore-best", "t") == ["true"]
    assert bash("train", "--features", "return,vo") == ["return,volatility", "return,volume"]
    assert bash("models", "export", TICKER, "--format", "o") == ["onnx"]
    assert bash("evaluate", "--fail-on", "") == ["drift"]
    # What is a file or a number is left to the shell.
    assert bash("fetch", "--file", "") == bash("train", "--epochs", "") == []


def test_what_was_begun_is_completed(bash: Asked, priced_home: Path) -> None:
    run = "PETR4.SA-20240101T000000Z-0000"
    StorePaths(priced_home).run(run).mkdir(parents=True)

    assert bash("train", "--resume", "") == ["auto", run]
    assert bash("tune", "--resume", "") == ["auto"]


def files(home: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(home)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in home.rglob("*")
        if path.is_file()
    }


def test_nothing_is_written(bash: Asked, model_home: Path) -> None:
    before = files(model_home)

    assert bash("predict", "") == [TICKER]

    assert files(model_home) == before


def test_what_another_process_is_writing_is_not_waited_for(bash: Asked, model_home: Path) -> None:
    other = sqlite3.connect(model_home / "stocklstm.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    other.execute("DELETE FROM aliases")

    with writer_lock(StorePaths(model_home), TICKER, 0.0):
        assert bash("predict", TICKER, "@") == ["v1", "champion"]
    other.execute("COMMIT")
    # It is in the journal, and nowhere else as long as the other process runs.
    assert bash("predict", TICKER, "@") == ["v1"]
    other.close()


@pytest.mark.parametrize("content", [b"", b"this is not a database" * 100, None])
def test_without_a_sound_store_there_are_no_words(
    bash: Asked, model_home: Path, content: bytes | None
) -> None:
    database = model_home / "stocklstm.db"
    whole = database.read_bytes()
    database.write_bytes(whole[: len(whole) // 2] if content is None else content)

    for words in (("predict", ""), ("fetch", "P"), ("train", "--like", TICKER, "@")):
        bash(*words)
    shutil.rmtree(model_home)
    assert bash("predict", "") == bash("fetch", "P") == []
    assert not model_home.exists()


SPY = """
import sys
from stocklstm.__main__ import main
try:
    main()
except SystemExit:
    print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


@pytest.mark.usefixtures("model_home")
def test_bash_itself_is_answered_without_a_heavy_library(tmp_path: Path) -> None:
    program = tmp_path / "stocklstm"
    spy = tmp_path / "spy.py"
    spy.write_text(SPY)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {spy} "$@"\n')
    program.chmod(0o755)
    ask = f"""
        source <(_STOCKLSTM_COMPLETE=source_bash {program} 2>/dev/null)
        COMP_WORDS=(stocklstm predict {TICKER} @ c)
        COMP_CWORD=4
        _stocklstm_completion {program}
        echo "${{COMPREPLY[*]}}"
    """

    done = subprocess.run(
        ["/usr/bin/env", "bash", "-c", ask], capture_output=True, text=True, check=True
    )

    assert done.stdout == "champion\n"
    assert not set(done.stderr.split()) & (HEAVY | {"numpy", "rich", "onnxruntime"})


def test_a_home_that_takes_no_completion_is_said(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    # The shell is named: a test has none that Typer could detect.
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    monkeypatch.setenv("HOME", "/dev/null")

    outcome = cli("--install-completion", "bash")

    assert outcome.code == 2
    assert outcome.err == (
        "error: completion cannot be installed: File exists (/dev/null)\n"
        "  next: stocklstm --show-completion prints what belongs where your shell reads it\n"
    )
