"""Options that several commands share."""

from typing import Annotated

import typer

from stocklstm.core.config import LOCK_TIMEOUT_S

Tickers = Annotated[
    list[str] | None,
    typer.Option("--ticker", "-t", metavar="TICKER", help="Such as PETR4.SA; may be repeated."),
]

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--ticker",
        "-t",
        metavar="TICKER[@VERSION]",
        help="Such as PETR4.SA, PETR4.SA@v3 or PETR4.SA@previous; may be repeated. "
        "None means every ticker that has a model.",
    ),
]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print bare values only.")]

LockTimeout = Annotated[
    float,
    typer.Option(metavar="SECONDS", min=0, help="How long to wait for another writer."),
]

LOCK_TIMEOUT = LOCK_TIMEOUT_S
