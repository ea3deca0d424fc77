"""Ctrl-C: an orderly stop, and how the work is resumed."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread

import typer

from stocklstm.cli.streams import say
from stocklstm.core.exits import ExitCode
from stocklstm.errors import InterruptedWorkError


@contextmanager
def stop_at_interrupt() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C finish the step that is under way; the second one ends it at once."""
    asked = Event()
    if current_thread() is not main_thread():
        yield asked.is_set
        return

    def on_signal(*_: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)
        say("stopping after this step; once more stops at once")

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def resumable() -> Iterator[None]:
    """End with the code of an interruption, and say how to go on, if there is a way."""
    try:
        yield
    except InterruptedWorkError as stop:
        say("stopped; what is done is kept")
        say(f"  next: {stop.command}")
        raise typer.Exit(ExitCode.INTERRUPTED) from stop
