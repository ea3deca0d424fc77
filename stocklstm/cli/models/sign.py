"""stocklstm models sign."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import Json, LockTimeout, Quiet
from stocklstm.cli.output import View, as_document, conclude
from stocklstm.client import Client
from stocklstm.core.arguments import ALL
from stocklstm.core.language import say
from stocklstm.core.settings.config import LOCK_TIMEOUT_S

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.models.sign import SignedVersion, SignResult


def sign(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TICKER@VERSION]...",
            help="Exact, such as PETR4.SA@v3; with --all tickers, and none means every one.",
            show_default=False,
        ),
    ] = None,
    every_version: Annotated[
        bool, typer.Option("--all", help="Every version of these tickers.")
    ] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Also where a signature does not fit: the key is new."),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Sign versions with STOCKLSTM_SIGNING_KEY, after checking every byte of them."""

    def call() -> "SignResult":
        with Client(lock_timeout_s=lock_timeout) as client:
            return client.sign_versions(models or ALL, every_version=every_version, replace=replace)

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def _bare(item: "SignedVersion") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version}"


def _table(console: "Console", items: Sequence["SignedVersion"]) -> None:
    from stocklstm.cli.tables import grid

    rows = [[f"{item.ticker}@v{item.version}", _words(item)] for item in items]
    columns = [say("Model"), say("Signature")]
    grid(console, say("Signed"), columns, rows, left=columns[1:])


def _words(item: "SignedVersion") -> str:
    if item.unchanged:
        return say("unchanged")
    return say("new, in place of one that did not fit") if item.replaced else say("new")


VIEW: "View[SignedVersion]" = View(
    command="models sign",
    key="results",
    document=as_document,
    tables=_table,
    bare=_bare,
)
