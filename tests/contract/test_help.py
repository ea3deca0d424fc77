"""What --help says, at every width, and the options that stand everywhere."""

from pathlib import Path

import pytest

from stocklstm import __version__
from stocklstm.cli.app import COMMANDS, build_app
from stocklstm.cli.completion import words_of
from stocklstm.cli.examples import EXAMPLES
from stocklstm.cli.help_page import help_page
from tests.conftest import TICKER, Cli
from tests.support.command_lines import EVERY, context_of, understood

# What stands for a value that nothing completes: words of the field, never the name of a type.
FREE = {
    *("ADDRESS", "ATTEMPTS", "COLUMN=NAME", "COUNT", "DAY", "DAYS", "DIRECTORY", "EPOCHS"),
    *("FACTOR", "FILE", "TIME"),
    *(
        "FORECASTS",
        "FORMAT",
        "LAYERS",
        "LEVEL,...",
        "LOSS",
        "NAME",
        "NEW",
        "NORM",
        "NUMBER",
        "PATH",
    ),
    *("PERCENT", "PORT", "RATE", "REASON", "ROWS", "SECONDS", "SEED", "SESSIONS", "SHARE"),
    *("TRIALS", "UNITS", "VERSIONS", "WEIGHT", "WINDOWS"),
}


def _said(arguments: list[str]) -> dict[str, str]:
    """Tell of each registered command what its help begins with."""
    app = build_app(arguments)
    commands = app.registered_commands
    said = {command.name: command.help or command.callback.__doc__ for command in commands}
    said |= {group.name: group.typer_instance.info.help for group in app.registered_groups}
    return {name: words.partition("\n")[0] for name, words in said.items()}


def test_the_list_says_what_each_command_says_of_itself() -> None:
    assert _said(["--help"]) == COMMANDS
    # A word that is no command makes all of them known.
    assert _said(["nothing"]) == COMMANDS


@pytest.mark.parametrize("width", [78, 58, 38])
def test_no_page_is_cut_or_runs_over(width: int) -> None:
    for path, command in EVERY.items():
        page = help_page(command, context_of(path), width)
        shown = " ".join(page.split())

        assert shown.startswith(f"Usage: {' '.join(('stocklstm', *path))} [OPTIONS]")
        assert "{" not in page
        for parameter in command.params:
            assert " ".join(parameter.help.split()) in shown, (path, parameter.name)
        for below in getattr(command, "commands", {}).values():
            assert " ".join(below.help.split("\n\n")[0].split()) in shown
        assert not any(line.rstrip().endswith(("…", " ...")) for line in page.splitlines())
        # What is longer cannot be folded: a name, or a command line that is to be copied.
        longer = [line for line in page.splitlines() if len(line) > width]
        assert all(len(line.split()) == 1 or line.startswith("  stocklstm") for line in longer)
        if width == 78:
            assert longer == []


def test_what_stands_for_a_value_is_a_word() -> None:
    for path, command in EVERY.items():
        for parameter in command.params:
            if getattr(parameter, "is_flag", False):
                continue
            metavar = parameter.metavar or ""
            assert metavar in FREE or words_of(metavar), (path, parameter.name, metavar)


def test_settings_are_grouped_and_say_their_defaults(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    page = cli("train", "--help").out

    headings = [line for line in page.splitlines() if line.endswith(":") and line[0] != " "]
    groups = ["Data:", "Network:", "Optimizer:", "Schedule:", "Stopping:", "Machine:"]
    assert headings == ["Examples:", "Arguments:", "Options:", "Pooled:", "Retraining:", *groups]
    stopping = " ".join(page.partition("Stopping:")[2].split())
    assert stopping.startswith(
        "--epochs EPOCHS Most passes over the training windows. [60; paper 100; paper-short 20] "
    )
    assert "--dropout SHARE Share of activations dropped. [0.2; paper-short 0.0]" in " ".join(
        page.split()
    )


def test_every_page_has_examples_that_can_be_typed() -> None:
    assert {" ".join(path) for path in EVERY} == EXAMPLES.keys()
    for name, lines in EXAMPLES.items():
        assert lines, name
        for line in lines:
            path, _ = understood(line)
            assert " ".join(path).startswith(name)


def test_the_version_is_printed_wherever_it_is_asked_for(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for path in EVERY:
        for option in ("-V", "--version"):
            EVERY[()].main(args=[*path, option], prog_name="stocklstm", standalone_mode=False)
            assert capfd.readouterr().out == f"stocklstm {__version__}\n"


def test_what_is_typed_beside_it_is_not_looked_at(cli: Cli) -> None:
    assert cli("predict", "NONE3.SA", "-V", "--horizon", "0").out == f"stocklstm {__version__}\n"


@pytest.mark.parametrize(
    "words", ["-v predict NONE3.SA", "predict -v NONE3.SA", "predict NONE3.SA --verbose"]
)
def test_the_cause_is_shown_wherever_it_is_asked_for(
    cli: Cli, model_home: Path, words: str
) -> None:
    database = model_home / "stocklstm.db"
    database.write_bytes(b"this is not a database" * 100)

    assert " cause: DatabaseError: " in cli(*words.split()).err
    # One command line says nothing about the next one.
    assert "cause" not in cli("predict", TICKER).err
