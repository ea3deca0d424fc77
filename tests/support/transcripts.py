"""Commands that a page shows with what they print: read, compared, and recorded anew.

Run: python -m tests.support.transcripts docs/tutorial/first-forecast.md ...

Runs every command of each page, in a store of its own, and writes what is printed now
into the page; pages in docs/pt-BR have it in Portuguese.
Pictures that the page shows as `images/v1-NAME.png` are taken from the reports of that version.
"""

import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from stocklstm.core.clock import now
from stocklstm.core.language import ENGLISH, PORTUGUESE, VARIABLE
from tests.support.places import ROOT

# The home directory that the pages show, and the day on which prices were fetched there.
SHOWN_HOME, SHOWN_DAY = "/home/ana", "2026-11-21"

# Another processor rounds differently, which moves what comes of a training a little, and p-values,
# which alone have three decimals, more than that.
TOLERANCE, RELATIVE, P_TOLERANCE = 0.05, 0.02, 0.2

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")

# What depends on how fast the machine is, and where a training stops on another processor.
_VARYING = re.compile(
    r"()(?:T\d\d:\d\d:\d\dZ|\b\d\d:\d\d\b|\b\d+ s\b)"
    r"|((?:epochs?|épocas?|época mantida) +)\d+"
)

_BLOCK = re.compile(r"^```\n(\$ stocklstm .*?)^```", re.MULTILINE | re.DOTALL)


def transcripts(text: str) -> Iterator[tuple[str, str]]:
    """Give each command that a page shows, and what it is said to print."""
    for block in _BLOCK.findall(text):
        for part in block.split("$ stocklstm ")[1:]:
            command, _, shown = part.partition("\n")
            yield command, shown.rstrip("\n")


def as_shown(printed: str, home: Path) -> str:
    """Write what was printed as the pages show it: with their home directory, on their day."""
    day = date.fromisoformat(SHOWN_DAY)
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        printed = printed.replace(now().strftime(form), day.strftime(form))
    return printed.rstrip("\n").replace(str(home), SHOWN_HOME)


def agrees(shown: str, documented: str, language: str = ENGLISH) -> bool:
    """Tell whether two texts have the same words, counts and days, and nearly the same figures."""
    # A figure of one digit less breaks a line elsewhere.
    texts = [shown.replace("\n", " "), documented.replace("\n", " ")]
    if language == PORTUGUESE:
        texts = [text.translate(str.maketrans(",.", ".,")) for text in texts]
    if NUMBER.sub("#", texts[0]) != NUMBER.sub("#", texts[1]):
        return False
    return all(
        own == other or ("." in own and _is_near(own, other))
        for own, other in zip(*map(NUMBER.findall, texts), strict=True)
    )


def _is_near(own: str, other: str) -> bool:
    is_p = len(own.partition(".")[2]) == 3 and float(own) <= 1
    tolerance = P_TOLERANCE if is_p else TOLERANCE
    return float(own) == pytest.approx(float(other), RELATIVE, tolerance)


def agrees_elsewhere(shown: str, documented: str, language: str) -> bool:
    """Tell whether two texts agree that were printed by machines of another speed."""
    texts = (_VARYING.sub(r"\1\2some", text) for text in (shown, documented))
    return agrees(*texts, language)


def record(page: Path) -> None:
    """Write into a page what its commands print now, and beside it the pictures it shows."""
    language = PORTUGUESE if page.parent.name == PORTUGUESE else ENGLISH
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "ana"
        home.mkdir()
        environment = {
            **{name: value for name, value in os.environ.items() if "STOCKLSTM" not in name},
            "HOME": str(home),
            "COLUMNS": "80",
            "TZ": "UTC",
            VARIABLE: language,
            "PYTHONPATH": str(ROOT),
        }

        def printed(block: re.Match[str]) -> str:
            lines = ["```"]
            for command, before in transcripts(block.group()):
                done = subprocess.run(
                    [sys.executable, "-m", "stocklstm", *shlex.split(command)],
                    env=environment,
                    cwd=home,
                    stdout=subprocess.PIPE,
                    check=True,
                    text=True,
                )
                shown = as_shown(done.stdout, home)
                # What is as it was stays, to the last digit.
                kept = before if agrees_elsewhere(shown, before, language) else shown
                lines += [f"$ stocklstm {command}", *kept.split("\n")]
            return "\n".join([*lines, "```"])

        text = _BLOCK.sub(printed, page.read_text(encoding="utf-8"))
        page.write_text(text, encoding="utf-8")
        for version, name in set(re.findall(r"images/(v\d+)-(\w+\.png)", text)):
            (report,) = home.glob(f".local/share/stocklstm/reports/*/{version}/{name}")
            _shrink(report, page.parent / "images" / f"{version}-{name}")


def _shrink(picture: Path, copy: Path) -> None:
    """Copy a picture with as few colours as it needs."""
    from PIL import Image

    copy.parent.mkdir(exist_ok=True)
    few = io.BytesIO()
    Image.open(picture).convert("RGB").quantize(
        64, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE
    ).save(few, format="png", optimize=True)
    copy.write_bytes(few.getvalue())


if __name__ == "__main__":
    for each in sys.argv[1:]:
        record(Path(each))
