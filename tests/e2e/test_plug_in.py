"""A source of one's own, written as the documentation says."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.conftest import Program
from tests.support.places import DOCS

DOCUMENT = (DOCS / "how-to" / "price-source.md").read_text()
MODULE = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)[0]
NAME, VALUE = re.findall(r'^(\w+) = "(my_prices:\w+)"$', DOCUMENT, re.MULTILINE)[0]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory of packages with the example installed in it."""
    info = tmp_path / "site" / "my_prices-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-prices\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[stocklstm.sources]\n{NAME} = {VALUE}\n")
    (info.parent / "my_prices.py").write_text(MODULE)
    return info.parent


def path_with(site: Path) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}


def test_the_documented_source_is_listed_and_fetched_from(program: Program, site: Path) -> None:
    listed = program("fetch", "--list-sources", **path_with(site))
    fetched = program("fetch", "--source", NAME, "-t", "PETR4.SA", "--json", **path_with(site))

    assert listed.stdout.split() == sorted(["b3", "csv", "sample", "yahoo", NAME])
    assert fetched.returncode == 0, fetched.stderr
    (result,) = json.loads(fetched.stdout)["results"]
    assert (result["source"], result["rows_added"], result["last"]) == (NAME, 2, "2024-03-13")


def test_a_plug_in_that_cannot_be_loaded_is_named(program: Program, site: Path) -> None:
    (site / "my_prices.py").write_text("import a_package_that_is_gone\n")

    run = program("fetch", "--source", NAME, "-t", "PETR4.SA", **path_with(site))

    assert run.returncode == 2
    assert run.stderr.startswith(f"error: the price source '{NAME}' ({VALUE}) cannot be loaded")
    assert "Traceback" not in run.stderr
