"""stocklstm models diff."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.options import Json, Quiet
from stocklstm.cli.output import View, as_document, conclude
from stocklstm.client import Client
from stocklstm.core.batch import Batch
from stocklstm.core.language import say
from stocklstm.core.wording import significant

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.models.diff import Difference, Pair, Value


def diff(
    left: Annotated[str, typer.Argument(metavar="TICKER[@VERSION]", help="Such as PETR4.SA@v3.")],
    right: Annotated[str, typer.Argument(metavar="TICKER[@VERSION]", help="The other one.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put two versions side by side: settings, scores, prices, libraries, files."""

    def call() -> "Batch[Difference]":
        with Client() as client:
            return Batch((client.diff_models(left, right),))

    conclude(VIEW, call, as_json=as_json, quiet=quiet)


def _bare(item: "Difference") -> Iterable[str]:
    for pair in item.settings:
        yield f"{pair.name}\t{_shown(pair.left)}\t{_shown(pair.right)}"


def _tables(console: "Console", items: Sequence["Difference"]) -> None:
    for item in items:
        sections = [
            (say("Made"), item.about),
            (say("Settings that differ"), item.settings),
            (say("Scores when published"), item.scores),
            (say("Prices"), item.prices),
            (say("Libraries that differ"), item.environment),
            (say("Bytes of files"), item.files),
        ]
        for number, (title, pairs) in enumerate(sections):
            if number:
                console.print()
            _section(console, title, item, pairs)
            if pairs is item.scores and not item.comparable:
                console.print(say("Tested on different days: the scores cannot be compared."))


def _section(console: "Console", title: str, item: "Difference", pairs: Sequence["Pair"]) -> None:
    from rich.text import Text

    from stocklstm.cli.tables import grid

    if not pairs:
        console.print(Text.assemble((title, "bold"), f": {say('none')}"))
        return
    # A version beside itself has one name only, and a table wants two headings.
    rows = [[_words(pair.name), _shown(pair.left), _shown(pair.right)] for pair in pairs]
    # Settings are shown as they are typed, and versions of libraries as they are named.
    columns = ["", item.left, item.right]
    exact = pairs is item.settings or pairs is item.environment
    grid(console, title, columns, rows, verbatim=columns if exact else ())


def _words(name: str) -> str:
    return name if "." in name else name.replace("_", " ")


def _shown(value: "Value") -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return significant(value, 4)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = str(value)
    # Fingerprints are compared, not read.
    return f"{text[:12]}…" if len(text) == 64 else text.replace("no_better", "no better")


VIEW: "View[Difference]" = View(
    command="models diff",
    key="diffs",
    document=as_document,
    tables=_tables,
    bare=_bare,
)
