"""What the loss curves of a training run show, by rules that anybody can check by eye.

The rules are tried in this order; the first that holds names the run. A constant forecast is the
best one that ignores the window: the training quantiles, mean or median, whatever the loss asks
for. It tells how much there was to learn, which a loss alone does not. So curves are measured in
what was gained over it, its loss less that of the run. A part of the gain is material if it is a
half (returns: of these little can be foreseen, and the best of many epochs owes some of its lead to
luck) or a fiftieth (prices: the constant is far off, so that nearly all is gained by any network).

1. unstable: a loss was not a number; or the first pass ended over 10 % above the constant although
   it began there; or in at least two passes, and a fifth of all, the training loss rose above the
   lowest so far by a material part of the gain, and by over 1 % of the constant's loss.
2. overfitting: at least three epochs came after the best one; over the last three the mean
   training loss is below that of the best epoch, and the median validation loss is above the
   lowest one by a material part of the gain, and by over three times its usual step from epoch to
   epoch. Where validation gained nothing, a fifth of what training gained is material.
3. still improving: the last epoch had the lowest validation loss; or all epochs were used, and the
   last fifth of them brought over a twentieth of the gain. Not where the loss moved by less than a
   ten-thousandth over all epochs.
4. underfitting: both losses stayed above half of the constant's (prices), or came down from it by
   less than two thousandths (returns).
5. no gain: no epoch was better than the network before its first step, or than the constant.
6. good: none of these.

With fewer than three passes no curve can be seen, and only rules 1, 3 and 5 are tried.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

from stocklstm.core.language import english
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.training.epochs import EpochRecord, History
from stocklstm.core.wording import MOST_TIMES, significant, too_many_times, two_digits

_MATERIAL = {"return": 0.5, "price": 0.02}
_NOTHING_GAINED = 0.2
_JUMP = 0.01
_JUMPS_SHARE = 0.2
_UNDONE = 1.10
_TAIL = 3
_STEPS = 3
_LEAST_GAIN = 0.998
_UNEXPLAINED = 0.5
_LATE_GAIN = 0.05
_STANDSTILL = 1e-4


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
        found = f"{self.reason}; {self.advice}" if self.advice else self.reason
        return {
            "unstable": english("unstable: {found}", found=found),
            "overfitting": english("overfitting: {found}", found=found),
            "underfitting": english("underfitting: {found}", found=found),
            "still improving": english("still improving: {found}", found=found),
            "no gain": english("no gain: {found}", found=found),
            "good": english("good: {found}", found=found),
        }[self.kind]


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
        Diagnosis(english("good"), curves.best_words),
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
        self.lowest = min(history, key=lambda record: record.val_loss)
        self.records = history
        self.passes = [r.train_loss for r in history if r.train_loss is not None]
        self.material = _MATERIAL[config.target]

    @property
    def gain(self) -> float:
        """How far the best validation loss is below that of a constant forecast; 0 at least."""
        return max(0.0, self.constant.validation - self.best.val_loss)

    @property
    def left(self) -> float | None:
        """What is left of the losses of a constant forecast; None if there were none."""
        constant = self.constant
        if not constant.train or not constant.validation or not self.passes:
            return None
        # Validation too: dropout makes a training loss look worse than the network is.
        return min(min(self.passes) / constant.train, self.best.val_loss / constant.validation)

    @property
    def underfits(self) -> bool:
        """Whether hardly anything was learned."""
        least = _LEAST_GAIN if self.config.target == "return" else _UNEXPLAINED
        return self.left is not None and self.left > least

    @property
    def stands_still(self) -> bool:
        """Whether validation hardly moved at all, in as many passes as make a curve."""
        begin = self.records[0].val_loss
        return len(self.passes) >= _TAIL and begin - self.lowest.val_loss < _STANDSTILL * begin

    @property
    def best_words(self) -> str:
        """Where validation was lowest, and whether those weights were kept."""
        best = self.best.epoch
        if self.kept.epoch == best:
            return english(
                "validation loss was lowest at epoch {best}, whose weights were kept", best=best
            )
        more = self.kept.val_loss / self.best.val_loss - 1 if self.best.val_loss else 0.0
        size = f"{100 * more:.0f} %" if more <= MOST_TIMES else too_many_times()
        lowest = english("validation loss was lowest at epoch {epoch}", epoch=best)
        kept = english(
            "the last epoch, {epoch}, was kept, {size} above it (--restore-best true keeps the "
            "best)",
            epoch=self.kept.epoch,
            size=size,
        )
        return f"{lowest}; {kept}"


def _epoch(history: History, number: int) -> EpochRecord:
    return next(record for record in history if record.epoch == number)


def _unstable(curves: _Curves) -> Diagnosis | None:
    advice = english(
        "try {options}", options=f"--learning-rate {curves.config.learning_rate / 10:g}"
    )
    losses = [*curves.passes, *(record.val_loss for record in curves.records)]
    if not all(map(math.isfinite, losses)):
        return Diagnosis(english("unstable"), english("a loss was no finite number"), advice)
    start = curves.constant.train
    # Prices that never moved leave nothing to lose, and nothing to compare with.
    if curves.constant.is_start and curves.passes and curves.passes[0] > _UNDONE * start > 0:
        more = _per_cent(curves.passes[0] / start)
        return Diagnosis(
            english("unstable"),
            english("the loss of the first pass was {size} above where it began", size=more),
            advice,
        )
    jumps = sum(_jumps(curves)) if start else 0
    if jumps >= max(2, _JUMPS_SHARE * len(curves.passes)):
        return Diagnosis(
            english("unstable"),
            english(
                "in {jumps} of {passes} passes the training loss rose above its lowest by over "
                "{share:g} % of what had been gained over a constant forecast",
                jumps=jumps,
                passes=len(curves.passes),
                share=100 * curves.material,
            ),
            advice,
        )
    return None


def _jumps(curves: _Curves) -> Iterator[bool]:
    """Tell of each pass whether its loss lies far above the lowest so far."""
    constant, lowest = curves.constant.train, float("inf")
    for loss in curves.passes:
        gained = max(0.0, constant - lowest)
        yield loss - lowest > max(curves.material * gained, _JUMP * constant)
        lowest = min(lowest, loss)


def _overfitting(curves: _Curves) -> Diagnosis | None:
    after = [r for r in curves.records if r.epoch > curves.best.epoch]
    if len(after) < _TAIL:
        return None
    path = [curves.best.val_loss, *(r.val_loss for r in after)]
    rise = median(path[-_TAIL:]) - curves.best.val_loss
    step = median(abs(b - a) for a, b in pairwise(path))
    reached, learned = curves.best.train_loss, fmean(curves.passes[-_TAIL:])
    still_learning = learned < (curves.constant.train if reached is None else reached)
    material = curves.material * curves.gain or _NOTHING_GAINED * (curves.constant.train - learned)
    if still_learning and rise > max(material, _STEPS * step):
        return Diagnosis(
            english("overfitting"),
            f"{curves.best_words}; {_given_back(rise, curves.gain)}",
            english("more --dropout, a smaller --hidden-size or a longer history may help")
            if curves.kept.epoch == curves.best.epoch
            else english("stop early with --patience 6 --restore-best true"),
        )
    return None


def _given_back(rise: float, gain: float) -> str:
    if not gain:
        return english(
            "since then, while training fell, validation has risen, and nothing had been gained "
            "over a constant forecast"
        )
    if rise >= gain:
        return english(
            "since then, while training fell, validation has given back all that had been gained "
            "over a constant forecast, and more"
        )
    return english(
        "since then, while training fell, validation has given back {share} % of what had been "
        "gained over a constant forecast",
        share=two_digits(100 * rise / gain),
    )


def _still_improving(curves: _Curves) -> Diagnosis | None:
    epochs, last = curves.config.epochs, curves.last.epoch
    late = max(1, last // 5)
    early = [r.val_loss for r in curves.records if r.epoch <= last - late]
    # What --min-delta takes for no improvement moves the curve all the same.
    at_end = curves.lowest is curves.last and last > 0
    brought = (min(early) - curves.lowest.val_loss) if early else 0.0
    goes_on = last >= epochs and brought > _LATE_GAIN * curves.gain > 0
    if not (at_end or goes_on) or (curves.underfits and curves.stands_still):
        return None
    gained = (
        english(
            "the last {late} of {last} epochs brought {share} % of what was gained over a constant "
            "forecast",
            late=late,
            last=last,
            share=two_digits(100 * brought / curves.gain),
        )
        if 0 < brought <= curves.gain
        else english("the last {late} of {last} epochs brought it down still", late=late, last=last)
    )
    where = (
        english("validation loss was lowest at the last epoch, {last}", last=last)
        if at_end
        else english("validation loss was lowest at epoch {epoch}", epoch=curves.lowest.epoch)
    )
    return Diagnosis(english("still improving"), f"{where}; {gained}", _go_on(curves))


def _go_on(curves: _Curves) -> str:
    if curves.best is not curves.lowest:
        return english("try a --min-delta below {value}", value=f"{curves.config.min_delta:g}")
    longer = f"--epochs {2 * max(curves.config.epochs, curves.last.epoch)}"
    if curves.underfits:
        return english("try a larger --learning-rate, or {longer}", longer=longer)
    return english("try {options}", options=longer)


def _underfitting(curves: _Curves) -> Diagnosis | None:
    if not curves.underfits or curves.left is None:
        return None
    left, share = curves.left, significant(100 * curves.left, 4)
    size = f"{share} %" if left <= MOST_TIMES else too_many_times()
    return Diagnosis(
        english("underfitting"),
        english("the losses came down to {size} of a constant forecast's and no lower", size=size),
        english("try a larger --learning-rate, --hidden-size or more --epochs"),
    )


def _no_gain(curves: _Curves) -> Diagnosis | None:
    if curves.best.epoch > 0:
        if curves.best.val_loss > curves.constant.validation:
            words = english("the validation loss never came down to that of a constant forecast")
            return Diagnosis(english("no gain"), words)
        return None
    return Diagnosis(
        english("no gain"),
        english(
            "no epoch improved on the starting point, filtered historical simulation on the "
            "volatility anchor"
        )
        if curves.constant.is_start
        else english("no epoch improved on the weights that it began with"),
        "" if curves.kept.epoch == 0 else english("--restore-best true would have kept it"),
    )


def _per_cent(ratio: float) -> str:
    if ratio < 2:
        return f"{two_digits(100 * (ratio - 1))} %"
    return english("{ratio:.3g} times", ratio=ratio) if ratio <= MOST_TIMES else too_many_times()
