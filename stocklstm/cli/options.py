"""Options that several commands share."""

import inspect
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from stocklstm.core.arguments import ALL
from stocklstm.core.reference import AUTO
from stocklstm.core.settings.config import PICTURE_FORMS, PICTURE_VARIABLE
from stocklstm.errors import ConfigError, NotFoundError

# Endings of files; none is the suffix of an exchange.
_FILES = {
    ".csv",
    ".txt",
    ".tsv",
    ".zip",
    ".gz",
    ".json",
    ".xls",
    ".xlsx",
    ".parquet",
    ".png",
    ".svg",
}


def require_something_to_open(plot: bool | None, *, open_picture: bool) -> None:
    """Refuse to open pictures that are not to be drawn."""
    if plot is False and open_picture:
        raise ConfigError("--no-plot leaves nothing to open", hint="leave --no-plot out")


def in_any_case(word: str) -> str:
    """Read a word that is one of a few, whatever the case of its letters."""
    return word.strip().casefold()


def or_auto(word: str) -> str:
    """Read a name, or the word "auto" in any case."""
    return AUTO if in_any_case(word) == AUTO else word


def _refuse_nan(seconds: float | None) -> float | None:
    if seconds is not None and math.isnan(seconds):
        raise typer.BadParameter("it is not a number")
    return seconds


NamedTickers = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TICKER]...", help="Such as PETR4.SA; any number of them.", show_default=False
    ),
]

NamedModels = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TICKER[@VERSION]]...",
        help="Such as PETR4.SA, PETR4.SA@v3 or PETR4.SA@previous; any number of them.",
        show_default=False,
    ),
]

Tickers = Annotated[
    list[str] | None,
    typer.Option(
        "--ticker", "-t", metavar="TICKER", help="The same, one at a time; may be repeated."
    ),
]

TickersFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Further tickers, one a line; # begins a comment; - is standard input.",
        show_default=False,
    ),
]

Plot = Annotated[
    bool | None,
    typer.Option(
        "--plot/--no-plot",
        help="Draw the loss curves, and forecasts beside outcomes; drawn unless told otherwise, or "
        "with --quiet, --jobs or --scheduler.",
        show_default=False,
    ),
]


def _draw_as(context: typer.Context, form: str | None) -> str | None:
    """Draw in this form until the command has ended, also in its worker processes."""
    if form is None or context.resilient_parsing:
        return form
    word = in_any_case(form)
    if word not in PICTURE_FORMS:
        raise typer.BadParameter(f"{form[:50]!a} is not one of {', '.join(PICTURE_FORMS)}")
    before = os.environ.get(PICTURE_VARIABLE, "")
    os.environ[PICTURE_VARIABLE] = word
    # Empty is as not set.
    context.call_on_close(lambda: os.environ.__setitem__(PICTURE_VARIABLE, before))
    return word


PictureFormat = Annotated[
    str | None,
    typer.Option(
        "--picture-format",
        metavar="PICTURE",
        callback=_draw_as,
        help=f"What pictures are written as: {', '.join(PICTURE_FORMS)}; png if not given.",
        show_default=False,
    ),
]

OpenPicture = Annotated[
    bool,
    typer.Option(
        "--open",
        help="Show the picture in the system's viewer: one a ticker, five at most.",
    ),
]

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--ticker",
        "-t",
        metavar="TICKER[@VERSION]",
        help="The same, one at a time; may be repeated. None means every ticker that has a model.",
    ),
]

Pool = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME[@VERSION]",
        help="The pooled model that makes them, such as b3 or b3@v1, in the place of the tickers' "
        "own; then no ticker means all that it knows.",
        show_default=False,
    ),
]

OneOrMore = Annotated[
    list[str] | None,
    typer.Option(
        "--ticker",
        "-t",
        metavar="TICKER[@VERSION]",
        help="The same, one at a time; may be repeated. One must be given.",
    ),
]

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings in TOML, such as learning_rate = 0.001; your own file if not given.",
        show_default=False,
    ),
]

Like = Annotated[
    str | None,
    typer.Option(
        metavar="TICKER@VERSION",
        help="Start from the settings of a version instead of a preset.",
        show_default=False,
    ),
]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print bare values only.")]

NoFetch = Annotated[
    bool,
    typer.Option(
        "--no-fetch", help="Ask for no prices: a ticker that has none stored is not fetched first."
    ),
]

