"""How checks are shown, of models and of prices alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from stocklstm.core.exits import ExitCode
from stocklstm.core.language import english, retold, say

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.core.checks import Check


class Checked(Protocol):
    """Something that was checked."""

    @property
    def ticker(self) -> str | None:
        """Whose; None for the store as a whole."""

    @property
    def version(self) -> int | None:
        """Of the model; None for prices and the store."""

    @property
    def status(self) -> str:
        """Either "ok" or "failed"."""

    @property
    def corrupt(self) -> bool:
        """True if what is stored is not what was once stored."""

    @property
    def checks(self) -> "tuple[Check, ...]":
        """In the order they were made."""


def checked_name(item: Checked) -> str:
    """Name what was checked."""
    if item.ticker is None:
        return english("the store")
    return (
        english("{ticker} prices", ticker=item.ticker)
        if item.version is None
        else f"{item.ticker}@v{item.version}"
    )


def checks_code(item: Checked) -> ExitCode:
    """Choose the exit code that a result asks for."""
    if item.status == "ok":
        return ExitCode.OK
    return ExitCode.INTEGRITY if item.corrupt else ExitCode.CHECK_FAILED


def checks_tables(console: "Console", items: Sequence[Checked]) -> None:
    """Print a table of checks for each result."""
    from rich.text import Text

    from stocklstm.cli.tables import grid

    for item in items:
        rows: list[list[str | Text]] = [
            [_name(check.name), Text(_status(check.status), _style(check.status)), check.detail]
            for check in item.checks
        ]
        columns = [say("Check"), say("Status"), say("Found")]
        title = f"{retold(checked_name(item))}: {_status(item.status)}"
        grid(console, title, columns, rows, left=columns[1:])


def _status(status: str) -> str:
    return {"ok": say("ok"), "warning": say("warning"), "failed": say("failed")}.get(status, status)


def _name(name: str) -> str:
    """Name a check; others are those of files, and stay."""
    room, _, part = name.partition(": ")
    if room == "leakage":
        return f"{say('leakage')}: {_name(part)}"
    return {
        "actions": say("dividends and splits"),
        "aliases": say("aliases"),
        "checkpoint": say("checkpoint"),
        "checksums": say("checksums"),
        "daily range": say("daily range"),
        "database": say("database"),
        "days": say("days"),
        "dummy forecast": say("dummy forecast"),
        "environment": say("environment"),
        "gaps": say("gaps"),
        "intraday": say("intraday"),
        "jumps": say("jumps"),
        "ledger": say("ledger"),
        "leftovers": say("leftovers"),
        "manifest": say("manifest"),
        "parts": say("parts"),
        "prices": say("prices"),
        "scaling": say("scaling"),
        "serving graph": say("serving graph"),
        "signature": say("signature"),
        "unlisted files": say("unlisted files"),
        "unlisted versions": say("unlisted versions"),
        "versions": say("versions"),
    }.get(name, name)


def _style(status: str) -> str:
    return {"ok": "green", "warning": "yellow"}.get(status, "bold red")
