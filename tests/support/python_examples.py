"""Examples in Python that a page shows with what they print: run, compared, and recorded anew.

Run: python -m tests.support.python_examples

Runs every example of docs/reference/python.md in the store that `stocklstm demo` makes, and writes
what is printed now into the page.
"""

import doctest
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import stocklstm
from tests.support.places import ROOT

PAGE = ROOT / "docs" / "reference" / "python.md"

_BLOCK = re.compile(r"(?<=^```python\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)


def run_again(text: str) -> Iterator[tuple[str, str, str]]:
    """Run the examples of a page, one after the other, in the same namespace.

    Yields:
        Of each block the block, what stands there as its output, and what is printed now.
    """
    names: dict[str, Any] = {}
    for block in _BLOCK.findall(text):
        parts: list[str] = []
        shown: list[tuple[str, str]] = []
        for part in doctest.DocTestParser().parse(block):
            if isinstance(part, str):
                parts.append(part)
                continue
            printed = io.StringIO()
            with redirect_stdout(printed):
                exec(compile(part.source, "<page>", "single"), names)  # noqa: S102 - our own words
            now = re.sub(r"[ \t]+$", "", printed.getvalue(), flags=re.MULTILINE)
            # Which grows by the day.
            now = re.sub(r"\d+ sessions behind", "600 sessions behind", now)
            lines = part.source.removesuffix("\n").split("\n")
            prompts = [">>>", *["..."] * (len(lines) - 1)]
            parts += [
                f"{f'{prompt} {line}'.rstrip()}\n"
                for prompt, line in zip(prompts, lines, strict=True)
            ]
            # An empty line would end what is printed.
            parts.append(re.sub(r"^\s*\n", "<BLANKLINE>\n", now, flags=re.MULTILINE))
            shown.append((part.want, now))
        yield "".join(parts), "".join(want for want, _ in shown), "".join(n for _, n in shown)


def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        os.environ["STOCKLSTM_HOME"] = f"{place}/home"
        subprocess.run(
            [sys.executable, "-m", "stocklstm", "demo", "--home", f"{place}/home", "--quiet"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        stocklstm.promote("PETR4.SA@v1")
        text = PAGE.read_text(encoding="utf-8")
        blocks = iter([block for block, _, _ in run_again(text)])
        PAGE.write_text(_BLOCK.sub(lambda _: next(blocks), text), encoding="utf-8")


if __name__ == "__main__":
    main()
