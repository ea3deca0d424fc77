"""A trial is a training of which the losses are kept; what is tried next follows from them."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from stocklstm.core.prices.series import Bars
from stocklstm.core.settings.config import AXES, AxisValues, TrainingConfig, configure
from stocklstm.core.training.search import COMPLETE, DIVERGED, PRUNED, Trial, applied, settings_of
from stocklstm.errors import ConfigError, TryAgainError
from stocklstm.learn.loop import TrainingData, train_network
from stocklstm.learn.search import Pruner, propose, require_optuna
from stocklstm.learn.stopping import StoppedError
from stocklstm.learn.trials import Trials, run_trial
from stocklstm.learn.workers import LocalWorkers
from tests.conftest import TINY
from tests.support.training_data import training_data

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="reads what the Linux kernel says of a process"
)


def tried(settings: AxisValues, config: TrainingConfig, data: TrainingData) -> Trial:
    return run_trial(7, settings, config, data, None)


def without_time(trials: list[Trial]) -> list[tuple[object, ...]]:
    ordered = sorted(trials, key=lambda trial: trial.number)
    return [
        (t.number, t.settings, t.status, t.loss, t.curve, t.kept_epoch, t.losses.tolist())
        for t in ordered
    ]


@pytest.mark.parametrize("restore_best", [True, False])
@pytest.mark.parametrize(
    ("preset", "loss"),
    [("calibrated", "pinball"), *(("paper-short", loss) for loss in ("mse", "mae", "huber"))],
)
def test_the_loss_is_that_of_a_training_with_the_same_settings(
    sample_bars: Bars, preset: str, loss: str, *, restore_best: bool
) -> None:
    config = configure(preset, **{**TINY, "epochs": 4}, loss=loss, restore_best=restore_best)
    # Far too large a step, so that the best epoch is seldom the last.
    settings = {**settings_of(config), "learning_rate": 0.05, "hidden_size": 8, "batch_size": 64}
    data = training_data(sample_bars.select(slice(-500, None)), config)

    trial = tried(settings, config, data)
    trained = train_network(applied(config, settings), data, lambda _: None)

    epochs = {record.epoch: record.val_loss for record in trained.history}
    assert (trial.number, trial.settings, trial.status) == (7, settings, COMPLETE)
    assert trial.kept_epoch == trained.state["epoch"]
    assert trial.loss == epochs[trial.kept_epoch]
    assert trial.curve == tuple(epochs[epoch] for epoch in range(1, max(epochs) + 1))
    assert trial.loss == (min(epochs.values()) if restore_best else trial.curve[-1])
    assert trial.losses.shape == data.validation.shape
    assert trial.losses.mean() == pytest.approx(trial.loss, rel=1e-5)


def wild_and_sane(bars: Bars) -> tuple[TrainingConfig, TrainingData, list[tuple[int, AxisValues]]]:
    config = configure("paper-short", **{**TINY, "optimizer": "sgd"})
    sane = settings_of(config)
    data = training_data(bars.select(slice(-500, None)), config)
    return config, data, [(0, {**sane, "learning_rate": 1e30}), (1, sane)]


def test_a_trial_that_diverges_ends_no_search(sample_bars: Bars) -> None:
    config, data, wanted = wild_and_sane(sample_bars)

    wild, sane = Trials(config, data).run(wanted)

    assert (wild.status, wild.loss, len(wild.losses)) == (DIVERGED, math.inf, 0)
    assert len(wild.curve) < config.epochs
    assert sane.status == COMPLETE
    assert math.isfinite(sane.loss)


def test_a_stop_loses_the_trial_under_way(tiny: TrainingConfig, data: TrainingData) -> None:
    steps = iter([False] * 3 + [True] * 9)
    trials = Trials(tiny, data, should_stop=lambda: next(steps)).run([(0, settings_of(tiny))])

    with pytest.raises(StoppedError):
        next(trials)


# Processes


def workers() -> Iterator[Path]:
    """Find the processes that train for this one."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may end meanwhile
            words = (process / "stat").read_text().rpartition(")")[2].split()
            started_here = int(words[1]) == os.getpid()
            if started_here and b"LokyProcess" in (process / "cmdline").read_bytes():
                yield process


