"""Exit codes: part of the program's contract with scripts, and of what the server answers."""

import signal
from enum import IntEnum
from typing import Any

from stocklstm.core.operating_system import system
from stocklstm.errors import (
    CheckFailedError,
    ConfigError,
    IntegrityError,
    NotEnoughDataError,
    NotFoundError,
    StockLstmError,
    TryAgainError,
    UnexpectedError,
)

STOP_SIGNALS = system().stop_signals
"""Signals that ask a program to stop."""


def heeded_signals() -> dict[int, Any]:
    """Give the handlers of those that this process heeds.

    What is ignored, as by `nohup`, stays so, and a handler that is not Python's cannot be put back.
    """
    handlers = {kind: signal.getsignal(kind) for kind in STOP_SIGNALS}
    return {kind: each for kind, each in handlers.items() if each not in {None, signal.SIG_IGN}}


class ExitCode(IntEnum):
    """What each code means; those of signals are 128 and the number of the signal."""

    OK = 0
    BUG = 1
    USAGE = 2
    CHECK_FAILED = 3
    NOT_FOUND = 4
    INTEGRITY = 5
    NOT_ENOUGH_DATA = 6
    TRY_AGAIN = 75
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS = {
    ExitCode.OK: "ok",
    ExitCode.BUG: "a bug in stocklstm",
    ExitCode.USAGE: "usage or configuration",
    ExitCode.CHECK_FAILED: "the check ran and the answer is no",
    ExitCode.NOT_FOUND: "no such data or model",
    ExitCode.INTEGRITY: "stored files are damaged",
    ExitCode.NOT_ENOUGH_DATA: "data stale, unusable or too few",
    ExitCode.TRY_AGAIN: "try again later (lock, disk, network, rate limit)",
    ExitCode.HUNG_UP: "stopped because its terminal was closed (SIGHUP)",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C, SIGINT)",
    ExitCode.TERMINATED: "stopped by another program (SIGTERM)",
}

_CODES: dict[type, ExitCode] = {
    ConfigError: ExitCode.USAGE,
    CheckFailedError: ExitCode.CHECK_FAILED,
    NotFoundError: ExitCode.NOT_FOUND,
    IntegrityError: ExitCode.INTEGRITY,
    NotEnoughDataError: ExitCode.NOT_ENOUGH_DATA,
    TryAgainError: ExitCode.TRY_AGAIN,
    UnexpectedError: ExitCode.BUG,
}

# Worst first: what happened to one ticker must not be hidden by what happened to another.
_WORST_FIRST = (
    ExitCode.BUG,
    ExitCode.INTEGRITY,
    ExitCode.CHECK_FAILED,
    ExitCode.NOT_ENOUGH_DATA,
    ExitCode.NOT_FOUND,
    ExitCode.USAGE,
    ExitCode.TRY_AGAIN,
    ExitCode.OK,
)


def exit_code(error: StockLstmError) -> ExitCode:
    """Find the code of an error by its class."""
    return next((_CODES[kind] for kind in type(error).mro() if kind in _CODES), ExitCode.BUG)


def help_text() -> str:
    """List the codes for `--help`."""
    return "Exit codes: " + " · ".join(f"{code.value} {text}" for code, text in MEANINGS.items())


def worst(codes: list[ExitCode]) -> ExitCode:
    """Choose the code that stands for all; OK if there are none."""
    return min(codes, key=_WORST_FIRST.index, default=ExitCode.OK)
