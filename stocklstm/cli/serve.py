"""stocklstm serve."""

import signal
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stocklstm.api.server_options import WRITER_WAIT_S
from stocklstm.cli.options import Json, Quiet, WriterWait
from stocklstm.cli.output import (
    Mode,
    choose_mode,
    complain,
    write_json,
)
from stocklstm.cli.streams import to_stderr, write
from stocklstm.core.batch import Failure
from stocklstm.core.exits import ExitCode, exit_code
from stocklstm.core.packages import EXTRAS, require_packages
from stocklstm.errors import StockLstmError
from stocklstm.workflows.documents import envelope

if TYPE_CHECKING:
    from stocklstm.api.server import Serving


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            metavar="PORT", min=0, max=65_535, help="Port to listen on; 0 for one that is free."
        ),
    ] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A further name that the server goes by, as behind a proxy; may be repeated.",
        ),
    ] = None,
    no_token: Annotated[
        bool,
        typer.Option(
            "--no-token",
            help="Let in whoever reaches --host, also from other machines, without "
            "STOCKLSTM_API_TOKEN.",
        ),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: WriterWait = WRITER_WAIT_S,
) -> None:
    """Answer over HTTP: forecasts, models, the ledger, and pages to look at.

    Prints its address once it listens. SIGTERM ends it with exit code 0, Ctrl-C with 130 and SIGHUP
    with 129, requests under way first.
    """
    mode = Mode.HUMAN
    try:
        mode = choose_mode(as_json=as_json, quiet=quiet)
        require_packages("serve", EXTRAS["api"])
        from stocklstm.api.server import serve as serving
        from stocklstm.api.server_options import ServerOptions, api_token, require_safe

        names = tuple(allow_host or ())
        options = ServerOptions(host, port, api_token(), names, lock_timeout_s=lock_timeout)
        require_safe(options, without_token=no_token)
        ended_by = serving(options, lambda started: _announce(started, mode))
    except StockLstmError as error:
        if mode is Mode.JSON:
            write_json(envelope("serve", "servers", [], [Failure(None, error)]))
        complain(error)
        raise typer.Exit(exit_code(error)) from error
    raise typer.Exit(ExitCode.OK if ended_by == signal.SIGTERM else ExitCode(128 + ended_by))


def _announce(started: "Serving", mode: Mode) -> None:
    """Say where the server is: on stdout to scripts, on stderr to a person."""
    entry: Mapping[str, Any] = asdict(started)
    if mode is Mode.JSON:
        write_json(envelope("serve", "servers", [entry], ()))
    elif mode is Mode.QUIET:
        write(f"{started.url}\n")
    else:
        to_stderr(f"stocklstm serves {started.url}; Ctrl-C ends it")
