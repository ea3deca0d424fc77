"""stocklstm restore."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import Json, LockTimeout, Quiet
from stocklstm.cli.output import View, as_document, conclude
from stocklstm.client import Client
from stocklstm.core.language import say
from stocklstm.core.settings.config import LOCK_TIMEOUT_S

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.backup import RestoredStore, RestoreResult


def restore(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="What stocklstm backup made.")],
    home: Annotated[
        Path | None,
        typer.Option(
            metavar="DIRECTORY",
            help="Where the store is to be; where all commands have it if not given.",
            show_default=False,
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Also where there is a store, which is moved aside, not deleted."
        ),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Make a store of a backup, after every byte of it was checked.

    Whatever stops it, the store is what it was or what it was to be.
    """

    def call() -> "RestoreResult":
        with Client(home, lock_timeout_s=lock_timeout) as client:
            return client.restore(path, replace=replace)

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def _bare(item: "RestoredStore") -> Iterable[str]:
    yield item.home


def _tables(console: "Console", items: Sequence["RestoredStore"]) -> None:
    from stocklstm.cli.tables import facts

    for item in items:
        facts(
            console,
            say("Restored"),
            [
                (say("store"), item.home),
                (say("backup of"), item.created),
                (say("tickers"), f"{item.tickers:,}"),
                (say("versions"), f"{item.versions:,}"),
                (say("forecasts"), f"{item.forecasts:,}"),
                *([] if item.moved_to is None else [(say("before"), item.moved_to)]),
            ],
        )


VIEW: "View[RestoredStore]" = View(
    command="restore", key="stores", document=as_document, tables=_tables, bare=_bare
)
