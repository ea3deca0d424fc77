"""Print what CHANGELOG.md says of a version: the text of its tag.

Run: git tag -a v0.2.0 -F <(python .ci/release_notes.py 0.2.0)
"""

import re
import sys
from pathlib import Path


def notes(changelog: str, version: str) -> str:
    """Give the section of a version, its heading first.

    Raises:
        ValueError: There is none.
    """
    found = re.search(
        rf"^## \[{re.escape(version)}\].*?(?=^## |\Z)", changelog, re.DOTALL | re.MULTILINE
    )
    if found is None:
        raise ValueError(f"CHANGELOG.md has no section of {version}")
    title, _, text = found[0].strip().partition("\n")
    # In the text of a tag a line that begins with # would be left out.
    text = re.sub(r"^#+ (.*)$", r"\1:", text.strip(), flags=re.MULTILINE)
    return f"stocklstm {title.removeprefix('## ').replace('[', '').replace(']', '')}\n\n{text}"


if __name__ == "__main__":
    print(notes((Path(__file__).parent.parent / "CHANGELOG.md").read_text("utf-8"), sys.argv[1]))
