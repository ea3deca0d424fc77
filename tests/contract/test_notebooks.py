"""The notebooks of the documents are stored as they were run; .ci/run runs them anew."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.places import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))

# Of no machine but the one on which it was run.
OF_A_MACHINE = re.compile(r"/tmp/|/root|/home/|/Users/|[A-Z]:\\|site-packages|ipykernel")  # noqa: S108


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_there_is_one() -> None:
    assert "first_forecast" in {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_as_it_was_run(path: Path) -> None:
    code = cells(path, "code")

    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        compile("".join(cell["source"]), path.name, "exec")
        assert cell["metadata"] == {}
        for output in cell["outputs"]:
            assert output["output_type"] in {"execute_result", "display_data"}, output
    assert sum("image/png" in json.dumps(cell["outputs"]) for cell in code) >= 2
    without_pictures = re.sub(r'"image/png": ".*?"', "", path.read_text(encoding="utf-8"))
    assert not OF_A_MACHINE.findall(without_pictures)
    assert json.loads(path.read_text(encoding="utf-8"))["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_link_of_it_leads_somewhere(path: Path) -> None:
    words = "\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))

    targets = re.findall(r"\]\((?!https?:)([^)\s#]+)", words)

    assert targets
    assert [target for target in targets if not (path.parent / target).exists()] == []
    indexes = [page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("README.md")]
    assert any(f"notebooks/{path.name})" in index for index in indexes)


def test_ci_runs_them() -> None:
    assert ".venv/bin/python .ci/notebooks.py" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
