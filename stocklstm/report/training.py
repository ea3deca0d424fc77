"""The picture of a training run."""

from stocklstm.core.history import History
from stocklstm.report.figure import BLACK, BLUE, ORANGE, canvas, heading, png

_UNITS = {
    "pinball": "mean pinball loss (in daily volatilities)",
    "mse": "mean squared error (scaled price, squared)",
}


def history_png(history: History, kept_epoch: int, loss: str, title: str, words: str) -> bytes:
    """Draw training and validation loss over the epochs.

    Args:
        history: At least one epoch.
        kept_epoch: Epoch whose weights were kept.
        loss: Name of the loss, for the axis.
        title: Ticker and preset.
        words: The diagnosis.

    Returns:
        PNG, 1000 pixels wide.
    """
    from matplotlib.ticker import MaxNLocator

    with canvas() as (figure, axes):
        trained = [record for record in history if record.train_loss is not None]
        axes.plot(
            [r.epoch for r in trained],
            [r.train_loss or 0.0 for r in trained],
            color=BLUE,
            marker="o",
            markersize=3,
            label="training (dropout active)",
        )
        axes.plot(
            [r.epoch for r in history],
            [r.val_loss for r in history],
            color=ORANGE,
            marker="s",
            markersize=3,
            label="validation",
        )
        kept = next(record for record in history if record.epoch == kept_epoch)
        axes.axvline(kept_epoch, color=BLACK, linestyle=":", linewidth=1)
        axes.plot(
            [kept_epoch],
            [kept.val_loss],
            color=BLACK,
            marker="D",
            linestyle="none",
            label=f"kept: epoch {kept_epoch}, validation {kept.val_loss:.4g}",
        )
        axes.set_xlabel("epoch" if history[0].epoch else "epoch (0: before the first step)")
        axes.set_ylabel(_UNITS[loss])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if loss == "mse":
            # The first epochs are orders of magnitude above the rest.
            axes.set_yscale("log")
        axes.legend(frameon=False)
        heading(axes, f"Training history: {title}", words)
        return png(figure)
