"""Every command of a tutorial prints what the tutorial says, and its pictures are small."""

import shlex
from pathlib import Path

import pytest

from stocklstm.core.language import ENGLISH, PORTUGUESE, VARIABLE
from tests.conftest import Cli
from tests.support.places import DOCS
from tests.support.transcripts import agrees_elsewhere, as_shown, transcripts

TUTORIALS = {ENGLISH: "tutorial/first-forecast.md", PORTUGUESE: "pt-BR/primeira-previsao.md"}


@pytest.mark.usefixtures("trained_once")
@pytest.mark.parametrize("language", TUTORIALS)
def test_a_tutorial(
    cli: Cli, reader_home: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    """Train with the real presets, as each reader does: some seconds."""
    page = (DOCS / TUTORIALS[language]).read_text(encoding="utf-8")
    monkeypatch.delenv("STOCKLSTM_HOME")
    monkeypatch.delenv("STOCKLSTM_CONFIG")
    monkeypatch.setenv(VARIABLE, language)
    monkeypatch.chdir(reader_home)
    found = list(transcripts(page))

    assert [command.split()[0] for command, _ in found] == [
        *("fetch", "prices", "train", "train", "evaluate", "predict", "predict", "train")
    ]
    for command, documented in found:
        outcome = cli(*shlex.split(command))

        assert outcome.code == 0, outcome.err
        shown = as_shown(outcome.out, reader_home)
        # python -m tests.support.transcripts writes what is to stand there.
        assert agrees_elsewhere(shown, documented, language), f"$ stocklstm {command}\n{shown}"


@pytest.mark.parametrize("picture", sorted(DOCS.rglob("*.png")), ids=lambda path: path.name)
def test_pictures_are_small_and_shown(picture: Path) -> None:
    assert picture.stat().st_size < 60_000
    pages = [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
    assert any(picture.name in page.read_text(encoding="utf-8") for page in pages)
