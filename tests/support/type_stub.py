"""What type checkers and editors are told of `stocklstm`, whose names are loaded on first use.

Run: python -m tests.support.type_stub

Writes stocklstm/__init__.pyi of the methods of `Client` and of the list of public names.
"""

import ast
import inspect
from collections.abc import Iterator

import stocklstm
from stocklstm import client
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from tests.support.places import ROOT

STUB = ROOT / "stocklstm" / "__init__.pyi"

FIRST = '"""Written by `python -m tests.support.type_stub` for type checkers and editors."""\n'

FURTHER = (
    ast.arg("home", ast.parse("Path | str | None", mode="eval").body),
    ast.arg("lock_timeout_s", ast.parse("float", mode="eval").body),
)


def stub() -> str:
    """Write the file."""
    tree = ast.parse(inspect.getsource(client))
    functions = [_function(method) for method in _methods(tree)]
    words = {
        node.id
        for function in functions
        for part in (function.args, function.returns)
        for node in ast.walk(part or ast.Pass())
        if isinstance(node, ast.Name)
    }
    public = [
        f"from {module} import {name} as {name}"
        for module, names in stocklstm._MODULES.items()
        for name in names
    ]
    needed = [
        f"from {module} import {name}"
        for module, name in _imports(tree)
        if name in words - set(stocklstm._PLACES)
    ]
    listed = ",\n".join(f'    "{name}"' for name in stocklstm.__all__)
    parts = [
        FIRST,
        "\n".join(sorted([*needed, *public, "from stocklstm import errors as errors"])),
        f"\n__all__ = [\n{listed},\n]",
        "\n__version__: str\n",
        *(_text(function) for function in functions),
    ]
    return "\n".join(parts)


def _methods(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    (kind,) = (
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Client"
    )
    found = {node.name: node for node in kind.body if isinstance(node, ast.FunctionDef)}
    return (found[name] for name in stocklstm._FUNCTIONS)


def _function(method: ast.FunctionDef) -> ast.FunctionDef:
    """Make a function of a method: without itself, with which store, all names in full."""
    arguments = method.args
    arguments.args = arguments.args[1:]
    arguments.kwonlyargs += FURTHER
    arguments.kw_defaults += [ast.Constant(None), ast.Constant(LOCK_TIMEOUT_S)]
    for each in (*arguments.args, *arguments.kwonlyargs):
        each.annotation = _in_full(each.annotation)
    method.returns = _in_full(method.returns)
    return method


def _in_full(annotation: ast.expr | None) -> ast.expr:
    assert annotation is not None
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return ast.parse(annotation.value, mode="eval").body
    return annotation


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.col_offset in {0, 4} and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def _text(function: ast.FunctionDef) -> str:
    """Write a function, an argument a line, with its first sentence."""
    arguments = function.args
    places = len(arguments.args) - len(arguments.defaults)
    defaults = [None] * places + arguments.defaults
    lines = [
        *(_argument(*each) for each in zip(arguments.args, defaults, strict=True)),
        "    *,",
        *(
            _argument(*each)
            for each in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        ),
    ]
    first = (ast.get_docstring(function) or "").partition("\n")[0]
    return "\n".join(
        [
            f"def {function.name}(",
            *lines,
            f") -> {ast.unparse(function.returns)}:" if function.returns else "):",
            f'    """{first}"""',
            "",
        ]
    )


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    """Write an argument; what is no plain value as its default is somewhere else."""
    if default is None:
        return f"    {ast.unparse(argument)},"
    plain = isinstance(default, ast.Constant) or ast.unparse(default) == "()"
    return f"    {ast.unparse(argument)} = {ast.unparse(default) if plain else '...'},"


def main() -> None:
    """Write it."""
    STUB.write_text(stub(), encoding="utf-8")


if __name__ == "__main__":
    main()
