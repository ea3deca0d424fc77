"""stocklstm train --dry-run."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from stocklstm.cli.output import View, as_document
from stocklstm.core.wording import counted

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
            f"What training {item.ticker} would do",
            [
                *_tickers(item),
                ("preset", item.preset),
                ("network", _shape(item.network)),
                ("parameters", f"{item.parameters:,}"),
                ("begins with", "random weights" if item.start is None else item.start),
                ("prices", f"{counted(item.rows, 'session')}, {item.first} to {item.last}"),
                *((part.name, _windows(part)) for part in item.parts),
                ("epochs", f"at most {item.epochs:,}"),
                ("steps", f"{item.steps_per_epoch:,} an epoch, at most {item.steps:,}"),
                ("device", item.device),
                *(("skipped", device) for device in item.skipped_devices),
                ("time", _time(item)),
            ],
        )


def _tickers(item: "PlannedTraining") -> list[tuple[str, str]]:
    from stocklstm.workflows.train.dry_run import PlannedPool

    if not isinstance(item, PlannedPool):
        return []
    left_out = f"; {len(item.left_out)} left out" if item.left_out else ""
    return [("tickers", f"{len(item.tickers)}{left_out}")]


def _shape(network: "PlannedNetwork") -> str:
    layers = f"{counted(network.layers, 'layer')} of {counted(network.hidden, 'unit')}"
    return f"{counted(network.inputs, 'input')}, {layers}, {counted(network.outputs, 'output')}"


def _windows(part: "PlannedPart") -> str:
    if not part.windows:
        return "none"
    return f"{counted(part.windows, 'window')}, forecasting {part.first} to {part.last}"


def _time(item: "PlannedTraining") -> str:
    about = f"about {duration(item.seconds)}"
    if item.patience is None:
        return about
    return f"{about} at most; early stopping may make it less"


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
