"""How checks are shown, of models and of prices alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from stocklstm.core.exits import ExitCode

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
        return "the store"
    return f"{item.ticker} prices" if item.version is None else f"{item.ticker}@v{item.version}"


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
            [check.name, Text(check.status, _style(check.status)), check.detail]
            for check in item.checks
        ]
        title = f"{checked_name(item)}: {item.status}"
        grid(console, title, ["Check", "Status", "Found"], rows, left=["Status", "Found"])


def _style(status: str) -> str:
    return {"ok": "green", "warning": "yellow"}.get(status, "bold red")