Jobs = Annotated[
    int,
    typer.Option(metavar="COUNT", help="Tickers at the same time, each in a process of its own."),
]

Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Workers of this Dask scheduler do it, such as tcp://host:8786; "
        "see docs/how-to/cluster.md.",
        show_default=False,
    ),
]


def _lock_timeout(words: str, *, show_default: bool = True) -> Any:  # noqa: ANN401 - as Typer has it
    return typer.Option(
        "--lock-timeout",
        metavar="SECONDS",
        min=0,
        max=86_400,
        callback=_refuse_nan,
        help=f"How long to wait for another writer{words}.",
        show_default=show_default,
    )


LockTimeout = Annotated[float, _lock_timeout("")]

WriterWait = Annotated[float, _lock_timeout("; then a forecast is given and not recorded")]

LedgerTimeout = Annotated[
    float | None,
    _lock_timeout(
        ": if not given, 2 s of the ledger (then the forecast is not recorded) and 10 s of a file",
        show_default=False,
    ),
]


def parameter(
    name: str,
    kind: Any,  # noqa: ANN401 - a type, which may be a union
    help_text: str,
    *,
    metavar: str,
    panel: str | None = None,
) -> inspect.Parameter:
    """Make a command's parameter of a row of a table: an option, or a flag where it is a bool.

    Args:
        name: With underscores.
        kind: Type of the value; an option that is not given is None, and a flag False.
        help_text: For `--help`.
        metavar: What stands for the value there.
        panel: Heading of its own there.
    """
    flag = kind == (bool | None)
    one_of_few = kind == (str | None) and "|" in metavar
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        help=help_text,
        metavar=None if flag else metavar,
        parser=in_any_case if one_of_few else None,
        show_default=False,
        rich_help_panel=panel,
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if flag else None,
        annotation=Annotated[bool if flag else kind, option],
    )


def with_parameters(
    command: Callable[..., None], parameters: Sequence[inspect.Parameter], after: str | None = None
) -> Callable[..., None]:
    """Give a command further options, which reach it as keyword arguments.

    Args:
        command: Takes them as `**` something.
        parameters: From `parameter`.
        after: The command's own parameter that they follow in the help; None for the last one.
    """
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    at = len(own) if after is None else 1 + [p.name for p in own].index(after)
    # Typer passes arguments by name, so that any of them may come first.
    every = [p.replace(kind=p.KEYWORD_ONLY) for p in (*own[:at], *parameters, *own[at:])]
    # To mypy a function has no signature that could be set; to `inspect`, and so to Typer, it has.
    command.__signature__ = signature.replace(parameters=every)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in every} | {"return": None}
    return command


def all_tickers(
    named: Sequence[str] | None, typed: Sequence[str] | None, file: Path | None = None
) -> Sequence[str]:
    """Put together the tickers of a command line; none at all means all that there are.

    Args:
        named: Without an option before them.
        typed: With `--ticker`.
        file: Of `--tickers-file`, which has one a line.
    """
    for name in named or ():
        # A shell makes several words of --file COTAHIST_A20*.ZIP.
        if "/" in name or Path(name).suffix.lower() in _FILES:
            raise ConfigError(
                f"{name[:200]!a} is the name of a file, and tickers are expected there",
                hint=f"give every file an option of its own, such as --file {name[:200]}",
            )
    return [*(named or ()), *(typed or ()), *_listed(file)] or ALL


def _listed(file: Path | None) -> list[str]:
    if file is None:
        return []
    shown = "standard input" if str(file) == "-" else str(file)
    try:
        lines = _content(file).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{shown} is not a text file", hint="write one ticker a line, such as PETR4.SA"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NotFoundError(
            f"{shown} cannot be read: {reason}", hint="check the path given with --tickers-file"
        ) from error
    listed = [text for line in lines if (text := line.partition("#")[0].strip())]
    if not listed:
        raise ConfigError(
            f"{shown} names no ticker", hint="write one ticker a line, such as PETR4.SA"
        )
    return listed


def _content(file: Path) -> bytes:
    from stocklstm.store.user_files import read_small, read_small_file

    if str(file) != "-":
        return read_small_file(file)
    # Python leaves None there if it was started with standard input closed.
    if sys.stdin is None:
        raise ValueError("it is closed")
    return read_small(sys.stdin.buffer)
