"""Comma-separated values: to standard output, into a file, or added to one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import in_any_case
from stocklstm.cli.streams import write, writes_utf8
from stocklstm.errors import ConfigError

if TYPE_CHECKING:
    from stocklstm.core.csv_rows import Table

STDOUT = "-"
"""What to type for standard output in the place of a file."""

_DEFAULT = "plain"

Append = Annotated[
    bool,
    typer.Option(
        "--append", help="Add the rows to that of --csv; one that is there already stays."
    ),
]

CsvStyleName = Annotated[
    str | None,
    typer.Option(
        "--csv-style",
        metavar="plain|excel-br",
        parser=in_any_case,
        help="How those values are written: plain if not given, or excel-br (semicolons, a "
        "decimal comma, and the mark by which Excel knows UTF-8).",
        show_default=False,
    ),
]


def chosen_style(name: str | None, *, used: bool) -> str:
    """Check --csv-style.

    Args:
        name: As typed; None if it was not.
        used: Whether there is anything to be written in it.

    Raises:
        ConfigError: No such style, or nothing to use it for.
    """
    if name is None:
        return _DEFAULT
    # Few forecasts go this way: the others need not wait for it.
    from stocklstm.core.csv_rows import csv_style

    style = csv_style(name).name
    if not used:
        raise ConfigError(
            "--csv-style is of comma-separated values, and none are to be written",
            hint=f"name a file: --csv forecasts.csv --csv-style {style}",
        )
    return style


def write_table(target: str, table: "Table", style: str, option: str = "--csv") -> None:
    """Write rows to `STDOUT` or to a file: whole, or as it was before."""
    from stocklstm.core.csv_rows import STYLES, csv_text

    text = csv_text(table, STYLES[style])
    if target == STDOUT:
        # The mark is of UTF-8 and nothing else.
        write(text if writes_utf8() else text.removeprefix(STYLES[style].mark))
        return
    from stocklstm.store.user_files import write_file

    write_file(Path(target), text.encode(), option)


def append_table(target: str, table: "Table", style: str, lock_timeout_s: float) -> None:
    """Add the rows to a file that it does not have yet: all of them, or it stays as it was."""
    from stocklstm.core.csv_rows import STYLES, with_rows
    from stocklstm.store.user_files import revise_file

    revise_file(
        Path(target),
        lambda found: with_rows(found, table, STYLES[style], target),
        option="--csv",
        lock_timeout_s=lock_timeout_s,
    )
