"""Every command of a tutorial prints what the tutorial says, and its pictures are small."""

import re
import shlex
from pathlib import Path

import pytest

from stocklstm.core.clock import now
from tests.conftest import Cli
from tests.support.places import DOCS
from tests.support.transcripts import HER_DAY, HER_HOME, agrees, transcripts

# What depends on how fast the machine is, and where a training stops on another processor.
VARYING = re.compile(r"T\d\d:\d\d:\d\dZ|\b\d+ s\b|(?<=epoch )\d+|(?<=epochs {6})\d+|epoch  \d+")


def test_the_tutorial(cli: Cli, hers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train with the real presets, as each reader does: some seconds."""
    page = DOCS / "tutorial" / "first-forecast.md"
    monkeypatch.delenv("STOCKLSTM_HOME")
    monkeypatch.delenv("STOCKLSTM_CONFIG")
    monkeypatch.chdir(hers)
    found = list(transcripts(page.read_text(encoding="utf-8")))

    assert [command.split()[0] for command, _ in found] == [
        *("fetch", "prices", "train", "train", "evaluate", "predict", "predict", "train")
    ]
    today = f"{now():%Y-%m-%d}"
    for command, documented in found:
        outcome = cli(*shlex.split(command))

        assert outcome.code == 0, outcome.err
        shown = outcome.out.rstrip("\n").replace(str(hers), HER_HOME).replace(today, HER_DAY)
        said = (VARYING.sub("some", text) for text in (shown, documented))
        # python -m tests.support.transcripts writes what is to stand there.
        assert agrees(*said), f"$ stocklstm {command}\n{shown}"


@pytest.mark.parametrize("picture", sorted(DOCS.rglob("*.png")), ids=lambda path: path.name)
def test_pictures_are_small_and_shown(picture: Path) -> None:
    assert picture.stat().st_size < 60_000
    pages = [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
    assert any(picture.name in page.read_text(encoding="utf-8") for page in pages)
