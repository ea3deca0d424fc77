"""What the package says of itself: its dependencies, each with a floor, and its version."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stocklstm import __version__
from tests.support.places import ROOT

FILE = (ROOT / "pyproject.toml").read_text()
PROJECT = tomllib.loads(FILE)["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOR_USERS = ("parquet", "tune", "garch", "api", "distributed")
# The standard library of every Python that is supported; SHA-256 has another name in each.
STANDARD = {*sys.stdlib_module_names, "_sha2", "_sha256", "_typeshed"}
OURS = {"stocklstm", "tests", *(path.stem for path in (ROOT / "benchmarks").glob("*.py"))}


def declared(*extras: str) -> set[str]:
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    wanted = [Requirement(line) for line in lines]
    # dask[distributed] brings the package of that name.
    return {canonicalize_name(name) for each in wanted for name in (each.name, *each.extras)}


def imports(folder: str) -> Iterator[tuple[Path, str]]:
    """List the dotted names that the modules of a folder import from other packages."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{each.name}" for each in node.names]
            else:
                continue
            for name in names:
                top = name.partition(".")[0]
                if top not in STANDARD | OURS:
                    yield path.relative_to(ROOT), name


def undeclared(folder: str, allowed: set[str]) -> list[str]:
    packages = packages_distributions()

    def owners(top: str) -> set[str]:
        return {canonicalize_name(each) for each in packages.get(top, (top,))}

    return [
        f"{path} imports {name}"
        for path, name in imports(folder)
        if not owners(name.partition(".")[0]) & allowed
    ]


def test_everything_that_is_imported_is_declared() -> None:
    # What comes along with another package may leave with its next release.
    assert len(set(imports("stocklstm"))) > 50
    assert undeclared("stocklstm", declared(*FOR_USERS)) == []
    assert undeclared("tests", declared(*FOR_USERS, "test")) == []
    # Two are compared with where they are installed.
    compared = {"darts", "neuralforecast", "skorch"}
    assert undeclared("benchmarks", declared(*FOR_USERS, "test") | compared) == []


def test_nothing_private_of_another_package_is_imported() -> None:
    private = [
        f"{path} imports {name}"
        for path, name in imports("stocklstm")
        if any(part.startswith("_") and part != "__version__" for part in name.split("."))
    ]
    assert private == []


@pytest.mark.parametrize("extra", ["", *FOR_USERS, "test"])
def test_every_requirement_has_a_floor_and_a_ceiling_only_for_a_reason(extra: str) -> None:
    for line in EXTRAS[extra] if extra else PROJECT["dependencies"]:
        wanted = Requirement(line)
        if wanted.name == "stocklstm":
            continue
        operators = {each.operator for each in wanted.specifier}
        assert ">=" in operators, line
        if operators != {">="}:
            assert operators == {">=", "<"}, line
            assert re.search(rf'^ +# .*\n +"{re.escape(line)}"', FILE, re.MULTILINE), line


def test_the_version_is_that_of_the_newest_release_in_the_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)

    assert text.index("## [Unreleased]") < text.index(f"## [{released[0][0]}]")
    assert released[0][0] == __version__
    assert [day for _, day in released] == sorted((day for _, day in released), reverse=True)
    for line in text.partition(f"## [{released[0][0]}]")[2].partition("\n## ")[0].splitlines():
        assert len(line) <= 120, line
