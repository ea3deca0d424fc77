"""Searching for settings: which trials there are, and which to run next.

Everything here follows from the list of trials alone, so a search that was stopped resumes by
looking at what is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from stocklstm.core.prices.series import Floats
from stocklstm.core.scores.significance import PairedTest, diebold_mariano
from stocklstm.core.settings.config import AXES, AxisValues, TrainingConfig

COMPLETE, PRUNED, DIVERGED = "complete", "pruned", "diverged"


@dataclass(frozen=True, eq=False)
class Trial:
    """One training of a search, which saw no row of the test part.

    Attributes:
        number: From 0.
        settings: A value for each axis.
        status: "complete", "pruned" (stopped because it was behind the others) or "diverged".
        loss: Validation loss of the weights that would be kept; infinite if it diverged.
        curve: Validation loss after each epoch, from epoch 1.
        kept_epoch: Epoch whose weights would be kept.
        losses: (M,) losses of the validation days; empty unless the trial is complete.
        seconds: Wall time.
    """

    number: int
    settings: AxisValues
    status: str
    loss: float
    curve: tuple[float, ...]
    kept_epoch: int
    losses: Floats
    seconds: float


def settings_of(config: TrainingConfig) -> AxisValues:
    """Select the searched settings of a configuration."""
    return {name: getattr(config, name) for name in AXES}


def applied(config: TrainingConfig, settings: AxisValues) -> TrainingConfig:
    """Replace the searched settings of a configuration.

    Raises:
        ConfigError: They do not fit the others.
    """
    return replace(config, **settings)


def best_trial(trials: Sequence[Trial]) -> Trial:
    """Choose the complete trial with the lowest loss, of equals the first.

    Where none is complete, the first trial is all there is.
    """
    complete = [trial for trial in trials if trial.status == COMPLETE]
    return min(complete or trials[:1], key=lambda trial: (trial.loss, trial.number))


def start_trial(trials: Sequence[Trial], start: AxisValues) -> Trial:
    """Find the trial of the settings that a search started from; it is among them."""
    return next(trial for trial in trials if _key(trial.settings) == _key(start))


def against_start(best: Trial, start: Trial, horizon: int = 1) -> PairedTest | None:
    """Test whether the best trial differs from the start by more than chance.

    A paired test of the losses on the same validation days (Diebold & Mariano 1995). The best
    was picked because it came out best, which the test cannot know: its p is too small.

    Returns:
        None if one of them has no losses.
    """
    if not len(best.losses) or not len(start.losses):
        return None
    return diebold_mariano(best.losses, start.losses, horizon)


def next_coordinate(trials: Sequence[Trial], start: AxisValues) -> list[AxisValues]:
    """Choose what a coordinate search tries next: one axis after the other, best value kept.

    Args:
        trials: All so far, in any order.
        start: Settings that it starts from; they are tried too.

    Returns:
        What can be tried at the same time; empty once all axes are done.
    """
    missing, _ = _walk(trials, start)
    return missing


def most_coordinate(trials: Sequence[Trial], start: AxisValues) -> int:
    """Bound the number of trials of a whole coordinate search from above."""
    missing, later = _walk(trials, start)
    return len(trials) + len(missing) + sum(len(AXES[axis]) for axis in later)


def _walk(trials: Sequence[Trial], start: AxisValues) -> tuple[list[AxisValues], list[str]]:
    """Follow the axes as far as trials reach; return what is missing there, and the axes left."""
    losses = {_key(trial.settings): trial.loss for trial in trials}
    best, axes = start, list(AXES)
    for place, axis in enumerate(axes):
        line = [best, *({**best, axis: value} for value in AXES[axis] if value != best[axis])]
        missing = [settings for settings in line if _key(settings) not in losses]
        if missing:
            return missing, axes[place + 1 :]
        best = min(line, key=lambda settings: losses[_key(settings)])
    return [], []


def combinations(start: AxisValues, seed: int) -> list[AxisValues]:
    """List every combination: first the start, then all in a shuffled order.

    Shuffled, because a search that is cut short should have seen a little of everything.
    """
    every = [dict(zip(AXES, values, strict=True)) for values in product(*AXES.values())]
    shuffled = [every[place] for place in np.random.default_rng(seed).permutation(len(every))]
    return [start, *(settings for settings in shuffled if _key(settings) != _key(start))]


def untried(wanted: Sequence[AxisValues], trials: Sequence[Trial]) -> list[AxisValues]:
    """Leave out what has been tried."""
    tried = {_key(trial.settings) for trial in trials}
    return [settings for settings in wanted if _key(settings) not in tried]


def _key(settings: AxisValues) -> tuple[float, ...]:
    return tuple(float(settings[axis]) for axis in AXES)
