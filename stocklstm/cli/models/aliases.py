"""stocklstm models promote, rollback and unalias."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import Json, LockTimeout, Quiet
from stocklstm.cli.output import View, as_document, conclude
from stocklstm.core.batch import Failure
from stocklstm.core.settings.config import LOCK_TIMEOUT_S

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.models.aliases import AliasMove

Reason = Annotated[
    str,
    typer.Option(metavar="TEXT", help="Why; kept in the log that models show prints."),
]


@dataclass(frozen=True)
class _Moves:
    moves: tuple["AliasMove", ...]
    failures: tuple[Failure, ...] = ()


def promote(
    model: Annotated[str, typer.Argument(metavar="TICKER@VERSION", help="Such as PETR4.SA@v3.")],
    alias: Annotated[
        str,
        typer.Option(
            "--as", metavar="NAME", help="A name of your own instead, which predict understands."
        ),
    ] = "champion",
    reason: Reason = "",
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Make a version the champion, or what a name of your own means."""

    def call() -> _Moves:
        from stocklstm.workflows.models.aliases import promote

        return _Moves((promote(model, alias=alias, reason=reason, lock_timeout_s=lock_timeout),))

    conclude(_view("models promote"), call, as_json=as_json, quiet=quiet)


def rollback(
    ticker: Annotated[str, typer.Argument(metavar="TICKER", help="Such as PETR4.SA.")],
    reason: Reason = "",
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Make the previous champion the champion again; twice, and all is as it was."""

    def call() -> _Moves:
        from stocklstm.workflows.models.aliases import rollback

        return _Moves((rollback(ticker, reason=reason, lock_timeout_s=lock_timeout),))

    conclude(_view("models rollback"), call, as_json=as_json, quiet=quiet)


def unalias(
    alias: Annotated[str, typer.Argument(metavar="TICKER@NAME", help="Such as PETR4.SA@live.")],
    reason: Reason = "",
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Remove a name of your own; the version it means stays."""

    def call() -> _Moves:
        from stocklstm.workflows.models.aliases import unalias

        return _Moves((unalias(alias, reason=reason, lock_timeout_s=lock_timeout),))

    conclude(_view("models unalias"), call, as_json=as_json, quiet=quiet)


def _named(version: int | None) -> str:
    return "nothing" if version is None else f"v{version}"


def _bare(item: "AliasMove") -> Iterable[str]:
    if item.version is not None:
        yield f"{item.ticker}@v{item.version}"


def _tables(console: "Console", items: Sequence["AliasMove"]) -> None:
    from stocklstm.cli.tables import facts

    for item in items:
        now = _named(item.version)
        if item.unchanged:
            before = "unchanged"
        else:
            before = "new" if item.replaced is None else f"was {_named(item.replaced)}"
        pairs = [(item.alias, f"{now} ({before})")]
        if item.alias == "champion":
            pairs.append(("previous", _named(item.previous)))
        if not item.unchanged:
            pairs.append(("reason", item.reason))
        facts(console, item.ticker, pairs)


def _view(command: str) -> "View[_Moves, AliasMove]":
    return View(
        command=command,
        key="results",
        items=lambda result: result.moves,
        document=as_document,
        tables=_tables,
        bare=_bare,
    )
