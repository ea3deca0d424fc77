"""Sampling and pruning of trials by Optuna (Akiba et al. 2019, arXiv 1907.10902)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stocklstm.core.settings.config import AXES, AxisValues
from stocklstm.core.training.search import COMPLETE, DIVERGED, Trial
from stocklstm.errors import MissingPackageError

if TYPE_CHECKING:
    import optuna

# Complete trials before any is pruned, and epochs before one is.
_STARTUP_TRIALS = 5
_WARM_UP_EPOCHS = 3


def require_optuna() -> None:
    """Raise `MissingPackageError` if Optuna is not installed."""
    try:
        import optuna  # noqa: F401 - to see whether it is there
    except ImportError as error:
        raise MissingPackageError(
            "this sampler needs Optuna, which is not installed",
            hint="pip install 'stocklstm[tune]', or search with --sampler coordinate",
        ) from error


def propose(sampler: str, trials: Sequence[Trial], count: int, seed: int) -> list[AxisValues]:
    """Choose settings of the next trials; the same seed and past trials give the same ones.

    Args:
        sampler: "tpe" (Bergstra et al. 2011) or "random".
        trials: All past ones, by number.
        count: How many to choose.
        seed: Of the search.
    """
    import optuna

    # One seed a trial: proposals do not repeat, and do not depend on where a search was stopped.
    # Optuna's have 32 bits, ours 63.
    seed = (seed + len(trials)) % 2**32
    chosen: optuna.samplers.BaseSampler = (
        optuna.samplers.TPESampler(seed=seed)
        if sampler == "tpe"
        else optuna.samplers.RandomSampler(seed=seed)
    )
    study = _study(trials, sampler=chosen)
    proposals = [study.ask(_space()).params for _ in range(count)]
    return [{axis: _rounded(params[axis]) for axis in AXES} for params in proposals]


def _rounded(value: int | float) -> int | float:  # noqa: PYI041 - a whole number stays one
    # Three digits are all that can matter, and a person may have to type them.
    return value if isinstance(value, int) else float(f"{value:.3g}")


def _study(
    trials: Sequence[Trial],
    *,
    sampler: "optuna.samplers.BaseSampler | None" = None,
    pruner: "optuna.pruners.BasePruner | None" = None,
) -> "optuna.Study":
    """Make an Optuna study of all trials; a new one each time, so that none has to be stored."""
    import optuna

    # It would log every trial, which our own table shows.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=sampler, pruner=pruner)
    study.add_trials([_frozen(trial) for trial in trials])
    return study


def _space() -> "dict[str, optuna.distributions.BaseDistribution]":
    """The ranges of `AXES`, with all values in between."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    lowest = {axis: min(values) for axis, values in AXES.items()}
    highest = {axis: max(values) for axis, values in AXES.items()}

    def whole(axis: str) -> IntDistribution:
        return IntDistribution(int(lowest[axis]), int(highest[axis]))

    return {
        "learning_rate": FloatDistribution(
            lowest["learning_rate"], highest["learning_rate"], log=True
        ),
        "hidden_size": whole("hidden_size"),
        "num_layers": whole("num_layers"),
        "dropout": FloatDistribution(lowest["dropout"], highest["dropout"]),
        "batch_size": CategoricalDistribution(AXES["batch_size"]),
    }


def _frozen(trial: Trial) -> "optuna.trial.FrozenTrial":
    from optuna.trial import TrialState, create_trial

    states = {COMPLETE: TrialState.COMPLETE, DIVERGED: TrialState.FAIL}
    state = states.get(trial.status, TrialState.PRUNED)
    value = trial.loss if state is TrialState.COMPLETE else None
    curve = dict(enumerate(trial.curve, start=1))
    try:
        return create_trial(
            state=state,
            value=value,
            params=trial.settings,
            distributions=_space(),
            intermediate_values=curve,
        )
    except ValueError:
        # The settings that the search started from lie outside of what it looks through: their
        # losses still count for pruning.
        return create_trial(state=state, value=value, intermediate_values=curve)


@dataclass(frozen=True)
class Pruner:
    """Prunes a trial whose best epoch is behind the median of the others at the same epoch.

    Attributes:
        trials: Those that were there when the trial began.
    """

    trials: tuple[Trial, ...]

    def should_prune(self, curve: Sequence[float]) -> bool:
        """Tell whether to end a trial, by its validation loss after each epoch, at least one."""
        import optuna

        pruner = optuna.pruners.MedianPruner(
            n_startup_trials=_STARTUP_TRIALS, n_warmup_steps=_WARM_UP_EPOCHS
        )
        trial = _study(self.trials, pruner=pruner).ask()
        for epoch, loss in enumerate(curve, start=1):
            trial.report(loss, epoch)
        return trial.should_prune()
