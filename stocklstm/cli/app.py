"""The commands, put together."""

import os
from contextlib import suppress
from importlib import import_module
from typing import Any

import typer

from stocklstm.cli.commands import Commands
from stocklstm.cli.interrupts import ended_by_signals, interrupted_code
from stocklstm.cli.output import VERBOSE, complain
from stocklstm.cli.streams import to_stderr, write
from stocklstm.core.exits import ExitCode, exit_code, help_text
from stocklstm.core.language import chosen_language, language_of_locale, program_speaks
from stocklstm.errors import ConfigError, StockLstmError, StorageError

COMMANDS = {
    "fetch": "Get prices into the local store; without a ticker, refresh all that are stored.",
    "train": "Train on the stored prices, fetched first if there are none, and publish a new "
    "version.",
    "evaluate": "Score models on days they never saw, beside yesterday's close and EWMA.",
    "predict": "Forecast the next session's close, with intervals.",
    "evening": "Fetch, retrain, forecast and score what closed: one line for cron; safe to run "
    "twice.",
    "schedule": "Print the line of cron, the systemd timer or the Windows task that runs evening.",
    "forecasts": "List the forecasts on record, each beside what came; no ticker means all.",
    "validate": "Check every byte of stored models and make a dummy forecast with each; "
    "or the prices.",
    "quantize": "Make a smaller, faster version; champion only if its errors hardly grow.",
    "tune": "Search for settings with a low validation loss; test days are never looked at.",
    "serve": "Answer over HTTP: forecasts, models, the ledger, and pages to look at.",
    "demo": "Run the whole pipeline on bundled real prices of PETR4.SA, offline.",
    "backup": "Write the whole store to one file, while it is in use.",
    "restore": "Make a store of a backup, after every byte of it was checked.",
    "models": "See what the store holds, name it, clear it out.",
    "prices": "Look at the stored prices.",
    "config": "See the settings, and where they stand.",
}
"""Commands, groups last, and what the first line of their help says."""

# Where the commands are that have a room of their own.
_ROOMS = {"train": "train.train", "evaluate": "evaluate.evaluate", "predict": "predict.predict"}
_ROOMS |= {"evening": "evening.evening", "schedule": "evening.schedule"}
_ROOMS |= {"tune": "train.tune", "models": "models.listing", "forecasts": "predict.record"}

# Modules whose commands belong to the group of another: what they load is no concern of its own.
_FURTHER = {"models": ("models.export_import",)}

# Set by the shell when it asks which words could come next.
_COMPLETION = "_STOCKLSTM_COMPLETE"

# Options of Typer, which writes files of the shell's and knows no disk that refuses them.
_INSTALLING = {"--install-completion", "--show-completion"}

_HELP = """Train an LSTM on a stock's daily closes and forecast the next session.

A forecast is not investment advice."""


def run(arguments: list[str]) -> int:
    """Run one command line, given without the program's name, and return the exit code."""
    if _COMPLETION in os.environ:
        from stocklstm.cli.completion import complete

        return complete(build_app)
    try:
        chosen = chosen_language()
    except ConfigError as error:
        complain(error)
        return exit_code(error)
    with ended_by_signals(), program_speaks(lambda: chosen or _usual_language()):
        try:
            code = _called(arguments)
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
        # Typer knows of Ctrl-C alone.
        return interrupted_code() if code == ExitCode.INTERRUPTED else code


def _usual_language() -> str:
    """Find the language where neither an option nor a variable of ours names it."""
    from stocklstm.store.paths import config_file

    configured = None
    with suppress(OSError, RuntimeError):
        # A pipe would have nothing left for those that read settings.
        if config_file().is_file():
            from stocklstm.workflows.settings import configured_language

            configured = configured_language()
    return configured or language_of_locale()


def _called(arguments: list[str]) -> int:
    verbose = os.environ.get(VERBOSE)
    try:
        build_app(arguments)(arguments, prog_name="stocklstm")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        if code == 1 and _INSTALLING.intersection(arguments):
            # Typer has named the shell.
            to_stderr("  next: run it in bash, zsh, fish or PowerShell")
            return ExitCode.USAGE
        return code
    except StorageError as error:
        complain(error)
        return exit_code(error)
    except ImportError as error:
        from stocklstm.core.batch import raise_interrupt
        from stocklstm.core.packages import missing_package

        raise_interrupt(error)
        if (missing := missing_package(error)) is None:
            raise
        complain(missing)
        return exit_code(missing)
    except OSError as error:
        if not _INSTALLING.intersection(arguments):
            raise
        refused = _not_installed(error)
        complain(refused)
        return exit_code(refused)
    finally:
        # What --verbose set is for this command line and its processes, not for the next one.
        if verbose is None:
            os.environ.pop(VERBOSE, None)
    return 0


def _not_installed(error: OSError) -> StockLstmError:
    """Say what stood in the way of the options by which a shell learns to complete."""
    try:
        # What a full disk refused is still on its way to stdout.
        write("")
    except StorageError as full:
        return full
    return ConfigError(
        f"completion cannot be installed: {error.strerror} ({error.filename})",
        hint="stocklstm --show-completion prints what belongs where your shell reads it",
    )


def build_app(arguments: list[str]) -> typer.Typer:
    """Register the command that is called, or all where a word on the line is no command.

    Only that one is imported: each brings options that Typer would inspect, and a forecast is to
    start in a fraction of a second. Where no command is called, they are only listed.
    """
    app = Commands(
        help=_HELP,
        epilog=help_text(),
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_no_options)
    first = next((word for word in arguments if not word.startswith("-")), None)
    if first is None:
        for name, words in COMMANDS.items():
            app.command(name, help=words)(_not_called)
        return app
    for name in [first] if first in COMMANDS else COMMANDS:
        module: Any = import_module(f"stocklstm.cli.{_ROOMS.get(name, name)}")
        for further in _FURTHER.get(name, ()):
            import_module(f"stocklstm.cli.{further}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def _not_called() -> None:
    """Hold the place of a command of which only the name is shown."""


def _no_options() -> None:
    """Make a group of what may be a single command; what it takes is in `Group`."""
