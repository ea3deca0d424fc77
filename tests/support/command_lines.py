"""Every command of the program, and what it makes of a line that somebody types."""

import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import typer

from stocklstm.cli.app import build_app
from stocklstm.cli.commands import Group


def _walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    if isinstance(command, Group):
        for name, below in command.commands.items():
            yield from _walk(below, (*path, name))


def _program() -> Any:
    # A word that is no command makes all of them known.
    return typer.main.get_command(build_app(["nothing"]))


EVERY = dict(_walk(_program()))
"""Commands and groups by the words that lead to them, in the order of `--help`."""


def context_of(path: tuple[str, ...]) -> Any:
    """Call a command, as far as its help needs it."""
    context = None
    for depth in range(len(path) + 1):
        name = path[depth - 1] if depth else "stocklstm"
        context = typer.Context(EVERY[path[:depth]], parent=context, info_name=name)
    return context


@cache
def _listening() -> tuple[Any, list[tuple[tuple[str, ...], dict[str, Any]]]]:
    called: list[tuple[tuple[str, ...], dict[str, Any]]] = []
    program = _program()

    def noted(path: tuple[str, ...]) -> Any:
        return lambda **given: called.append((path, given))

    for path, command in _walk(program):
        if not isinstance(command, Group):
            command.callback = noted(path)
    return program, called


def understood(line: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Read a line as the program does, and run nothing.

    Args:
        line: As it is typed, such as `stocklstm predict PETR4.SA`.

    Returns:
        The words of the command, and its arguments and options.
    """
    program, called = _listening()
    called.clear()
    program.main(args=shlex.split(line, comments=True)[1:], standalone_mode=False)
    (only,) = called
    return only


def complaint_about(line: str) -> str:
    """Say what the program finds wrong with a line; nothing if it can be typed."""
    try:
        understood(line)
    except typer.TyperException as error:
        return str(error)
    return ""
