"""A run that was stopped and resumed ends as if nothing had happened, to the last bit."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import pytest
import torch

from stocklstm.core.prices.series import Bars
from stocklstm.core.settings.config import TrainingConfig, configure
from stocklstm.errors import ConfigError
from stocklstm.learn import shards
from stocklstm.learn.checkpoints import (
    decode_checkpoint,
    decode_state,
    encode_checkpoint,
)
from stocklstm.learn.loop import TrainedNetwork, TrainingData, train_network
from stocklstm.learn.stopping import StoppedError
from tests.support.training_data import training_data

SCHEDULES = ("constant", "plateau", "cosine", "exponential", "warmup-cosine")
OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop")


@dataclass
class Memory:
    """Holds what a run saves, and stops it after some steps."""

    steps: int = -1
    saved: bytes | None = None
    checkpoints: dict[int, bytes] = field(default_factory=dict)

    def save_state(self, content: bytes) -> None:
        self.saved = content

    def state(self) -> bytes | None:
        return self.saved

    def save_checkpoint(self, epoch: int, content: bytes) -> None:
        self.checkpoints[epoch] = content

    def checkpoint(self, epoch: int) -> bytes:
        return self.checkpoints[epoch]

    def drop_checkpoint(self, epoch: int) -> None:
        self.checkpoints.pop(epoch, None)

    def should_stop(self) -> bool:
        self.steps -= 1
        return self.steps == 0


def run(config: TrainingConfig, data: TrainingData, memory: Memory) -> TrainedNetwork:
    resume = None if memory.saved is None else decode_state(memory.saved, "state")
    return train_network(
        config, data, lambda _: None, should_stop=memory.should_stop, files=memory, resume=resume
    )


def run_in_pieces(
    config: TrainingConfig, data: TrainingData, *steps: int
) -> tuple[TrainedNetwork, Memory]:
    memory = Memory()
    for count in steps:
        memory.steps = count
        with pytest.raises(StoppedError):
            run(config, data, memory)
    return run(config, data, memory), memory


def require_same(left: object, right: object, *, path: str = "") -> None:
    if isinstance(left, torch.Tensor):
        assert torch.equal(left, right), path
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), path
        for key, value in left.items():
            require_same(value, right[key], path=f"{path}/{key}")
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), path
        for place, (one, other) in enumerate(zip(left, right, strict=True)):
            require_same(one, other, path=f"{path}/{place}")
    else:
        assert left == right, path


def losses(trained: TrainedNetwork) -> list[tuple]:
    return [(r.epoch, r.train_loss, r.val_loss, r.learning_rate) for r in trained.history]


@pytest.mark.parametrize(("schedule", "optimizer"), list(product(SCHEDULES, OPTIMIZERS)))
def test_pieces_make_the_whole(
    tiny: TrainingConfig, sample_bars: Bars, schedule: str, optimizer: str
) -> None:
    data = training_data(sample_bars.select(slice(-400, None)), tiny)
    settings = {"epochs": 6, "warmup_epochs": 2, "lr_patience": 0, "momentum": 0.5, "top_k": 2}
    config = replace(
        tiny,
        batch_size=32,
        schedule=schedule,
        optimizer=optimizer,
        checkpoint_every=4,
        patience=None,
        **settings,
    )
    memory = Memory()
    whole = run(config, data, memory)
    steps = -(-len(data.train) // config.batch_size)
    assert steps >= 3

    # In the middle of an epoch, at its very end, and after its first step.
    pieces, kept = run_in_pieces(config, data, 2, steps, steps + 1, 1)

    require_same(whole.state, pieces.state)
    require_same(whole.network.state_dict(), pieces.network.state_dict())
    assert losses(whole) == losses(pieces)
    assert whole.checkpoints == pieces.checkpoints
    assert sorted(kept.checkpoints) == sorted(memory.checkpoints) == list(whole.checkpoints)
    for epoch, content in memory.checkpoints.items():
        one, other = decode_checkpoint(content), decode_checkpoint(kept.checkpoints[epoch])
        require_same(one, other)


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small networks are worked on in two shards, too, and PyTorch has two threads to give."""
    monkeypatch.setattr(shards, "_WORTH_SHARING", 0)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(
    ("schedule", "optimizer"), list(zip(SCHEDULES, OPTIMIZERS * 2, strict=False))
)
def test_pieces_by_one_thread_and_by_two_make_the_whole(
    tiny: TrainingConfig, data: TrainingData, schedule: str, optimizer: str
) -> None:
    settings = {"epochs": 3, "warmup_epochs": 1, "num_layers": 2, "dropout": 0.3}
    two = replace(tiny, schedule=schedule, optimizer=optimizer, patience=None, **settings)
    one = replace(two, threads=1)
    whole = run(two, data, Memory())
    alone = run(one, data, Memory())
    memory = Memory()
    for config, steps in ((one, 2), (two, 3), (one, 1)):
        memory.steps = steps
        with pytest.raises(StoppedError):
            run(config, data, memory)

    pieces = run(two, data, memory)

    assert losses(whole) == losses(alone) == losses(pieces)
    require_same(whole.state, alone.state)
    require_same(whole.state, pieces.state)


