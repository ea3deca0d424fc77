"""The commands that are listed are those that there are."""

import os
import subprocess
import sys

from stocklstm.cli.app import COMMANDS, build_app


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


def test_a_shell_is_told_what_each_command_takes() -> None:
    def completions(line: str) -> list[str]:
        asked = {
            "_STOCKLSTM_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(line.count(" ")),
        }
        done = subprocess.run(
            [sys.executable, "-m", "stocklstm"],
            env={**os.environ, **asked},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.split()

    assert completions("stocklstm pre") == ["predict"]
    assert "--horizon" in completions("stocklstm predict --h")
