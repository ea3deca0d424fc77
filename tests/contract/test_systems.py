"""What differs between systems is in one module: no other uses a name that one of them has not."""

import ast
import os
import re
import select
import signal
from collections.abc import Iterator

import yaml

from tests.contract.test_documents import README
from tests.contract.test_structure import PACKAGE, modules
from tests.support.limited_system import MISSING, NO_MODULES
from tests.support.places import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "tests.yml"

HOME = PACKAGE / "core" / "operating_system.py"

# What every system has, and each does otherwise: ends the process, or asks for patience or flags.
_OTHERWISE = {
    "os": {
        *("fsync", "getppid", "kill", "name", "open", "rename", "replace", "startfile"),
    },
    "sys": {"platform"},
    "platform": {"system"},
}

_OF_PATHS = {"rename", "replace", "hardlink_to", "is_mount", "owner", "group"}

FORBIDDEN = {
    module: MISSING.get(module, set()) | _OTHERWISE.get(module, set())
    for module in (*MISSING, *_OTHERWISE)
}


def _found(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in NO_MODULES)
        elif isinstance(node, ast.ImportFrom):
            if node.module in NO_MODULES:
                yield str(node.module)
            names = FORBIDDEN.get(str(node.module), set())
            yield from (f"{node.module}.{each.name}" for each in node.names if each.name in names)
        elif isinstance(node, ast.Attribute):
            module = ast.unparse(node.value)
            if node.attr in FORBIDDEN.get(module, ()):
                yield f"{module}.{node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield from _of_a_path(node, node.func)


def _of_a_path(call: ast.Call, method: ast.Attribute) -> Iterator[str]:
    # A string is replaced by two words, a record by keywords, and `system()` moves two paths.
    words = 1 if method.attr in {"rename", "replace"} else 0
    if method.attr in _OF_PATHS and len(call.args) == words and not call.keywords:
        yield f".{method.attr}()"


def test_only_one_module_knows_what_a_system_has() -> None:
    found = {
        (str(path.relative_to(PACKAGE)), name)
        for path in modules().values()
        if path != HOME
        for name in _found(ast.parse(path.read_text(encoding="utf-8")))
    }

    # Before anything is imported; what it opens leads nowhere.
    assert found == {("__main__.py", "os.open")}


def test_such_names_are_found() -> None:
    text = """
import fcntl
from os import replace
from signal import SIGHUP
os.kill(1, 0)
sys.platform
Path("a").rename(b)
path.is_mount()
"""
    assert set(_found(ast.parse(text))) == {
        *("fcntl", "os.replace", "signal.SIGHUP", "os.kill", "sys.platform", ".rename()"),
        ".is_mount()",
    }
    harmless = 'text.replace("a", "b"); day.replace(tzinfo=UTC); system().rename(a, b); os.getpid()'
    assert set(_found(ast.parse(harmless))) == set()


# In hints these would be commands that one of the systems has not.
_OF_A_SHELL = re.compile(
    r"\b(ulimit|unset|openssl|readlink|sudo|chmod|chown)\b|^export ([A-Z]|$)|&&|\$\(|--remove-d"
)


def _texts(tree: ast.Module) -> Iterator[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, documented) and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node not in docstrings:
            yield str(node.value)


def test_only_one_module_writes_commands_of_a_shell() -> None:
    found = [
        (path.name, text)
        for path in modules().values()
        # A line of cron is of a shell's by its nature.
        if path not in {HOME, HOME.with_name("scheduling.py")}
        for text in _texts(ast.parse(path.read_text(encoding="utf-8")))
        if _OF_A_SHELL.search(text)
    ]

    assert found == []


def test_what_is_hidden_is_there_to_be_hidden() -> None:
    for module in (os, select, signal):
        assert {name for name in MISSING[module.__name__] if not hasattr(module, name)} == set()


def test_the_workflow_runs_what_readme_promises_on_every_system() -> None:
    job = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["tests"]
    lines = [line for step in job["steps"] for line in step.get("run", "").splitlines()]
    (promised,) = [line for line in README.splitlines() if "pip install -e '.[test]'" in line]
    options = promised.rpartition("pytest")[2]

    assert job["strategy"]["matrix"] == {
        "system": ["ubuntu-latest", "windows-latest", "macos-latest"],
        "python": ["3.11", "3.12", "3.13", "3.14"],
    }
    assert "python -m pip install -e '.[test]'" in lines
    assert f"python -m pytest{options}" in lines
    commands = {line.split()[1] for line in lines if line.startswith("stocklstm ")}
    assert commands == {*("fetch", "train", "evaluate", "predict", "validate", "quantize", "demo")}
