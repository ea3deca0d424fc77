"""The parts of docs/reference/ that are written from the code, and the program that writes them.

    python -m tests.support.reference

writes anew what stands between `<!-- generated: NAME -->` and `<!-- end -->` in those pages.
"""

import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

import stocklstm
from stocklstm import errors
from stocklstm.cli.commands import Group
from stocklstm.cli.examples import EXAMPLES
from stocklstm.cli.help_page import parameter_meaning, parameter_term
from stocklstm.core.exits import MEANINGS, ExitCode, exit_code
from stocklstm.core.settings.layers import SETTINGS, Setting
from tests.support.command_lines import EVERY, context_of
from tests.support.places import DOCS

REFERENCE = DOCS / "reference"

MARKED = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Rows = list[tuple[str, str]]


def generated() -> Mapping[str, Callable[[], str]]:
    """Give what writes each part, by its name."""
    return {
        "common-options": common_options,
        "commands": commands,
        "settings": settings,
        "exit-codes": exit_codes,
        "errors": error_classes,
        "functions": functions,
        "classes": classes,
    }


def renewed(text: str) -> str:
    """Write the generated parts of a page anew."""
    parts = generated()
    return MARKED.sub(lambda match: f"{match[1]}\n{parts[match[2]]()}\n\n{match[3]}", text)


