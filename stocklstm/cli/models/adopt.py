"""stocklstm models adopt."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import Json, LockTimeout, Quiet
from stocklstm.cli.output import View, as_document, conclude
from stocklstm.cli.streams import tell
from stocklstm.client import Client
from stocklstm.core.arguments import ALL
from stocklstm.core.language import retold, say
from stocklstm.core.reference import version_id
from stocklstm.core.settings.config import LOCK_TIMEOUT_S

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.models.adopt import Adoption, AdoptResult


def adopt(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TICKER[@VERSION]]...",
            help="Such as PETR4.SA or +b3, or one version of it; none means all that lies there.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be listed.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """List versions again that lie whole on the disk, after their database was lost.

    Every file is compared with its manifest. Names are never changed; where the database lists
    nothing of a ticker, its champion is what the manifests tell.
    """

    def call() -> "AdoptResult":
        with Client(lock_timeout_s=lock_timeout) as client:
            result = client.adopt_versions(models or ALL, dry_run=dry_run)
        for item in result.results:
            for each in item.left_out:
                tell(
                    say(
                        "left out: {model}: {reason}",
                        model=version_id(item.ticker, each.version),
                        reason=each.reason,
                    )
                )
        if not result.results and not result.failures:
            tell(say("nothing lies in the store that is not listed"))
        if any(item.versions for item in result.results) and not dry_run:
            tell(say("prices are fetched anew with: stocklstm fetch TICKER, where there are none"))
            tell(
                say(
                    "signatures are lost with a database: stocklstm models sign --all makes new "
                    "ones"
                )
            )
        return result

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def _bare(item: "Adoption") -> Iterable[str]:
    return (version_id(item.ticker, version) for version in item.versions)


def _table(console: "Console", items: Sequence["Adoption"]) -> None:
    from stocklstm.cli.tables import facts

    for item in items:
        if item.versions:
            title = (
                say("{ticker}, would be listed", ticker=item.ticker)
                if item.dry_run
                else say("{ticker}, listed again", ticker=item.ticker)
            )
            numbers = ", ".join(f"v{version}" for version in item.versions)
            facts(console, title, [(say("versions"), numbers), *_champion(item)])


def _champion(item: "Adoption") -> Iterable[tuple[str, str]]:
    why = f": {retold(item.reason)}" if item.reason else ""
    yield say("champion"), say("none") if item.champion is None else f"v{item.champion}{why}"
    if item.by_hand is not None:
        yield say("by hand"), item.by_hand


VIEW: "View[Adoption]" = View(
    command="models adopt",
    key="results",
    document=as_document,
    tables=_table,
    bare=_bare,
)
