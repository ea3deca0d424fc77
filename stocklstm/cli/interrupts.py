"""Ctrl-C, SIGTERM and SIGHUP: an orderly stop, and how the work is resumed."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from stocklstm.cli.streams import to_stderr
from stocklstm.core.exits import STOP_SIGNALS, ExitCode, heeded_signals
from stocklstm.core.operating_system import system
from stocklstm.errors import InterruptedWorkError

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None

_HANG_UP = system().hang_up

_AGAIN_S = 0.01


class _Last:
    """The signal that came last."""

    kind: int = signal.SIGINT


def interrupted_code() -> ExitCode:
    """Say which code an interrupted command ends with: 128 and the number of the signal."""
    return ExitCode(128 + _Last.kind)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP interrupt as Ctrl-C does; what is ignored, as by nohup, stays so."""
    _Last.kind = signal.SIGINT
    if current_thread() is not main_thread():
        yield
        return
    ours = [kind for kind in STOP_SIGNALS if signal.getsignal(kind) is signal.SIG_DFL]
    before = sys.unraisablehook
    try:
        sys.unraisablehook = _interrupt_again
        for kind in ours:
            signal.signal(kind, _interrupt)
        yield
    finally:
        for kind in ours:
            signal.signal(kind, signal.SIG_DFL)
        sys.unraisablehook = before


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _Last.kind = number
    signal.signal(number, _when_repeated(number, signal.SIG_DFL))
    _announce(f"stopped by {signal.Signals(number).name}")
    raise KeyboardInterrupt


def _interrupt_again(lost: "UnraisableHookArgs") -> None:
    """Interrupt once more, a moment later, where Python would have gone on.

    What is raised while it calls a destructor, or what a weak reference or an import lock calls at
    its end, reaches nobody.
    """
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    system().interrupt_after(_AGAIN_S)


def _announce(words: str) -> None:
    # The signal may have come while a line was being written.
    with suppress(RuntimeError):
        to_stderr(words)


def _when_repeated(number: int, otherwise: _Handler) -> _Handler:
    # A terminal that is closed hangs up twice, by its shell and by the system.
    return signal.SIG_IGN if number == _HANG_UP else otherwise


@contextmanager
def stop_at_interrupt() -> Iterator[Callable[[], bool]]:
    """Let the first signal finish the step that is under way; the second one ends it at once."""
    asked = Event()
    if current_thread() is not main_thread():
        yield asked.is_set
        return
    before = heeded_signals()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        asked.set()
        _Last.kind = number
        for kind, handler in before.items():
            again = _when_repeated(kind, handler) if kind == number else handler
            signal.signal(kind, again)
        _announce("stopping after this step; once more stops at once")

    try:
        for kind in before:
            signal.signal(kind, on_signal)
        yield asked.is_set
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


@contextmanager
def resumable() -> Iterator[None]:
    """End with the code of an interruption, and say how to go on, if there is a way."""
    try:
        yield
    except InterruptedWorkError as stop:
        to_stderr("stopped; what is done is kept")
        to_stderr(f"  next: {stop.command}")
        raise typer.Exit(interrupted_code()) from stop