def table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Write a table in Markdown."""
    lines = [heading, ("---",) * len(heading), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def code(words: str) -> str:
    """Mark words as code; what would end a cell is written so that it does not."""
    return f"`{words}`".replace("|", r"\|")


# Commands and their options.


def panels(path: tuple[str, ...]) -> dict[str, Rows]:
    """Give arguments and options of a command by their heading, as `--help` has them."""
    context = context_of(path)
    found: dict[str, Rows] = {}
    for parameter in EVERY[path].get_params(context):
        if not parameter.hidden:
            place = "Arguments" if parameter.param_type_name == "argument" else "Options"
            row = (parameter_term(parameter, context), parameter_meaning(parameter))
            found.setdefault(parameter.rich_help_panel or place, []).append(row)
    return found


def leaves() -> dict[tuple[str, ...], dict[str, Rows]]:
    """Give the commands that do something."""
    groups = {path for path, command in EVERY.items() if isinstance(command, Group)}
    return {path: panels(path) for path in EVERY if path not in groups}


@cache
def shared() -> Rows:
    """Give the options that every command has, word for word."""
    first, *others = [rows["Options"] for rows in leaves().values()]
    return [row for row in first if all(row in rows for rows in others)]


def options_table(rows: Rows) -> str:
    """Write terms and what they mean."""
    return table(("option", "what it does"), [(code(term), cell(words)) for term, words in rows])


def cell(words: str) -> str:
    """Write words so that they stay within a cell and are no markup."""
    return re.sub(r"([|*<])", r"\\\1", " ".join(words.split()))


def common_options() -> str:
    """Write the options that all commands have."""
    return options_table(shared())


def commands() -> str:
    """Write every command with its examples and options."""
    headings = {setting.group for setting in SETTINGS.values()}
    blocks = []
    for path, rows_of in leaves().items():
        name = " ".join(path)
        about = [" ".join(each.split()) for each in (EVERY[path].help or "").split("\n\n")]
        blocks += [f"## {name}", *about, "```\n" + "\n".join(EXAMPLES[name]) + "\n```"]
        for heading, rows in rows_of.items():
            own = [row for row in rows if row not in shared()]
            if not own or heading in headings:
                continue
            word = "argument" if heading == "Arguments" else "option"
            title = () if heading in {"Arguments", "Options"} else (f"{heading}:",)
            blocks += [*title, options_table(own).replace("| option |", f"| {word} |", 1)]
        if headings & rows_of.keys():
            blocks.append("Every [setting of a training](settings.md) is an option as well.")
    return "\n\n".join(blocks)


# Settings, exit codes and errors.


def settings() -> str:
    """Write every setting by its heading in `--help`."""
    groups: dict[str, list[Setting]] = {}
    for setting in SETTINGS.values():
        groups.setdefault(setting.group, []).append(setting)
    blocks = []
    for group, rows in groups.items():
        cells = [
            (code(row.name), cell(f"{row.help_text} {row.note}"), _values(row), cell(row.defaults))
            for row in rows
        ]
        blocks += [
            f"### {group}",
            table(
                ("setting", "what it is", "values", "default, and where a preset differs"), cells
            ),
        ]
    return "\n\n".join(blocks)


def _values(setting: Setting) -> str:
    if setting.choices:
        values = ", ".join(code(choice) for choice in setting.choices)
        values = f"some of {values}" if setting.kind is tuple else values
        return f"{values} or `none`" if setting.optional else values
    return cell("any number" if setting.limits is None else setting.limits.words)


def exit_codes() -> str:
    """Write every exit code with the errors that end in it."""
    rows = []
    for each, meaning in MEANINGS.items():
        names = ", ".join(
            code(kind.__name__) for kind in error_kinds() if exit_code_of(kind) is each
        )
        rows.append((f"{each.value}", meaning, names))
    return table(("code", "meaning", "errors"), rows)


def error_kinds() -> list[type[errors.StockLstmError]]:
    """Give every class of error, those that others are made of first."""
    return [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, errors.StockLstmError)
    ]


def exit_code_of(kind: type[errors.StockLstmError]) -> ExitCode | None:
    """Find the code of a class; the base class has none of its own."""
    return None if kind is errors.StockLstmError else exit_code(kind.__new__(kind))


def error_classes() -> str:
    """Write what each class of error means."""
    rows = [
        (code(kind.__name__), cell(inspect.getdoc(kind).partition("\n\n")[0]), code(_base(kind)))
        for kind in error_kinds()
    ]
    return table(("error", "what happened", "is a"), rows)


def _base(kind: type) -> str:
    return kind.__bases__[0].__name__


# Python.


def public() -> Iterator[tuple[str, Any]]:
    """Give the public names and what they stand for, in the order of the alphabet."""
    names = sorted({*stocklstm.__all__, "open"} - {"__version__"}, key=str.lower)
    return ((name, getattr(stocklstm, name)) for name in names)


def functions() -> str:
    """Write every public function."""
    return _entries(each for each in public() if not inspect.isclass(each[1]))


def classes() -> str:
    """Write every public class."""
    return _entries(each for each in public() if inspect.isclass(each[1]))


def _entries(entries: Iterator[tuple[str, Any]]) -> str:
    blocks = []
    for name, value in entries:
        blocks += [f"### {name}", f"```python\n{_declared(name, value)}\n```", _prose(value)]
    return "\n\n".join(block for block in blocks if block)


def _declared(name: str, value: Any) -> str:
    if inspect.isclass(value) and issubclass(value, Enum):
        members = [f"    {member.name} = {json.dumps(member.value)}" for member in value]
        return "\n".join([f"class {name}(Enum):", *members])
    signature = inspect.signature(value)
    parameters = [
        parameter.replace(default=_Shown("…"))
        if callable(parameter.default) and parameter.default is not parameter.empty
        else parameter
        for parameter in signature.parameters.values()
    ]
    if is_dataclass(value):
        hidden = {field.name for field in fields(value) if not field.init}
        parameters = [each for each in parameters if each.name not in hidden]
    if inspect.isfunction(value) and value.__module__ == "stocklstm":
        parameters = [each for each in parameters if each.name not in OF_ALL]
    returned = signature.return_annotation if not inspect.isclass(value) else signature.empty
    text = f"{name}{signature.replace(parameters=parameters, return_annotation=returned)}"
    # Names without the modules where they lie, and annotations without quotes.
    text = re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", text)
    text = re.sub(r"(?<=[:>] )'([^']*)'", r"\1", text)
    text = text.replace("<factory>", "…").replace("'", '"')
    return text if len(text) <= 100 else _folded(text, name)


class _Shown:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _folded(text: str, name: str) -> str:
    """Write a long signature with a line for each parameter."""
    inside, _, returned = text.removeprefix(f"{name}(").rpartition(")")
    lines, depth, begun = [], 0, 0
    for place, character in enumerate(inside):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            lines.append(inside[begun : place + 1].strip())
            begun = place + 1
    lines.append(f"{inside[begun:].strip()},")
    return f"{name}(\n" + textwrap.indent("\n".join(lines), "    ") + f"\n){returned}"


OF_ALL = {"home", "lock_timeout_s"}
"""Parameters that all functions take, of which the page speaks once."""

_SECTIONS = ("Args", "Attributes", "Returns", "Raises", "Yields", "Example", "Examples")


def _prose(value: Any) -> str:
    """Write a docstring in Google form as Markdown."""
    text = inspect.getdoc(value) or ""
    heads = "|".join(_SECTIONS)
    summary, *rest = re.split(rf"^({heads}):$\n", text, flags=re.MULTILINE)
    blocks = [_paragraphs(summary)]
    for head, body in zip(rest[::2], rest[1::2], strict=True):
        inner = textwrap.dedent(body).strip()
        if head.startswith("Example"):
            blocks.append(f"```python\n{inner}\n```")
        elif head in {"Returns", "Yields"}:
            blocks.append(f"{head}: {' '.join(inner.split())}")
        else:
            items = re.split(r"^(?=\S)", inner, flags=re.MULTILINE)
            blocks.append(f"{head}:\n\n" + "\n".join(map(_item, filter(None, items))))
    return "\n\n".join(block for block in blocks if block)


def _item(entry: str) -> str:
    term, _, words = " ".join(entry.split()).partition(": ")
    return f"- `{term}`: {words}" if words else f"- {term}"


def _paragraphs(text: str) -> str:
    """Fold paragraphs to one line each; indented ones are code."""
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.startswith("    "):
            blocks.append(f"```python\n{textwrap.dedent(block)}\n```")
        else:
            blocks.append(" ".join(block.split()))
    return "\n\n".join(blocks)


def main() -> None:
    """Write the generated parts of all pages."""
    for page in sorted(REFERENCE.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if renewed(text) != text:
            page.write_text(renewed(text), encoding="utf-8")


if __name__ == "__main__":
    main()
