"""stocklstm train --dry-run."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from stocklstm.cli.output import View, as_document
from stocklstm.core.language import say, say_counted

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.train.dry_run import (
        PlannedNetwork,
        PlannedPart,
        PlannedTraining,
    )


def _bare(item: "PlannedTraining") -> Iterable[str]:
    yield f"{item.parameters}"


def _tables(console: "Console", items: Sequence["PlannedTraining"]) -> None:
    from stocklstm.cli.tables import facts

    for item in items:
        facts(
            console,
            say("What training {ticker} would do", ticker=item.ticker),
            [
                *_tickers(item),
                (say("preset"), item.preset),
                (say("network"), _shape(item.network)),
                (say("parameters"), f"{item.parameters:,}"),
                (say("begins with"), say("random weights") if item.start is None else item.start),
                (say("prices"), _prices(item)),
                *((_part(part.name), _windows(part)) for part in item.parts),
                (say("epochs"), say("at most {epochs:,}", epochs=item.epochs)),
                (
                    say("steps"),
                    say(
                        "{steps_per_epoch:,} an epoch, at most {steps:,}",
                        steps_per_epoch=item.steps_per_epoch,
                        steps=item.steps,
                    ),
                ),
                (say("device"), item.device),
                *((say("skipped"), device) for device in item.skipped_devices),
                (say("time"), _time(item)),
            ],
        )


def _tickers(item: "PlannedTraining") -> list[tuple[str, str]]:
    from stocklstm.workflows.train.dry_run import PlannedPool

    if not isinstance(item, PlannedPool):
        return []
    return [(say("tickers"), tickers_words(item.tickers, item.left_out))]


def tickers_words(tickers: Sequence[object], left_out: Sequence[object]) -> str:
    """Count the tickers of a pool, and those that it is trained without."""
    if not left_out:
        return f"{len(tickers)}"
    return say("{count}; {left_out} left out", count=len(tickers), left_out=len(left_out))


def _part(name: str) -> str:
    return {
        "train": say("train"),
        "validation": say("validation"),
        "calibration": say("calibration"),
        "test": say("test"),
    }.get(name, name)


def _prices(item: "PlannedTraining") -> str:
    sessions = say_counted(item.rows, "1 session", "{count} sessions")
    return say("{sessions}, {first} to {last}", sessions=sessions, first=item.first, last=item.last)


def _shape(network: "PlannedNetwork") -> str:
    layers = say_counted(network.layers, "1 layer", "{count} layers")
    return ", ".join(
        (
            say_counted(network.inputs, "1 input", "{count} inputs"),
            say_counted(
                network.hidden, "{layers} of 1 unit", "{layers} of {count} units", layers=layers
            ),
            say_counted(network.outputs, "1 output", "{count} outputs"),
        )
    )


def _windows(part: "PlannedPart") -> str:
    if not part.windows:
        return say("no windows")
    return say_counted(
        part.windows,
        "1 window, forecasting {first} to {last}",
        "{count} windows, forecasting {first} to {last}",
        first=part.first,
        last=part.last,
    )


def _time(item: "PlannedTraining") -> str:
    if item.patience is None:
        return say("about {duration}", duration=duration(item.seconds))
    return say(
        "about {duration} at most; early stopping may make it less", duration=duration(item.seconds)
    )


def duration(seconds: float) -> str:
    """Say how long something takes, about.

    Args:
        seconds: Zero or above.
    """
    # No finer than the measurement is: the machine may be busier later, or less so.
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


VIEW: "View[PlannedTraining]" = View(
    command="train",
    key="plans",
    document=as_document,
    tables=_tables,
    bare=_bare,
)
