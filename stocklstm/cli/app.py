"""The commands, put together."""

import os
from importlib import import_module
from typing import Annotated, Any

import typer

from stocklstm import __version__
from stocklstm.cli.exits import exit_code, help_text
from stocklstm.cli.output import VERBOSE, complain, write
from stocklstm.errors import StorageError

COMMANDS = (
    *("fetch", "train", "evaluate", "predict", "validate", "quantize"),
    *("models", "prices", "tune", "serve", "config", "demo"),
)

# Modules whose commands belong to the group of another: what they load is no concern of its own.
_FURTHER = {"models": ("bundles",)}

_HELP = """Train an LSTM on a stock's daily closes and forecast the next session.

Start with: stocklstm demo. Then: fetch, train, predict, each with --ticker PETR4.SA.
A forecast is not investment advice."""


def run(arguments: list[str]) -> int:
    """Run one command line.

    Args:
        arguments: Without the program's name.

    Returns:
        The exit code.
    """
    verbose = os.environ.get(VERBOSE)
    try:
        build_app(arguments)(arguments, prog_name="stocklstm")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except StorageError as error:
        complain(error)
        return exit_code(error)
    finally:
        # What --verbose set is for this command line and its processes, not for the next one.
        if verbose is None:
            os.environ.pop(VERBOSE, None)
    return 0


def build_app(arguments: list[str]) -> typer.Typer:
    """Register the commands.

    Only the command that is called is imported: each brings options that Typer would inspect,
    and a forecast is to start in a fraction of a second.

    Args:
        arguments: The command line; without a command on it, all are registered.
    """
    app = typer.Typer(
        help=_HELP,
        epilog=help_text(),
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_common)
    first = next((word for word in arguments if not word.startswith("-")), None)
    for name in [first] if first in COMMANDS else COMMANDS:
        module: Any = import_module(f"stocklstm.cli.{name}")
        for further in _FURTHER.get(name, ()):
            import_module(f"stocklstm.cli.{further}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        write(f"stocklstm {__version__}\n")
        raise typer.Exit


def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the cause beneath each error.")
    ] = False,
) -> None:
    if verbose:
        os.environ[VERBOSE] = "1"
    del version
