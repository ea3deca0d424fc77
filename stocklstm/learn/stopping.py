"""How a training is asked to stop; free of PyTorch, for processes that only hand out work."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from stocklstm.core.operating_system import system

ShouldStop = Callable[[], bool]
"""Asked after every step of a training; True ends it."""


class StoppedError(Exception):
    """The run was asked to stop, and its state is saved."""


def never() -> bool:
    """Say no: the stop condition of what runs to its end."""
    return False


def told_by_parent(stop_file: Path | None = None) -> ShouldStop:
    """Make the stop condition of tasks that this process hands to its worker processes.

    Asked in a worker, it ends that process if this one is gone, killed so that it could end nobody.

    Args:
        stop_file: Asks to stop by being there; None never asks.
    """
    return partial(_told, os.getpid(), stop_file)


def _told(parent: int, stop_file: Path | None) -> bool:
    if not system().is_parent(parent):
        os._exit(1)
    return stop_file is not None and stop_file.exists()