def test_early_stopping_remembers_how_long_it_has_waited(
    tiny: TrainingConfig, data: TrainingData
) -> None:
    config = replace(tiny, epochs=30, patience=2, min_delta=0.01)
    whole = run(config, data, Memory())
    assert whole.history[-1].epoch < 30
    steps = -(-len(data.train) // config.batch_size)

    pieces, _ = run_in_pieces(config, data, steps, steps - 1)

    assert losses(whole) == losses(pieces)
    require_same(whole.state, pieces.state)


def test_a_run_that_had_ended_ends_again(tiny: TrainingConfig, data: TrainingData) -> None:
    memory = Memory()
    whole = run(tiny, data, memory)

    again = run(tiny, data, memory)

    require_same(whole.state, again.state)


@pytest.mark.parametrize("preset", ["paper", "paper-short"])
def test_presets_that_keep_the_last_epoch_resume_as_well(sample_bars: Any, preset: str) -> None:
    config = configure(preset, epochs=3, hidden_size=4, seq_length=8, batch_size=64)
    data = training_data(sample_bars.select(slice(-500, None)), config)
    whole = run(config, data, Memory())

    pieces, _ = run_in_pieces(config, data, 2, 3)

    require_same(whole.state, pieces.state)
    assert whole.state["epoch"] == 3


# What is kept


def test_the_best_epochs_and_every_nth_are_kept(tiny: TrainingConfig, data: TrainingData) -> None:
    config = replace(tiny, epochs=7, patience=None, top_k=2, checkpoint_every=3)
    memory = Memory()

    trained = run(config, data, memory)

    ranked = sorted((r.val_loss, r.epoch) for r in trained.history if r.epoch)
    best = {epoch for _, epoch in ranked[:2]}
    assert set(memory.checkpoints) == best | {3, 6}
    assert trained.checkpoints == tuple(sorted(memory.checkpoints))
    for epoch, content in memory.checkpoints.items():
        checkpoint = decode_checkpoint(content)
        assert checkpoint["epoch"] == epoch
        assert checkpoint["losses"]["epoch"][-1] == epoch
        assert {"optimizer", "scheduler", "rng", "weights"} <= checkpoint.keys()


def test_an_improvement_must_be_large_enough(tiny: TrainingConfig, data: TrainingData) -> None:
    trained = run(replace(tiny, min_delta=100.0, patience=None), data, Memory())

    assert {record.best_epoch for record in trained.history} == {0}
    assert trained.state["epoch"] == 0


def test_the_last_epoch_can_be_kept(tiny: TrainingConfig, data: TrainingData) -> None:
    trained = run(replace(tiny, restore_best=False, epochs=3, patience=None), data, Memory())

    assert trained.state["epoch"] == 3


# Starting from other weights


def test_the_weights_of_a_version_are_the_first_candidate(
    tiny: TrainingConfig, data: TrainingData
) -> None:
    config = replace(tiny, ema_decay=None, learning_rate=1e-12)
    first = run(tiny, data, Memory())
    content = encode_checkpoint(first.network, first.state, tiny, first.history)

    second = train_network(config, data, lambda _: None, start=decode_checkpoint(content))

    assert second.history[0].epoch == 0
    best = next(r for r in first.history if r.epoch == first.history[-1].best_epoch)
    assert second.history[0].val_loss == pytest.approx(best.val_loss, rel=1e-6)


def test_weights_of_another_network_are_refused(tiny: TrainingConfig, data: TrainingData) -> None:
    first = run(tiny, data, Memory())
    content = encode_checkpoint(first.network, first.state, tiny, first.history)

    with pytest.raises(ConfigError, match="has the architecture"):
        train_network(
            replace(tiny, hidden_size=3),
            data,
            lambda _: None,
            start=decode_checkpoint(content),
        )


# Schedules


def rates(data: TrainingData, tiny: TrainingConfig, **settings: object) -> list[float]:
    config = replace(tiny, patience=None, learning_rate=0.01, epochs=6, **settings)
    return [r.learning_rate for r in run(config, data, Memory()).history if r.epoch]


def test_step_sizes_follow_their_schedule(tiny: TrainingConfig, data: TrainingData) -> None:
    assert rates(data, tiny) == [0.01] * 6
    assert rates(data, tiny, schedule="exponential", lr_gamma=0.5) == pytest.approx(
        [0.01 * 0.5**n for n in range(6)]
    )
    cosine = rates(data, tiny, schedule="cosine", min_lr=0.001)
    assert cosine[0] == 0.01
    assert cosine[-1] == pytest.approx(0.001)
    assert cosine == sorted(cosine, reverse=True)
    warm = rates(data, tiny, schedule="warmup-cosine", warmup_epochs=2, min_lr=0.001)
    assert warm[:3] == pytest.approx([0.01 / 3, 0.02 / 3, 0.01])
    assert warm[-1] == pytest.approx(0.001)
    # Nothing improves by a hundred, so every epoch is one too many.
    plateau = rates(data, tiny, schedule="plateau", lr_patience=1, lr_factor=0.1, min_lr=5e-4)
    assert min(plateau) >= 5e-4
    assert plateau == sorted(plateau, reverse=True)


def test_the_next_rate_is_that_of_the_next_epoch(tiny: TrainingConfig, data: TrainingData) -> None:
    memory = Memory()
    config = replace(tiny, schedule="exponential", lr_gamma=0.5, epochs=2, patience=None)
    run(config, data, memory)
    state = decode_state(memory.saved or b"", "state")
    assert state["optimizer"]["param_groups"][0]["lr"] == pytest.approx(config.learning_rate * 0.25)
