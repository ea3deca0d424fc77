"""The picture of a training run."""

from typing import TYPE_CHECKING

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.training.diagnosis import ConstantLosses
from stocklstm.core.training.epochs import History
from stocklstm.report.figure import LIGHT, Colours, heading, stacked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSS_UNITS = {
    "pinball": "mean pinball loss\n(in expected volatilities)",
    "mse": "mean squared error\n(scaled price, squared)",
    "mae": "mean absolute error\n(scaled price)",
    "huber": "mean Huber loss\n(scaled price, squared)",
}
"""What a loss is and in which unit, for an axis."""


def history_figure(
    history: History,
    constant: ConstantLosses,
    config: TrainingConfig,
    kept_epoch: int,
    title: str,
    words: str,
    colours: Colours = LIGHT,
) -> "Figure":
    """Draw training and validation loss and the step size over the epochs."""
    from matplotlib.ticker import MaxNLocator

    with stacked(colours, 4, 1) as (figure, (losses, rates)):
        _draw_losses(losses, colours, history, constant, kept_epoch)
        losses.set_ylabel(LOSS_UNITS[config.loss])
        if config.target == "price":
            # The first epochs are orders of magnitude above the rest.
            losses.set_yscale("log")
        losses.legend(frameon=False, fontsize=9)
        trained = [record for record in history if record.train_loss is not None]
        rates.step(
            [r.epoch for r in trained],
            [r.learning_rate for r in trained],
            where="mid",
            color=colours.blue,
        )
        rates.set_ylabel("learning rate")
        _zero_or_log(rates, [r.learning_rate for r in trained])
        rates.set_xlabel("epoch" if history[0].epoch else "epoch (0: before the first step)")
        rates.xaxis.set_major_locator(MaxNLocator(integer=True))
        for axes in (losses, rates):
            axes.axvline(kept_epoch, color=colours.ink, linestyle=":", linewidth=1)
        heading(losses, f"Training history: {title}", words)
        return figure


def _draw_losses(
    axes: "Axes", colours: Colours, history: History, constant: ConstantLosses, kept_epoch: int
) -> None:
    trained = [record for record in history if record.train_loss is not None]
    axes.plot(
        [r.epoch for r in trained],
        [r.train_loss or 0.0 for r in trained],
        color=colours.blue,
        marker="o",
        markersize=3,
        label="training (dropout active)",
    )
    axes.plot(
        [r.epoch for r in history],
        [r.val_loss for r in history],
        color=colours.orange,
        marker="s",
        markersize=3,
        label="validation",
    )
    axes.axhline(
        constant.validation,
        color=colours.grey,
        linestyle="--",
        linewidth=1,
        label="validation of a constant forecast",
    )
    kept = next(record for record in history if record.epoch == kept_epoch)
    axes.plot(
        [kept_epoch],
        [kept.val_loss],
        color=colours.ink,
        marker="D",
        linestyle="none",
        label=f"kept: epoch {kept_epoch}, validation {kept.val_loss:.4g}",
    )
    best = next(record for record in history if record.epoch == history[-1].best_epoch)
    if best.epoch != kept_epoch:
        axes.plot(
            [best.epoch],
            [best.val_loss],
            color=colours.ink,
            marker="D",
            markerfacecolor="none",
            linestyle="none",
            label=f"lowest: epoch {best.epoch}, validation {best.val_loss:.4g}",
        )


def _zero_or_log(axes: "Axes", rates: list[float]) -> None:
    """Begin the axis of the rates at zero, so that a constant looks constant; log over decades."""
    if rates and min(rates) > 0 and max(rates) > 20 * min(rates):
        axes.set_yscale("log")
    elif any(rates):
        axes.set_ylim(0, 1.25 * max(rates))
