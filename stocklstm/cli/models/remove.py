"""stocklstm models rm and gc."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import Json, LockTimeout, Quiet
from stocklstm.cli.output import (
    View,
    as_document,
    conclude,
    warn,
)
from stocklstm.cli.streams import tell
from stocklstm.client import Client
from stocklstm.core.arguments import ALL
from stocklstm.core.language import say
from stocklstm.core.settings.config import LOCK_TIMEOUT_S

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.models.remove import (
        Collection,
        CollectResult,
        RemovedVersion,
        RemoveResult,
    )


def rm(
    models: Annotated[
        list[str], typer.Argument(metavar="TICKER@VERSION...", help="Exact, such as PETR4.SA@v3.")
    ],
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Remove versions that no alias names; their forecasts stay in the ledger."""

    def call() -> "RemoveResult":
        with Client(lock_timeout_s=lock_timeout) as client:
            result = client.remove_versions(models)
        for item in result.results:
            warn(item.ticker, _warnings(item))
        return result

    conclude(REMOVE, call, as_json=as_json, quiet=quiet)


def gc(
    ticker: Annotated[
        list[str] | None,
        typer.Option("--ticker", "-t", metavar="TICKER", help="Only of this one; may be repeated."),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="VERSIONS",
            help="Keep so many of a ticker, the newest, and remove the versions beyond.",
            show_default=False,
        ),
    ] = None,
    older_than: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=36_500,
            metavar="DAYS",
            help="Remove versions published longer ago; with --keep, only those beyond both. "
            "Also how long an unfinished run stays (30 days if not given).",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Remove old versions that nothing needs, and what killed processes left.

    What an alias names never goes, nor what a version that stays was made from. Without --keep and
    --older-than no version goes.
    """

    def call() -> "CollectResult":
        from stocklstm.workflows.models.remove import RemovalRule

        rule = RemovalRule(keep, older_than)
        with Client(lock_timeout_s=lock_timeout) as client:
            result = client.collect_garbage(ticker or ALL, rule, dry_run=dry_run)
        for done in result.results:
            for item in done.skipped:
                tell(
                    say(
                        "kept: {ticker}: {name}: {reason}",
                        ticker=item.ticker,
                        name=item.name,
                        reason=item.reason,
                    )
                )
        return result

    conclude(COLLECT, call, as_json=as_json, quiet=quiet)


def _warnings(item: "RemovedVersion") -> Iterable[str]:
    for child in item.children:
        yield (
            f"v{child} was made from v{item.version}; it forecasts as before, but validate --deep "
            "has no checkpoint to compare it with, and train --from none to begin with"
        )


def _removed_bare(item: "RemovedVersion") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version}"


def _removed_table(console: "Console", items: Sequence["RemovedVersion"]) -> None:
    from stocklstm.cli.tables import grid

    rows = [[f"{item.ticker}@v{item.version}", f"{item.bytes:,}"] for item in items]
    grid(console, say("Removed"), [say("Model"), say("Bytes")], rows)


def _collected_bare(item: "Collection") -> Iterable[str]:
    for garbage in item.removed:
        yield garbage.path


def _collected_table(console: "Console", items: Sequence["Collection"]) -> None:
    from stocklstm.cli.tables import grid

    for item in items:
        title = say("Would be removed") if item.dry_run else say("Removed")
        if not item.removed:
            console.print(f"{title}: {say('nothing')}")
            continue
        rows = [[each.name, each.ticker, each.kind, f"{each.bytes:,}"] for each in item.removed]
        rows.append([say("{count} in all", count=len(item.removed)), "", "", f"{item.bytes:,}"])
        columns = [say("Name"), say("Ticker"), say("What"), say("Bytes")]
        grid(console, title, columns, rows, left=columns[1:3])


REMOVE: "View[RemovedVersion]" = View(
    command="models rm",
    key="results",
    document=as_document,
    tables=_removed_table,
    bare=_removed_bare,
)

COLLECT: "View[Collection]" = View(
    command="models gc",
    key="results",
    document=as_document,
    tables=_collected_table,
    bare=_collected_bare,
)
