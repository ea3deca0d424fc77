"""stocklstm config show and path."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.commands import Commands
from stocklstm.cli.options import ConfigFile, Json, Like, Quiet
from stocklstm.cli.output import View, as_document, conclude
from stocklstm.cli.train.setting_options import Given, Preset, with_settings
from stocklstm.client import Client
from stocklstm.core.batch import Batch
from stocklstm.core.language import say
from stocklstm.core.settings.layers import format_value

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.settings import ShownPath, ShownSetting

app = Commands(help="See the settings, and where they stand.")


@app.command("show")
@with_settings
def show_settings(
    preset: Preset = None,
    config: ConfigFile = None,
    like: Like = None,
    origin: Annotated[
        bool, typer.Option("--origin", help="Also say where each setting comes from.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    **settings: str | None,
) -> None:
    """Show the settings that a training with these options would have now."""

    def call() -> "Batch[ShownSetting]":
        from stocklstm.workflows.settings import show_settings

        with Client() as client:
            return Batch(show_settings(Given(preset, settings, config, like).effective(client)))

    conclude(WITH_ORIGIN if origin else SHOW, call, as_json=as_json, quiet=quiet)


@app.command("path")
def show_paths(as_json: Json = False, quiet: Quiet = False) -> None:
    """Show where settings, store and cache lie."""

    def call() -> "Batch[ShownPath]":
        from stocklstm.workflows.settings import show_paths

        return Batch(show_paths())

    conclude(PATHS, call, as_json=as_json, quiet=quiet)


def _value(item: "ShownSetting") -> str:
    return format_value(item.value)


def _bare(item: "ShownSetting") -> Iterable[str]:
    yield f"{item.name} {_value(item)}"


def _bare_path(item: "ShownPath") -> Iterable[str]:
    yield f"{item.name} {item.path}"


def _table(console: "Console", items: Sequence["ShownSetting"]) -> None:
    from stocklstm.cli.tables import grid

    rows = [[item.name, _value(item)] for item in items]
    # As they are typed.
    columns = [say("Setting"), say("Value")]
    grid(console, say("Settings"), columns, rows, verbatim=columns)


def _table_with_origin(console: "Console", items: Sequence["ShownSetting"]) -> None:
    from stocklstm.cli.tables import grid

    rows = [[item.name, _value(item), item.origin] for item in items]
    columns = [say("Setting"), say("Value"), say("From")]
    grid(console, say("Settings"), columns, rows, left=columns[2:], verbatim=columns)


def _path_table(console: "Console", items: Sequence["ShownPath"]) -> None:
    from stocklstm.cli.tables import grid

    rows = [[item.name, say("yes") if item.exists else say("no"), item.path] for item in items]
    columns = [say("What"), say("There"), say("Path")]
    grid(console, say("Places"), columns, rows, left=columns[2:], verbatim=columns)


SHOW: "View[ShownSetting]" = View(
    command="config show",
    key="settings",
    document=as_document,
    tables=_table,
    bare=_bare,
)
WITH_ORIGIN: "View[ShownSetting]" = View(
    command="config show",
    key="settings",
    document=as_document,
    tables=_table_with_origin,
    bare=_bare,
)
PATHS: "View[ShownPath]" = View(
    command="config path",
    key="paths",
    document=as_document,
    tables=_path_table,
    bare=_bare_path,
)
