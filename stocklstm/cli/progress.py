"""Progress on stderr: bars for a person who can see them, few lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stocklstm.cli.streams import draws_bars, tell
from stocklstm.core.language import figure, say, say_counted
from stocklstm.core.reference import version_id

if TYPE_CHECKING:
    from rich.progress import Progress

    from stocklstm.workflows.evaluate.walk_forward import FoldEnded, WalkPlanned
    from stocklstm.workflows.parallel import TickersDone
    from stocklstm.workflows.prices.fetch import TickerDone
    from stocklstm.workflows.prices.file_set import FileRead
    from stocklstm.workflows.quantize.methods import EpochTrained
    from stocklstm.workflows.train.runs import EpochEnded
    from stocklstm.workflows.train.tune import TrialEnded


MINUTE_S = 60.0
"""Seconds between two lines of progress where no bar can be drawn."""


class Lines:
    """Progress where no bar can be drawn: a line for each ticker, and one a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock, which counts seconds."""
        self._clock = clock
        self._next = clock() + MINUTE_S
        self._heard_of: set[str] = set()

    def of(self, ticker: str, line: str) -> None:
        """Write a line if it is the first one of its ticker, or it is time for another."""
        if ticker not in self._heard_of:
            self._heard_of.add(ticker)
            self._write(line)
        else:
            self.now_and_then(line)

    def now_and_then(self, line: str) -> None:
        """Write a line if a minute has passed since the last one."""
        if self._clock() >= self._next:
            self._write(line)

    def _write(self, line: str) -> None:
        self._next = self._clock() + MINUTE_S
        tell(line)


@contextmanager
def fetch_progress() -> Iterator[
    tuple[Callable[["TickerDone"], None], Callable[["FileRead"], None]]
]:
    """Show on stderr how many tickers are through, and files read: a bar, or lines elsewhere."""
    if draws_bars():
        with fetch_bar() as callbacks:
            yield callbacks
        return
    lines = Lines()

    def on_ticker(event: "TickerDone") -> None:
        lines.now_and_then(
            say("{fetched}, the last one {ticker}", fetched=_fetched(event), ticker=event.ticker)
        )

    def on_file(event: "FileRead") -> None:
        if event.total > 1:
            lines.of(
                "files",
                say(
                    "{name}: read, {done} of {total}",
                    name=event.file.name,
                    done=event.done,
                    total=event.total,
                ),
            )

    yield on_ticker, on_file


def _fetched(event: "TickerDone") -> str:
    fetched = say("{done} of {total} fetched", done=event.done - event.failed, total=event.total)
    return f"{fetched}, {_failed(event.failed)}" if event.failed else fetched


def _failed(count: int) -> str:
    return say_counted(count, "1 failed", "{count} failed")


@contextmanager
def fetch_bar() -> Iterator[tuple[Callable[["TickerDone"], None], Callable[["FileRead"], None]]]:
    """Draw on stderr: tickers that are through, of how many, the last one, time left.

    Where files are read first, the same of them.
    """
    bar = _bar("{task.fields[words]}", "{task.description}")
    task = bar.add_task("", total=None, words=say("Fetching"))

    def update(words: str, last: str, event: "TickerDone | FileRead") -> None:
        bar.update(task, words=words, description=last, completed=event.done, total=event.total)

    def last(event: "TickerDone") -> str:
        return f"{event.ticker}  {_failed(event.failed)}" if event.failed else event.ticker

    with bar:
        yield (
            lambda event: update(say("Fetching"), last(event), event),
            lambda event: update(say("Reading"), event.file.name, event),
        )


def evening_lines() -> tuple[Callable[["TickerDone"], None], Callable[["EpochEnded"], None]]:
    """Make the callbacks that show how far an evening's fetch and its trainings are, by lines."""
    lines = Lines()
    return (
        lambda event: lines.now_and_then(
            say("{fetched}, the last one {ticker}", fetched=_fetched(event), ticker=event.ticker)
        ),
        lambda event: lines.of(event.ticker, _epoch_line(event)),
    )


@contextmanager
def tickers_progress(
    words: str, *, shown: bool = True
) -> Iterator[Callable[["TickersDone"], None]]:
    """Show on stderr how many tickers are through: a bar on a terminal, lines elsewhere.

    Args:
        words: Such as "Training", in the language that is spoken.
        shown: False shows nothing: one ticker after the other shows more than that.
    """
    if not shown:
        yield lambda _: None
        return
    if not draws_bars():
        yield _logged_tickers()
        return
    with _tickers_bar(words) as on_ticker:
        yield on_ticker


def _logged_tickers() -> Callable[["TickersDone"], None]:
    """Make what writes a line about every ticker that has ended, well or not."""
    failed = 0

    def on_ticker(event: "TickersDone") -> None:
        nonlocal failed
        if not event.ticker:
            return
        failed += event.error is not None
        outcome = (
            say("done")
            if event.error is None
            else say("failed: {message}", message=event.error.message)
        )
        counts = say("{done} of {total}", done=event.done - failed, total=event.total)
        if failed:
            counts = f"{counts}, {_failed(failed)}"
        tell(f"{event.ticker}: {outcome} ({counts})")

    return on_ticker


