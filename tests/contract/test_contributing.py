"""docs/CONTRIBUTING.md names every file of the package where it is, and no other."""

import re

import pytest

from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "CONTRIBUTING.md").read_text(encoding="utf-8")

# The list of the tree: - **folder/**: `file.py` (what it holds) · …
LISTED = {
    folder: re.findall(r"`(\w+\.py)`", files)
    for folder, files in re.findall(r"^- \*\*(stocklstm/[\w/]*)\*\*: (.*)$", PAGE, re.MULTILINE)
}

FOLDERS = {
    str(path.parent.relative_to(ROOT)) + "/": path.parent
    for path in (ROOT / "stocklstm").rglob("__init__.py")
}


def test_every_folder_is_listed() -> None:
    assert LISTED.keys() == FOLDERS.keys()


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_the_files_of_a_folder_are_listed_once(folder: str) -> None:
    there = {path.name for path in FOLDERS[folder].glob("*.py")}
    inside = there if folder == "stocklstm/" else there - {"__init__.py"}

    assert sorted(LISTED[folder]) == sorted(inside)


def test_every_path_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:stocklstm|tests|benchmarks|docs|\.ci)/[\w./]+)`", PAGE))

    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