def ignores_interrupts(process: Path) -> bool:
    (mask,) = (
        line.split()[1]
        for line in (process / "status").read_text().splitlines()
        if line.startswith("SigIgn")
    )
    return bool(int(mask, 16) >> (signal.SIGINT - 1) & 1)


@needs_proc
def test_two_processes_try_the_same_and_do_not_hear_ctrl_c(sample_bars: Bars) -> None:
    config, data, wanted = wild_and_sane(sample_bars)
    wanted += [(2, {**wanted[1][1], "hidden_size": 8}), (3, {**wanted[1][1], "dropout": 0.5})]
    alone = list(Trials(config, data).run(wanted))
    before = signal.getsignal(signal.SIGINT)

    with LocalWorkers(2) as pool, closing(Trials(config, data, pool).run(wanted)) as trials:
        together = [next(trials)]
        # They never learn to: a process that is still starting would answer with a traceback.
        assert list(map(ignores_interrupts, workers())) == [True, True]
        together += trials
    assert list(workers()) == []

    assert signal.getsignal(signal.SIGINT) is before
    assert without_time(together) == without_time(alone)


@needs_proc
def test_a_search_in_two_processes_can_be_stopped_and_closed(
    tiny: TrainingConfig, data: TrainingData
) -> None:
    config = replace(tiny, epochs=1000, patience=None)
    short = {**settings_of(config), "batch_size": 100_000}
    endless = {**settings_of(config), "batch_size": 1}

    training = Trials(replace(config, epochs=1), data, LocalWorkers(2), should_stop=lambda: True)
    trials = training.run([(number, short) for number in range(9)])
    assert next(trials).status == COMPLETE
    with pytest.raises(StoppedError):
        next(trials)
    assert list(workers()) == []

    trials = Trials(config, data, LocalWorkers(2)).run([(0, endless), (1, endless)])
    killer = Thread(target=kill_one)
    killer.start()
    with pytest.raises(TryAgainError, match="ended from outside") as caught:
        next(trials)
    killer.join()
    assert "--resume auto" in caught.value.hint


def kill_one() -> None:
    """End one of the processes, as the system does that has no memory left."""
    while not (victims := list(workers())):
        time.sleep(0.01)
    os.kill(int(victims[0].name), signal.SIGKILL)


ORPHAN = """
import os, time
from stocklstm.learn.stopping import told_by_parent

should_stop = told_by_parent()
if os.fork():
    time.sleep(0.2)
    os._exit(0)
while True:
    assert not should_stop()
    time.sleep(0.01)
"""


def test_a_process_whose_leader_was_killed_ends() -> None:
    # Its end of the pipe is what is waited for.
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN], stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


# What to give up


def curves(*levels: float) -> tuple[Trial, ...]:
    return tuple(
        Trial(
            number=number,
            settings={axis: values[0] for axis, values in AXES.items()},
            status=COMPLETE,
            loss=level,
            curve=tuple(level + 1 / epoch for epoch in range(1, 11)),
            kept_epoch=10,
            losses=np.empty(0),
            seconds=0.0,
        )
        for number, level in enumerate(levels)
    )


def given_up_at(pruner: Pruner, level: float) -> int | None:
    curve = [level + 1 / epoch for epoch in range(1, 11)]
    ends = (n for n in range(1, len(curve) + 1) if pruner.should_prune(curve[:n]))
    return next(ends, None)


def test_a_hopeless_trial_is_given_up_and_a_leading_one_is_not() -> None:
    pruner = Pruner(curves(0.1, 0.2, 0.3, 0.4, 0.5))

    assert given_up_at(pruner, 5.0) == 3
    assert given_up_at(pruner, 0.05) is None
    assert given_up_at(pruner, 0.3) is None


def test_nothing_is_given_up_before_there_is_enough_to_compare_with() -> None:
    assert given_up_at(Pruner(()), 5.0) is None
    assert given_up_at(Pruner(curves(0.1, 0.2, 0.3, 0.4)), 5.0) is None
    cut = [replace(t, status=PRUNED) for t in curves(0.1, 0.2, 0.3, 0.4, 0.5)]
    assert given_up_at(Pruner(tuple(cut)), 5.0) is None


