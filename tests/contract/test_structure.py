"""The structure that docs/CONTRIBUTING.md describes, read from the imports as they are written.

Layers and the order of rooms are contracts of import-linter; this is what it has no contract for.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "stocklstm"

LONGEST_CHAIN = 4
"""Imports one after the other, among the files of one folder."""

SAME_SUBJECT: set[str] = set()
"""Names that files of one layer share, in different rooms, as they are about the same."""


@cache
def modules() -> dict[str, Path]:
    return {_name(path): path for path in PACKAGE.rglob("*.py")}


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path) -> Iterator[str]:
    """Name what a file imports from the package, wherever in it, but for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in modules() else node.module


@cache
def imports() -> dict[str, set[str]]:
    return {
        name: {other for other in _imported(path) if other in modules()}
        for name, path in modules().items()
    }


def _chain(start: str, arrows: dict[str, set[str]], path: tuple[str, ...] = ()) -> list[str]:
    """Find the longest chain that begins somewhere; a circle is an error."""
    assert start not in path, f"a circle: {' -> '.join((*path, start))}"
    longest = max(
        (_chain(other, arrows, (*path, start)) for other in sorted(arrows[start])),
        key=len,
        default=[],
    )
    return [start, *longest]


def test_no_circle_even_with_imports_inside_functions() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle: {' -> '.join((*path, name))}"
        if name not in done:
            for other in sorted(imports()[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in modules():
        visit(name, ())


def _folders() -> list[str]:
    return sorted({name.rpartition(".")[0] for name in modules() if "." in name})


@pytest.mark.parametrize("folder", _folders())
def test_chains_of_imports_within_a_folder_are_short(folder: str) -> None:
    inside = {name for name in modules() if name.rpartition(".")[0] == folder}
    arrows = {name: imports()[name] & inside for name in inside}

    longest = max((_chain(name, arrows) for name in inside), key=len)

    assert len(longest) - 1 <= LONGEST_CHAIN, " -> ".join(longest)


def test_files_of_one_layer_have_names_of_their_own() -> None:
    found = defaultdict(set)
    for name, path in modules().items():
        if path.name != "__init__.py":
            _, layer, *rest = name.split(".")
            found[layer, rest[-1] if rest else layer].add(name)

    shared = {name: files for (_, name), files in found.items() if len(files) > 1}

    assert shared.keys() == SAME_SUBJECT, shared
