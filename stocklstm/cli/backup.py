"""stocklstm backup."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import Json, LockTimeout, Quiet
from stocklstm.cli.output import View, as_document, conclude
from stocklstm.client import Client
from stocklstm.core.language import say
from stocklstm.core.settings.config import LOCK_TIMEOUT_S
from stocklstm.core.wording import quoted

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.backup import BackupResult, MadeBackup


def backup(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to be made, such as stocklstm.zip.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where there is such a file already.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Write the whole store to one file, while it is in use.

    Prices, models, names, signatures and forecasts as they are at one moment, every byte of them
    checked; not unfinished trainings and pictures.
    """

    def call() -> "BackupResult":
        with Client(lock_timeout_s=lock_timeout) as client:
            return client.backup(path, replace=replace)

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def _bare(item: "MadeBackup") -> Iterable[str]:
    yield item.path


def _tables(console: "Console", items: Sequence["MadeBackup"]) -> None:
    from stocklstm.cli.tables import facts

    for item in items:
        facts(
            console,
            say("Backup"),
            [
                (say("path"), item.path),
                (say("size"), say("{bytes:,} bytes", bytes=item.bytes)),
                (say("tickers"), f"{item.tickers:,}"),
                (say("versions"), f"{item.versions:,}"),
                (say("forecasts"), f"{item.forecasts:,}"),
                (say("back with"), f"stocklstm restore {quoted(item.path)}"),
            ],
        )


VIEW: "View[MadeBackup]" = View(
    command="backup", key="backups", document=as_document, tables=_tables, bare=_bare
)
