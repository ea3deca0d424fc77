"""The structure that docs/CONTRIBUTING.md describes, read from the imports as they are written.

Layers and the order of rooms are contracts of import-linter; this is what it has no contract for.
"""

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.places import ROOT

PACKAGE = ROOT / "stocklstm"

LONGEST_CHAIN = 4
"""Imports one after the other, among the files of one folder."""

SAME_SUBJECT = {
    "adopt": "models adopt",
    "backup": "backup and restore",
    "aliases": "names of versions: kept in the store, moved by a command",
    "calibration": "intervals that hold what they promise: the tests, and their picture",
    "checks": "outcomes of checks, and how they are shown",
    "classic": "the files of the tutorials, and the commands that write and read them",
    "compare": "evaluate --compare",
    "compression": "making a model smaller: the methods, and the picture of what it costs",
    "config": "the settings of a training, and the command that shows them",
    "diff": "models diff",
    "dry_run": "train --dry-run",
    "evaluate": "evaluate",
    "evening": "evening",
    "fan": "the way to the session that is forecast, and its picture",
    "fetch": "fetch",
    "file_set": "several price files as one source, and reading them",
    "garch": "GARCH: the forecast, and fitting it",
    "horizons": "sessions ahead: how they are written, and evaluate --horizons",
    "intraday": "parts of days: read from files, and asked for",
    "league": "evaluate --all",
    "ledger": "forecasts on record: kept in the store, and scored",
    "listing": "models list and show",
    "live": "forecasts that were given, beside what came: scores, and evaluate --live",
    "pool_scores": "evaluate --model",
    "predict": "predict",
    "prices": "stored prices, and the commands that show them",
    "quantize": "quantize",
    "realised": "sessions measured by their intraday bars: how, and what is stored of them",
    "remove": "models rm and gc",
    "retraining": "train --all: which champions are due, and the options and the view of it",
    "runs": "unfinished trainings: kept in the store, and under way",
    "scores": "what an evaluation yields, and how it is shown",
    "search": "searching for settings: the rules, and Optuna",
    "sign": "models sign",
    "train": "train",
    "trials": "the trials of a search, and their picture",
    "tune": "tune",
    "validate": "validate",
    "walk_forward": "evaluate --walk-forward",
}
"""Names that files of several layers share, and the subject that they share with it."""


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


def _homonyms(scope: Callable[[str], str]) -> dict[str, set[str]]:
    """Find names of more than one file within a scope, and those files."""
    found = defaultdict(set)
    for name, path in modules().items():
        if path.stem not in {"__init__", "__main__"}:
            found[scope(name), path.stem].add(name)
    return {file: names for (_, file), names in found.items() if len(names) > 1}


def test_files_of_one_layer_have_names_of_their_own() -> None:
    assert _homonyms(lambda name: name.split(".")[1]) == {}


def test_files_of_several_layers_share_a_name_only_if_they_share_a_subject() -> None:
    shared = _homonyms(lambda _: "")

    assert {name: shared[name] for name in shared.keys() - SAME_SUBJECT.keys()} == {}
    assert SAME_SUBJECT.keys() - shared.keys() == set(), "these names are no longer shared"