@contextmanager
def _tickers_bar(words: str) -> Iterator[Callable[["TickersDone"], None]]:
    """Draw on stderr: tickers that are through, of how many, the last one, failures, time left."""
    bar = _bar("{task.description}", "{task.fields[last]}")
    task = bar.add_task(words, total=None, last="")
    failed = 0

    def on_ticker(event: "TickersDone") -> None:
        nonlocal failed
        failed += event.error is not None
        last = f"{event.ticker}  {_failed(failed)}" if failed else event.ticker
        bar.update(task, completed=event.done, total=event.total, last=last)

    with bar:
        yield on_ticker


@contextmanager
def training_progress() -> Iterator[Callable[["EpochEnded"], None]]:
    """Show epochs on stderr: a bar on a terminal, lines elsewhere."""
    if not draws_bars():
        lines = Lines()
        yield lambda event: lines.of(event.ticker, _epoch_line(event))
        return
    with _training_bar() as on_epoch:
        yield on_epoch


def _epoch_line(event: "EpochEnded") -> str:
    record = event.record
    parts = [
        say("validation loss {loss:.5f}", loss=record.val_loss),
        say("best epoch {best_epoch}", best_epoch=record.best_epoch),
        say("learning rate {rate:.3g}", rate=record.learning_rate),
    ]
    if record.train_loss is not None:
        parts.insert(0, say("loss {loss:.5f}", loss=record.train_loss))
    epoch = say("epoch {epoch}/{epochs}", epoch=record.epoch, epochs=event.epochs)
    return f"{event.ticker}: {epoch}: {', '.join(parts)}"


@contextmanager
def _training_bar() -> Iterator[Callable[["EpochEnded"], None]]:
    """Draw on stderr: ticker, epochs, losses, best epoch, learning rate, time left."""
    bar = _bar("{task.description}", "{task.fields[losses]}")
    tasks = {}

    def on_epoch(event: "EpochEnded") -> None:
        record = event.record
        if event.ticker not in tasks:
            tasks[event.ticker] = bar.add_task(event.ticker, total=event.epochs, losses="")
        parts = [
            say("val {loss:.4f}", loss=record.val_loss),
            say("best {epoch}", epoch=record.best_epoch),
            f"lr {figure(f'{record.learning_rate:.3g}')}",
        ]
        if record.train_loss is not None:
            parts.insert(0, say("loss {loss:.4f}", loss=record.train_loss))
        bar.update(
            tasks[event.ticker],
            completed=record.epoch,
            losses="  ".join(parts),
        )

    with bar:
        yield on_epoch


@contextmanager
def retraining_bar() -> Iterator[Callable[["EpochTrained"], None]]:
    """Draw on stderr: model that is made smaller, epochs of the training under way, time left."""
    bar = _bar("{task.description}", say("epochs"))
    tasks = {}

    def on_epoch(event: "EpochTrained") -> None:
        if event.model not in tasks:
            tasks[event.model] = bar.add_task(event.model, total=event.epochs)
        elif event.epoch <= 1:
            bar.reset(tasks[event.model], total=event.epochs)
        bar.update(tasks[event.model], completed=event.epoch)

    with bar:
        yield on_epoch


@contextmanager
def tuning_bar() -> Iterator[Callable[["TrialEnded"], None]]:
    """Draw on stderr: ticker, trials of at most how many, the lowest loss, time left."""
    bar = _bar("{task.description}", "{task.fields[best]}")
    tasks = {}

    def on_trial(event: "TrialEnded") -> None:
        if event.ticker not in tasks:
            tasks[event.ticker] = bar.add_task(event.ticker, total=event.most, best="")
        best = say(
            "best trial {number}: val {loss:.5f}", number=event.best.number, loss=event.best.loss
        )
        bar.update(tasks[event.ticker], completed=event.done, total=event.most, best=best)

    with bar:
        yield on_trial


@contextmanager
def walking_bar(
    announcement: Callable[["WalkPlanned"], str],
) -> Iterator[tuple[Callable[["WalkPlanned"], None], Callable[["FoldEnded"], None]]]:
    """Draw on stderr: version, trainings of how many, the days of the last one, time left."""
    bar = _bar("{task.description}", "{task.fields[days]}")
    tasks = {}

    def on_plan(plan: "WalkPlanned") -> None:
        bar.console.print(announcement(plan), highlight=False)
        name = version_id(plan.ticker, plan.version)
        tasks[name] = bar.add_task(name, total=plan.trainings, days="")

    def on_fold(event: "FoldEnded") -> None:
        days = say("{first} to {last}", first=event.fold.first, last=event.fold.last)
        bar.update(tasks[version_id(event.ticker, event.version)], completed=event.done, days=days)

    with bar:
        yield on_plan, on_fold


def _bar(before: str, after: str) -> "Progress":
    # Not at the top: a command that draws no bar does not wait for Rich.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn(before),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TextColumn(after),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
