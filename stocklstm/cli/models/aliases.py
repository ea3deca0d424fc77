"""stocklstm models promote, rollback and unalias."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import Json, LockTimeout, Quiet
from stocklstm.cli.output import View, as_document, conclude
from stocklstm.client import Client
from stocklstm.core.batch import Batch
from stocklstm.core.language import say
from stocklstm.core.settings.config import LOCK_TIMEOUT_S

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.models.aliases import AliasMove

Reason = Annotated[
    str,
    typer.Option(metavar="REASON", help="Why; kept in the log that models show prints."),
]


def promote(
    model: Annotated[str, typer.Argument(metavar="TICKER@VERSION", help="Such as PETR4.SA@v3.")],
    alias: Annotated[
        str,
        typer.Option(
            "--as", metavar="NAME", help="A name of your own instead, for predict and others."
        ),
    ] = "champion",
    reason: Reason = "",
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Make a version the champion, or give it a name of your own."""

    def call() -> "Batch[AliasMove]":
        with Client(lock_timeout_s=lock_timeout) as client:
            return Batch((client.promote(model, alias=alias, reason=reason),))

    conclude(_view("models promote"), call, as_json=as_json, quiet=quiet)


def rollback(
    ticker: Annotated[str, typer.Argument(metavar="TICKER", help="Such as PETR4.SA.")],
    reason: Reason = "",
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Make the previous champion the champion again, and the champion the previous one."""

    def call() -> "Batch[AliasMove]":
        with Client(lock_timeout_s=lock_timeout) as client:
            return Batch((client.rollback(ticker, reason=reason),))

    conclude(_view("models rollback"), call, as_json=as_json, quiet=quiet)


def unalias(
    alias: Annotated[str, typer.Argument(metavar="TICKER@NAME", help="Such as PETR4.SA@live.")],
    reason: Reason = "",
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Remove a name of your own; the version it means stays."""

    def call() -> "Batch[AliasMove]":
        with Client(lock_timeout_s=lock_timeout) as client:
            return Batch((client.unalias(alias, reason=reason),))

    conclude(_view("models unalias"), call, as_json=as_json, quiet=quiet)


def _named(version: int | None) -> str:
    return say("nothing") if version is None else f"v{version}"


def _bare(item: "AliasMove") -> Iterable[str]:
    if item.version is not None:
        yield f"{item.ticker}@v{item.version}"


def _tables(console: "Console", items: Sequence["AliasMove"]) -> None:
    from stocklstm.cli.tables import facts

    for item in items:
        now = _named(item.version)
        if item.unchanged:
            before = say("unchanged")
        elif item.replaced is None:
            before = say("new")
        else:
            before = say("was v{replaced}", replaced=item.replaced)
        pairs = [(item.alias, f"{now} ({before})")]
        if item.alias == "champion":
            pairs.append((say("previous"), _named(item.previous)))
        if not item.unchanged:
            pairs.append((say("reason"), item.reason))
        facts(console, item.ticker, pairs)


def _view(command: str) -> "View[AliasMove]":
    return View(
        command=command,
        key="results",
        document=as_document,
        tables=_tables,
        bare=_bare,
    )
