"""Run the notebooks of docs/notebooks/, and compare what they show with what is stored in them.

    python .ci/notebooks.py            fails where a cell fails or shows something else
    python .ci/notebooks.py --write    stores what they show, once one or the program was changed

Each runs in a kernel of its own, in an empty directory, without the settings of whoever runs it.
Figures may differ a little: another processor rounds differently. Pictures are only there or not.
"""

import difflib
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))

DAY = re.compile(r"\d{4}-\d\d-\d\d")
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")
SECONDS_A_CELL = 300


def executed(path: Path) -> Any:  # noqa: ANN401 - nbformat has no types
    """Run a notebook, and leave of it what is the same each time."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as place:
        client = NotebookClient(
            notebook,
            timeout=SECONDS_A_CELL,
            kernel_name="python3",
            extra_arguments=["--Application.log_level=ERROR"],
            resources={"metadata": {"path": place}},
        )
        client.execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells, 1):
        cell.id, cell.metadata = f"cell-{number}", {}
    return notebook


def shown(notebook: Any) -> list[str]:  # noqa: ANN401 - likewise
    """Give what each cell shows, as text; of a picture that there is one."""
    lines = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            text = output.get("text") or data.get("text/plain", "")
            if "image/png" in data:
                text = "a picture"
            # Which grows by the day.
            text = re.sub(r"\d+ sessions behind", "600 sessions behind", text)
            lines += [f"{cell.id}: {line.rstrip()}" for line in text.splitlines()]
    return lines


def agrees(now: str, stored: str) -> bool:
    """Tell whether two lines have the same words and nearly the same figures."""
    # A figure of one digit less moves the column beside it.
    words = [re.sub(r"\s+|[─-]+", " ", NUMBER.sub("#", line)) for line in (now, stored)]
    if words[0] != words[1] or DAY.findall(now) != DAY.findall(stored):
        return False
    figures = (NUMBER.findall(DAY.sub("", line).replace(",", "")) for line in (now, stored))
    return all(_is_near(own, other) for own, other in zip(*figures, strict=True))


def _is_near(own: str, other: str) -> bool:
    difference, size = abs(float(own) - float(other)), abs(float(other))
    if "." in own or "." in other:
        return difference <= 0.2 + 0.02 * size
    # Another processor stops after a few epochs more or less; nothing else counts differently.
    return difference <= 0.2 * size and (size < 1000 or not difference)


def main() -> int:
    """Run all of them."""
    for name in [name for name in os.environ if name.startswith("STOCKLSTM_")]:
        del os.environ[name]
    # Which kernels other programs installed is nobody's business here.
    os.environ["JUPYTER_PLATFORM_DIRS"] = "1"
    wrong = 0
    for path in NOTEBOOKS:
        now = executed(path)
        if "--write" in sys.argv[1:]:
            path.write_text(nbformat.writes(now) + "\n", encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: stored")
            continue
        found, stored = shown(now), shown(nbformat.read(path, as_version=4))
        same = len(found) == len(stored) and all(map(agrees, found, stored))
        print(f"{path.relative_to(ROOT)}: {'as stored' if same else 'shows something else'}")
        if not same:
            print("\n".join(difflib.unified_diff(stored, found, "stored", "now", lineterm="")))
            wrong += 1
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
