"""Progress bars, on stderr and only for a person who can see them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from stocklstm.workflows.fetch import TickerDone
    from stocklstm.workflows.train import EpochEnded


@contextmanager
def fetch_bar() -> Iterator[Callable[["TickerDone"], None]]:
    """Draw on stderr: tickers that are through, of how many, the last one, time left."""
    bar = Progress(
        TextColumn("Fetching"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("", total=None)
    with bar:
        yield lambda event: bar.update(
            task, description=event.ticker, completed=event.done, total=event.total
        )


@contextmanager
def training_bar() -> Iterator[Callable[["EpochEnded"], None]]:
    """Draw on stderr: ticker, epochs, losses, best epoch, time left."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[losses]}"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
    tasks = {}

    def on_epoch(event: "EpochEnded") -> None:
        record = event.record
        if event.ticker not in tasks:
            tasks[event.ticker] = bar.add_task(event.ticker, total=event.epochs, losses="")
        trained = "" if record.train_loss is None else f"loss {record.train_loss:.4f}  "
        bar.update(
            tasks[event.ticker],
            completed=record.epoch,
            losses=f"{trained}validation {record.val_loss:.4f}  best {record.best_epoch}",
        )

    with bar:
        yield on_epoch
