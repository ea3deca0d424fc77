"""Training that is killed at any step ends, once resumed, with the very same weights."""

import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from stocklstm import train
from stocklstm.core.settings.config import configure
from stocklstm.learn.checkpoints import decode_checkpoint
from stocklstm.store.store import open_store
from stocklstm.workflows.train.beginning import StartFrom
from tests.conftest import TICKER
from tests.support.forks import TRAINING, forks_of
from tests.support.same_values import require_same

SETTINGS = {
    "epochs": 4,
    "hidden_size": 4,
    "seq_length": 8,
    "batch_size": 128,
    "patience": None,
    "lr_patience": 0,
    "warmup_epochs": 1,
    "top_k": 1,
    "checkpoint_every": 3,
}
# Of so many rows a fifth is for the test, and of the rest a sixth for validation.
STEPS = 4 * 18

Trainer = Callable[..., int]


def train_until(home: str, steps: int, settings: dict[str, Any]) -> int:
    """Train, or go on with it, and be killed as by the system after so many steps; 0 for never."""
    torch.set_num_threads(1)
    left = steps

    def killed() -> bool:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    result = train(
        [TICKER],
        configure("calibrated", **settings),
        promote="never",
        beginning=StartFrom(resume="auto"),
        should_stop=killed,
        home=Path(home),
    )
    for failure in result.failures:
        print(failure.error, file=sys.stderr)  # noqa: T201 - for whoever looks why a test failed
    return len(result.failures)


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainer]:
    with forks_of(tmp_path_factory.mktemp("forks"), *TRAINING, __name__) as forks:

        def order(home: Path, steps: int, **settings: object) -> int:
            ended = forks.run(f"{__name__}:train_until", str(home), steps, settings)
            assert ended.code in {0, -signal.SIGKILL}, ended.err
            return ended.code

        yield order


def contents(home: Path, version: int) -> dict[str, dict]:
    """Read every checkpoint of a version."""
    with open_store(home) as store:
        manifest = store.registry.manifest(TICKER, version)
        return {
            name: decode_checkpoint(store.registry.read_file(manifest, name))
            for name in sorted(manifest.files)
            if name.endswith(".pth")
        }


@pytest.mark.parametrize(
    ("schedule", "optimizer"),
    [
        ("constant", "adam"),
        ("plateau", "adamw"),
        ("cosine", "sgd"),
        ("exponential", "rmsprop"),
        ("warmup-cosine", "adam"),
    ],
)
def test_three_kills_change_no_bit(
    priced_home: Path, trainer: Trainer, schedule: str, optimizer: str
) -> None:
    settings = {**SETTINGS, "schedule": schedule, "optimizer": optimizer}
    chance = random.Random(f"{schedule} {optimizer}")
    assert trainer(priced_home, 0, **settings) == 0

    for _ in range(3):
        # Anywhere in two epochs, so that the last kill comes before the end.
        assert trainer(priced_home, chance.randint(1, STEPS // 3), **settings) == -9
        with open_store(priced_home) as store:
            assert len(store.runs.names(TICKER)) == 1
            assert store.registry.versions(TICKER) == [1]
    assert trainer(priced_home, 0, **settings) == 0

    whole, pieces = contents(priced_home, 1), contents(priced_home, 2)
    assert "checkpoint-epoch-0003.pth" in whole
    assert whole.keys() == pieces.keys()
    require_same(whole, pieces)
    with open_store(priced_home) as store:
        assert store.runs.names() == []
        assert list(store.paths.runs.iterdir()) == []
