"""The page of --help: plain text, folded to the width of the terminal and never cut."""

import shutil
from collections.abc import Iterable, Sequence
from textwrap import TextWrapper
from typing import Any

from typer.core import TyperArgument, TyperGroup

from stocklstm.cli.examples import EXAMPLES

_WIDEST = 80
_NARROWEST = 20

# Between an option and what it means, and before both.
_GAP, _INDENT = 2, 2

# An option that is longer than this has what it means below it.
_LONGEST_TERM = 26

# What an option means stands beside it only where it has this much room.
_NARROWEST_TEXT = 30


def terminal_width() -> int:
    """Tell how many characters a line of a page may have."""
    return max(_NARROWEST, min(shutil.get_terminal_size().columns, _WIDEST) - 2)


def help_page(command: Any, context: Any, width: int) -> str:  # noqa: ANN401 - Typer's own
    """Write the page of a command or of a group.

    Args:
        command: `Command` or `Group`.
        context: As it is called.
        width: Characters of a line.
    """
    _, _, name = context.command_path.partition(" ")
    blocks = [
        _usage(command, context, width),
        *(_folded(paragraph, width, "  ") for paragraph in _paragraphs(command.help)),
        _section("Examples", [f"  {line}" for line in EXAMPLES.get(name, ())]),
        *_parameters(command, context, width),
        *_commands(command, width),
        *(_folded(paragraph, width, "  ") for paragraph in _paragraphs(command.epilog)),
    ]
    return "\n\n".join(block for block in blocks if block)


def _usage(command: Any, context: Any, width: int) -> str:  # noqa: ANN401 - Typer's own
    pieces = " ".join(command.collect_usage_pieces(context))
    # Typer puts braces around what must be given.
    pieces = pieces.replace("{", "").replace("}", "")
    return _folded(f"Usage: {context.command_path} {pieces}", width, "", "    ")


def _paragraphs(text: str | None) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in (text or "").split("\n\n")]


def _parameters(command: Any, context: Any, width: int) -> Iterable[str]:  # noqa: ANN401 - Typer's own
    """Write arguments, options, and then the options that have a heading of their own."""
    panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(context):
        if parameter.hidden:
            continue
        place = "Arguments" if isinstance(parameter, TyperArgument) else "Options"
        heading = parameter.rich_help_panel or place
        panels.setdefault(heading, []).append(
            (parameter_term(parameter, context), parameter_meaning(parameter))
        )
    return (_section(heading, _listed(rows, width)) for heading, rows in panels.items())


def parameter_term(parameter: Any, context: Any) -> str:  # noqa: ANN401 - Typer's own
    """Write how an option or argument is typed, such as `-t, --ticker TICKER`."""
    metavar = parameter.make_metavar(context)
    if isinstance(parameter, TyperArgument):
        return str(metavar)
    names = ", ".join(sorted(parameter.opts, key=len))
    if parameter.is_flag:
        return " / ".join([names, *parameter.secondary_opts])
    return f"{names} {metavar}"


def parameter_meaning(parameter: Any) -> str:  # noqa: ANN401 - Typer's own
    """Write what it means, and its default."""
    words, default = parameter.help or "", parameter.default
    if not parameter.show_default or default is None or default is False:
        return words
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    return f"{words}  [{shown}]"


def _commands(command: Any, width: int) -> Iterable[str]:  # noqa: ANN401 - Typer's own
    if isinstance(command, TyperGroup):
        rows = [
            (name, _paragraphs(each.help)[0])
            for name, each in command.commands.items()
            if not each.hidden
        ]
        yield _section("Commands", _listed(rows, width))


def _section(heading: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{heading}:", *lines]) if lines else ""


def _listed(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Write terms and what they mean, side by side where there is room."""
    longest = max((len(term) for term, _ in rows if len(term) <= _LONGEST_TERM), default=0)
    column = _INDENT + longest + _GAP
    if width - column < _NARROWEST_TEXT:
        column = 3 * _INDENT
    lines = []
    for term, meaning in rows:
        beside = len(term) <= column - _INDENT - _GAP
        if not beside or not meaning:
            lines.append(f"{'':{_INDENT}}{term}")
        first = f"{'':{_INDENT}}{term:{column - _INDENT}}" if beside else " " * column
        if meaning:
            lines += _folded(meaning, width, first, " " * column).splitlines()
    return lines


def _folded(text: str, width: int, first: str, others: str | None = None) -> str:
    """Fold a paragraph; names of options and presets stay in one piece."""
    return TextWrapper(
        width,
        initial_indent=first,
        subsequent_indent=first if others is None else others,
        break_on_hyphens=False,
        break_long_words=False,
    ).fill(text)
