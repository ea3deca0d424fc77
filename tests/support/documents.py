"""The pages, and the commands that they tell to type."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.places import DOCS, ROOT

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

_BLOCK = re.compile(r"^```(?:sh|console|text)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ANY_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

# At its beginning a prompt, or where it lies; what follows is another command or a file.
_BEGINNING = re.compile(r"\s*(?:\$ )?(?:\S+/)?(?=stocklstm )")
_NEXT = re.compile(r" (?:&&|\|\|?|>>?|;) ")


def name_of(page: Path) -> str:
    """Name a page by its place in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(text: str) -> list[list[str]]:
    """Give the lines of each block of a page that is no other language."""
    return [block.splitlines() for block in _BLOCK.findall(text)]


def commands(lines: list[str]) -> Iterator[str]:
    """Give the command lines of a block: those with a prompt, or all if there is none."""
    prompted = [line for line in lines if line.startswith("$ ")]
    for line in prompted or lines:
        begun = _BEGINNING.match(line)
        if begun:
            parts = _NEXT.split(line[begun.end() :].partition(" #")[0])
            yield from (part.strip() for part in parts if part.startswith("stocklstm "))


def inline_commands(text: str) -> list[str]:
    """Give the command lines within sentences and tables."""
    return re.findall(r"`(stocklstm [^`\n]+)`", _ANY_BLOCK.sub("", text))