def test_a_start_outside_of_what_is_searched_counts_for_pruning() -> None:
    outside = [
        replace(trial, settings={**trial.settings, "hidden_size": 7, "batch_size": 999})
        for trial in curves(0.1, 0.2, 0.3, 0.4, 0.5)
    ]

    assert given_up_at(Pruner(tuple(outside)), 5.0) == 3
    assert given_up_at(Pruner(tuple(outside)), 0.05) is None


def test_a_trial_that_is_given_up_keeps_the_best_of_what_it_saw(
    tiny: TrainingConfig, data: TrainingData
) -> None:
    config = replace(tiny, epochs=9, patience=None)
    pruner = Pruner(curves(-9.0, -9.0, -9.0, -9.0, -9.0))

    (trial,) = Trials(config, data).run([(5, settings_of(config))], pruner)

    assert (trial.status, len(trial.curve), len(trial.losses)) == (PRUNED, 3, 0)
    assert trial.loss == min(trial.curve) == trial.curve[trial.kept_epoch - 1]


# What to try next


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("count", [0, 3, 12])
@pytest.mark.parametrize("seed", [0, 2**32 - 3, 2**63 - 1])
def test_proposals_lie_within_the_ends_and_can_be_repeated(
    sampler: str, count: int, seed: int
) -> None:
    trials = curves(*np.linspace(0.1, 0.5, count))

    proposals = propose(sampler, trials, 4, seed)

    assert propose(sampler, trials, 4, seed) == proposals
    assert len({tuple(settings.values()) for settings in proposals}) == 4
    for settings in proposals:
        assert list(settings) == list(AXES)
        for axis, values in AXES.items():
            assert min(values) <= settings[axis] <= max(values)
            assert type(settings[axis]) is type(values[0])
            assert f"{settings[axis]:.3g}" == f"{settings[axis]}" or settings[axis] < 1e-3
        assert settings["batch_size"] in AXES["batch_size"]
        configure("calibrated", **settings)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_proposals_differ_as_trials_are_added(sampler: str) -> None:
    all_of_them = curves(*np.linspace(0.1, 0.5, 20))

    proposals = [propose(sampler, all_of_them[:count], 1, 0)[0] for count in range(20)]

    assert len({tuple(settings.values()) for settings in proposals}) == 20
    assert proposals != [propose(sampler, all_of_them[:count], 1, 1)[0] for count in range(20)]


def test_tpe_learns_from_what_was_tried() -> None:
    # Losses fall with the step size alone.
    first = propose("random", (), 40, 3)
    trials = [
        replace(trial, settings=settings, loss=settings["learning_rate"])
        for trial, settings in zip(curves(*[0.1] * 40), first, strict=True)
    ]

    rates = [propose("tpe", trials, 1, seed)[0]["learning_rate"] for seed in range(20)]

    assert np.median(rates) < np.median([settings["learning_rate"] for settings in first])


@pytest.mark.parametrize("status", [COMPLETE, PRUNED, DIVERGED])
def test_a_start_outside_of_the_ends_does_no_harm(status: str) -> None:
    outside = {
        "learning_rate": 5.0,
        "hidden_size": 7,
        "num_layers": 9,
        "dropout": 0.0,
        "batch_size": 999,
    }
    loss = math.inf if status == DIVERGED else 0.1
    trials = [replace(curves(0.1)[0], settings=outside, status=status, loss=loss)]
    trials += curves(*np.linspace(0.1, 0.5, 12))

    (proposal,) = propose("tpe", trials, 1, 0)

    assert min(AXES["hidden_size"]) <= proposal["hidden_size"] <= max(AXES["hidden_size"])


def test_without_optuna_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    require_optuna()
    monkeypatch.setitem(sys.modules, "optuna", None)

    with pytest.raises(ConfigError, match="needs Optuna") as caught:
        require_optuna()
    assert "stocklstm[tune]" in caught.value.hint
    assert "--sampler coordinate" in caught.value.hint
