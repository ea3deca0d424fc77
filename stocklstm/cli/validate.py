"""stocklstm validate."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.checks import Checked, checked_name, checks_code, checks_tables
from stocklstm.cli.options import Json, LockTimeout, Models, NamedModels, Quiet, all_tickers
from stocklstm.cli.output import View, as_document, conclude
from stocklstm.client import Client
from stocklstm.core.settings.config import LOCK_TIMEOUT_S

if TYPE_CHECKING:
    from stocklstm.workflows.prices.verify import CheckedPrices
    from stocklstm.workflows.validate.inventory import CheckedStore
    from stocklstm.workflows.validate.validate import ValidatedVersion, ValidateResult


def validate(
    named: NamedModels = None,
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
    leakage: Annotated[
        bool,
        typer.Option(
            "--leakage",
            help="Replace the prices after the split by noise: nothing earlier may change.",
        ),
    ] = False,
    prices: Annotated[
        bool,
        typer.Option(
            "--prices",
            help="The stored prices; models too only with --all, --deep or --leakage.",
        ),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Check every byte of stored models and make a dummy forecast with each; or the prices."""

    def call() -> "ValidateResult":
        with Client(lock_timeout_s=lock_timeout) as client:
            return client.validate(
                all_tickers(named, ticker),
                every_version=every_version,
                deep=deep,
                leakage=leakage,
                prices=prices,
            )

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def _bare(item: Checked) -> Iterable[str]:
    yield f"{checked_name(item)} {item.status}"


VIEW: "View[ValidatedVersion | CheckedPrices | CheckedStore]" = View(
    command="validate",
    key="results",
    document=as_document,
    tables=checks_tables,
    bare=_bare,
    code=checks_code,
)
