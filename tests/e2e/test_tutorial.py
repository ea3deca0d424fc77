"""Every command of a tutorial prints what the tutorial says, and its pictures are small."""

import hashlib
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stocklstm.core.language import ENGLISH, PORTUGUESE, VARIABLE
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.learn.loop import TrainedNetwork, TrainingData, train_network
from stocklstm.workflows.train import fit
from tests.conftest import Cli
from tests.support.places import DOCS
from tests.support.transcripts import agrees_elsewhere, as_hers, transcripts

TUTORIALS = {ENGLISH: "tutorial/first-forecast.md", PORTUGUESE: "pt-BR/primeira-previsao.md"}


@pytest.fixture(scope="module")
def _networks() -> dict[str, TrainedNetwork]:
    return {}


@pytest.fixture
def _trained_once(_networks: dict[str, TrainedNetwork], monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the network that the tutorial before has trained, by the same settings."""

    def train(
        config: TrainingConfig, data: TrainingData, on_epoch: Callable[..., None], **others: Any
    ) -> TrainedNetwork:
        key = hashlib.sha256(data.inputs.tobytes() + data.targets.tobytes() + repr(config).encode())
        if key.hexdigest() not in _networks:
            _networks[key.hexdigest()] = train_network(config, data, on_epoch, **others)
        return _networks[key.hexdigest()]

    monkeypatch.setattr(fit, "train_network", train)


@pytest.mark.usefixtures("_trained_once")
@pytest.mark.parametrize("language", TUTORIALS)
def test_a_tutorial(cli: Cli, hers: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    """Train with the real presets, as each reader does: some seconds."""
    page = (DOCS / TUTORIALS[language]).read_text(encoding="utf-8")
    monkeypatch.delenv("STOCKLSTM_HOME")
    monkeypatch.delenv("STOCKLSTM_CONFIG")
    monkeypatch.setenv(VARIABLE, language)
    monkeypatch.chdir(hers)
    found = list(transcripts(page))

    assert [command.split()[0] for command, _ in found] == [
        *("fetch", "prices", "train", "train", "evaluate", "predict", "predict", "train")
    ]
    for command, documented in found:
        outcome = cli(*shlex.split(command))

        assert outcome.code == 0, outcome.err
        shown = as_hers(outcome.out, hers)
        # python -m tests.support.transcripts writes what is to stand there.
        assert agrees_elsewhere(shown, documented, language), f"$ stocklstm {command}\n{shown}"


@pytest.mark.parametrize("picture", sorted(DOCS.rglob("*.png")), ids=lambda path: path.name)
def test_pictures_are_small_and_shown(picture: Path) -> None:
    assert picture.stat().st_size < 60_000
    pages = [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
    assert any(picture.name in page.read_text(encoding="utf-8") for page in pages)
