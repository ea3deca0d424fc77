"""The picture of a training run."""

from typing import TYPE_CHECKING

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.training.diagnosis import ConstantLosses
from stocklstm.core.training.epochs import EpochRecord, History
from stocklstm.report.figure import LIGHT, Colours, heading, legend_below, stacked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSS_UNITS = {
    "pinball": ("mean pinball loss", "in expected volatilities"),
    "mse": ("mean squared error", "scaled price, squared"),
    "mae": ("mean absolute error", "scaled price"),
    "huber": ("mean Huber loss", "scaled price, squared"),
}
"""What a loss is, and its unit."""

_MARKED = 80
"""Epochs that have room for a mark each."""


def history_figure(
    history: History,
    constant: ConstantLosses,
    config: TrainingConfig,
    kept_epoch: int,
    title: str,
    words: str,
    colours: Colours = LIGHT,
) -> "Figure":
    """Draw training and validation loss over the epochs, and the step size where it changes.

    Both losses are in per cent of what a constant forecast has on the same days: where those of
    validation are calmer the curves would lie far apart for that alone.
    """
    from matplotlib.ticker import MaxNLocator

    trained = [record for record in history if record.train_loss is not None]
    rates = [record.learning_rate for record in trained]
    changing = len(set(rates)) > 1
    with stacked(colours, *((4, 1) if changing else (1,))) as (figure, panels):
        losses, last = panels[0], panels[-1]
        _draw_losses(losses, colours, history, constant, kept_epoch)
        name, unit = LOSS_UNITS[config.loss]
        of = ", % of that of\na constant forecast" if _relative(constant) else f"\n({unit})"
        losses.set_ylabel(f"{name}{of}")
        if config.target == "price":
            # The first epochs are orders of magnitude above the rest.
            _decades(losses)
        if changing:
            _draw_rates(last, colours, trained)
        epochs = "epoch" if history[0].epoch else "epoch (0: before the first step)"
        always = f"; learning rate {rates[0]:g} throughout" if rates and not changing else ""
        last.set_xlabel(f"{epochs}{always}")
        last.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(history) == 1:
            last.set_xlim(kept_epoch - 1, kept_epoch + 1)
        for axes in panels:
            axes.axvline(kept_epoch, color=colours.ink, linestyle=":", linewidth=1)
        legend_below(figure, losses, columns=3)
        heading(figure, f"Training history: {title}", words)
        return figure


def _relative(constant: ConstantLosses) -> bool:
    return constant.train > 0 and constant.validation > 0


def _draw_losses(
    axes: "Axes", colours: Colours, history: History, constant: ConstantLosses, kept_epoch: int
) -> None:
    relative = _relative(constant)
    of_train = 100 / constant.train if relative else 1.0
    of_validation = 100 / constant.validation if relative else 1.0
    trained = [record for record in history if record.train_loss is not None]
    mark = 3 if len(history) <= _MARKED else 0
    axes.plot(
        [r.epoch for r in trained],
        [of_train * (r.train_loss or 0.0) for r in trained],
        color=colours.blue,
        linestyle=(0, (5, 1)),
        marker="o",
        label="training (dropout active)",
        markersize=mark,
    )
    axes.plot(
        [r.epoch for r in history],
        [of_validation * r.val_loss for r in history],
        color=colours.orange,
        marker="s",
        label="validation",
        markersize=mark,
    )
    axes.axhline(
        of_validation * constant.validation,
        color=colours.grey,
        linestyle="--",
        linewidth=1,
        label=f"constant forecast (validation {constant.validation:.4g})",
    )
    best = next(record for record in history if record.epoch == history[-1].best_epoch)
    kept = next(record for record in history if record.epoch == kept_epoch)
    chosen: list[tuple[str, EpochRecord, str]] = [("kept", kept, colours.ink)]
    if best.epoch != kept_epoch:
        chosen.append(("lowest", best, "none"))
    for word, record, fill in chosen:
        axes.plot(
            [record.epoch],
            [of_validation * record.val_loss],
            color=colours.ink,
            marker="D",
            markerfacecolor=fill,
            linestyle="none",
            label=f"{word}: epoch {record.epoch}, validation {record.val_loss:.4g}",
        )


def _decades(axes: "Axes") -> None:
    """Use a logarithmic scale, with numbers as they are written elsewhere."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_rates(axes: "Axes", colours: Colours, trained: list[EpochRecord]) -> None:
    rates = [record.learning_rate for record in trained]
    axes.step([record.epoch for record in trained], rates, where="mid", color=colours.blue)
    axes.set_ylabel("learning rate")
    # From zero, or over decades.
    if min(rates) > 0 and max(rates) > 20 * min(rates):
        _decades(axes)
    else:
        axes.set_ylim(0, 1.25 * max(rates))
