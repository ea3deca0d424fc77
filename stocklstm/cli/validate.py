"""stocklstm validate."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.cli.exits import ExitCode
from stocklstm.cli.options import Json, LockTimeout, Models, Quiet
from stocklstm.cli.output import View, conclude
from stocklstm.core.config import LOCK_TIMEOUT_S

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.validate import ValidatedVersion, ValidateResult


def validate(
    ticker: Models = None,
    every_version: Annotated[
        bool, typer.Option("--all", help="Every version, not only the champion.")
    ] = False,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Rebuild the network from the checkpoint and compare (needs PyTorch)."
        ),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Check every byte of stored models and make a dummy forecast with each."""

    def call() -> "ValidateResult":
        from stocklstm.workflows.validate import validate

        return validate(
            ticker or (), every_version=every_version, deep=deep, lock_timeout_s=lock_timeout
        )

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def _document(item: "ValidatedVersion") -> Mapping[str, Any]:
    from dataclasses import asdict

    return asdict(item)


def _bare(item: "ValidatedVersion") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version} {item.status}"


def _code(item: "ValidatedVersion") -> ExitCode:
    if item.status == "ok":
        return ExitCode.OK
    return ExitCode.INTEGRITY if item.corrupt else ExitCode.CHECK_FAILED


def _tables(console: "Console", items: Sequence["ValidatedVersion"]) -> None:
    from rich.text import Text

    from stocklstm.cli.tables import grid

    for item in items:
        rows: list[list[str | Text]] = [
            [check.name, Text(check.status, _style(check.status)), check.detail]
            for check in item.checks
        ]
        title = f"{item.ticker}@v{item.version}: {item.status}"
        grid(console, title, ["Check", "Status", "Found"], rows, left=["Status", "Found"])


def _style(status: str) -> str:
    return "green" if status == "ok" else "bold red"


VIEW: "View[ValidateResult, ValidatedVersion]" = View(
    command="validate",
    key="results",
    items=lambda result: result.results,
    document=_document,
    tables=_tables,
    bare=_bare,
    code=_code,
)
