"""Options that several commands share."""

import math
from typing import Annotated

import typer


def _refuse_nan(seconds: float) -> float:
    if math.isnan(seconds):
        raise typer.BadParameter("it is not a number")
    return seconds


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

OneOrMore = Annotated[
    list[str] | None,
    typer.Option(
        "--ticker",
        "-t",
        metavar="TICKER[@VERSION]",
        help="Such as PETR4.SA or PETR4.SA@v3; may be repeated, and must be given.",
    ),
]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print bare values only.")]

LockTimeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        min=0,
        max=86_400,
        callback=_refuse_nan,
        help="How long to wait for another writer.",
    ),
]
