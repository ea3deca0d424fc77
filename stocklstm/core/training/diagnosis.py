"""What the loss curves of a training run show, by rules that anybody can check by eye.

The rules are tried in this order; the first that holds names the run. A constant forecast is the
best one that ignores the window: the training quantiles, mean or median, whatever the loss asks
for. It tells how much there was to learn, which a loss alone does not.

1. unstable: the first pass ended over 10 % above the constant although it began there, or at
   least two passes, and a fifth of all, had a training loss over 15 % above the lowest so far.
2. overfitting: at least three epochs came after the best one; over the last three the mean
   training loss is below that of the best epoch, and the median validation loss is above the
   lowest one by over 1 % and by over three times its usual step from epoch to epoch.
3. still improving: all epochs were used, and the last fifth of them brought the lowest validation
   loss down by over 1 %.
4. underfitting: both losses stayed above half of the constant's (prices), or came down from it by
   less than two thousandths (returns, of which little can be foreseen at all).
5. no gain: no epoch was better than the network before its first step.
6. good: none of these.

With fewer than three passes no curve can be seen, and only rules 1, 3 and 5 are tried.
"""

from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.training.epochs import EpochRecord, History

_JUMP = 1.15
_JUMPS_SHARE = 0.2
_UNDONE = 1.10
_TAIL = 3
_RISE = 1.01
_STEPS = 3
_LEAST_GAIN = 0.998
_UNEXPLAINED = 0.5
_IMPROVED = 0.99


@dataclass(frozen=True)
class ConstantLosses:
    """Losses of the best forecast that ignores the window.

    Attributes:
        train: On the training windows.
        validation: On the validation windows.
        is_start: True if the network forecasts that constant before its first step.
    """

    train: float
    validation: float
    is_start: bool


@dataclass(frozen=True)
class Diagnosis:
    """What the curves show.

    Attributes:
        kind: "unstable", "overfitting", "underfitting", "still improving", "no gain" or "good".
        reason: What was seen, with figures.
        advice: What to change; empty if nothing.
    """

    kind: str
    reason: str
    advice: str = ""

    @property
    def words(self) -> str:
        """All of it in one line."""
        return f"{self.kind}: {self.reason}" + (f"; {self.advice}" if self.advice else "")


def diagnose(
    history: History, constant: ConstantLosses, config: TrainingConfig, kept_epoch: int
) -> Diagnosis:
    """Say what the losses of a run show, and what to change.

    Args:
        history: At least one epoch.
        constant: Losses of a constant forecast on the same windows.
        kept_epoch: Epoch whose weights were kept.
    """
    curves = _Curves(history, constant, config, kept_epoch)
    rules = [_unstable, _overfitting, _still_improving, _underfitting, _no_gain]
    if len(curves.passes) < _TAIL:
        rules = [_unstable, _still_improving, _no_gain]
    return next(
        (found for rule in rules if (found := rule(curves)) is not None),
        Diagnosis("good", curves.best_words),
    )


class _Curves:
    def __init__(
        self, history: History, constant: ConstantLosses, config: TrainingConfig, kept_epoch: int
    ) -> None:
        self.constant = constant
        self.config = config
        self.last = history[-1]
        self.best = _epoch(history, self.last.best_epoch)
        self.kept = _epoch(history, kept_epoch)
        self.records = history
        self.passes = [r.train_loss for r in history if r.train_loss is not None]

    @property
    def best_words(self) -> str:
        """Where validation was lowest, and whether those weights were kept."""
        words = f"validation loss was lowest at epoch {self.best.epoch}"
        if self.kept.epoch == self.best.epoch:
            return f"{words}, whose weights were kept"
        more = self.kept.val_loss / self.best.val_loss - 1 if self.best.val_loss else 0.0
        return (
            f"{words}; the last epoch, {self.kept.epoch}, was kept, {100 * more:.0f} % above it "
            "(--restore-best true keeps the best)"
        )


def _epoch(history: History, number: int) -> EpochRecord:
    return next(record for record in history if record.epoch == number)


def _unstable(curves: _Curves) -> Diagnosis | None:
    advice = f"try --learning-rate {curves.config.learning_rate / 10:g}"
    start = curves.constant.train
    if curves.constant.is_start and curves.passes and curves.passes[0] > _UNDONE * start:
        more = _per_cent(curves.passes[0] / start) if start else "far"
        return Diagnosis(
            "unstable", f"the loss of the first pass was {more} above where it began", advice
        )
    jumps, lowest = 0, float("inf")
    for loss in curves.passes:
        jumps += loss > _JUMP * lowest
        lowest = min(lowest, loss)
    if jumps >= max(2, _JUMPS_SHARE * len(curves.passes)):
        return Diagnosis(
            "unstable",
            f"in {jumps} of {len(curves.passes)} passes the training loss jumped over 15 % above "
            "its lowest",
            advice,
        )
    return None


def _overfitting(curves: _Curves) -> Diagnosis | None:
    after = [r for r in curves.records if r.epoch > curves.best.epoch]
    if len(after) < _TAIL:
        return None
    tail = median(r.val_loss for r in after[-_TAIL:])
    path = [curves.best.val_loss, *(r.val_loss for r in after)]
    step = median(abs(b - a) for a, b in pairwise(path))
    reached = curves.best.train_loss
    still_learning = fmean(curves.passes[-_TAIL:]) < (
        curves.constant.train if reached is None else reached
    )
    lowest = curves.best.val_loss
    if still_learning and tail > max(_RISE * lowest, lowest + _STEPS * step):
        more = _per_cent(tail / lowest) if lowest else "far"
        return Diagnosis(
            "overfitting",
            f"{curves.best_words}; since then validation has risen {more} while training fell",
            "more --dropout, a smaller --hidden-size or a longer history may help"
            if curves.kept.epoch == curves.best.epoch
            else "stop early with --patience 6 --restore-best true",
        )
    return None


def _still_improving(curves: _Curves) -> Diagnosis | None:
    epochs = curves.config.epochs
    if curves.last.epoch < epochs:
        return None
    late = max(1, epochs // 5)
    early = [r.val_loss for r in curves.records if r.epoch <= epochs - late]
    if not early or curves.best.val_loss >= _IMPROVED * min(early):
        return None
    return Diagnosis(
        "still improving",
        f"the last {late} of {epochs} epochs brought the validation loss down by "
        f"{100 * (1 - curves.best.val_loss / min(early)):.3g} %",
        f"try --epochs {2 * epochs}",
    )


def _underfitting(curves: _Curves) -> Diagnosis | None:
    constant = curves.constant
    if not constant.train or not constant.validation:
        return None
    # Validation too: dropout makes a training loss look worse than the network is.
    left = min(min(curves.passes) / constant.train, curves.best.val_loss / constant.validation)
    if left <= (_LEAST_GAIN if curves.config.target == "return" else _UNEXPLAINED):
        return None
    return Diagnosis(
        "underfitting",
        f"the losses came down to {100 * left:.4g} % of a constant forecast's and no lower",
        "try a larger --learning-rate, --hidden-size or more --epochs",
    )


def _no_gain(curves: _Curves) -> Diagnosis | None:
    if curves.best.epoch > 0:
        return None
    return Diagnosis(
        "no gain",
        "no epoch improved on "
        + (
            "the starting point, filtered historical simulation on the volatility anchor"
            if curves.constant.is_start
            else "the weights that it began with"
        ),
        "" if curves.kept.epoch == 0 else "--restore-best true would have kept it",
    )


def _per_cent(ratio: float) -> str:
    return f"{100 * (ratio - 1):.2g} %" if ratio < 2 else f"{ratio:.3g} times"
