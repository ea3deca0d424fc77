"""stocklstm models export and import."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.models.listing import app
from stocklstm.cli.options import Json, LockTimeout, Quiet, in_any_case
from stocklstm.cli.output import (
    View,
    as_document,
    conclude,
    warn,
)
from stocklstm.client import Client
from stocklstm.core.language import retold, say
from stocklstm.core.settings.config import LOCK_TIMEOUT_S

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.workflows.models.exports import ExportedModel, ModelExportResult
    from stocklstm.workflows.models.imports import ImportedVersion, ImportResult


@app.command("export")
def export_model(
    model: Annotated[str, typer.Argument(metavar="TICKER[@VERSION]", help="Such as PETR4.SA@v3.")],
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="bundle|onnx|classic",
            parser=in_any_case,
            help="bundle: one file that import reads; onnx: the graph and a description of its "
            "inputs; classic: model_lstm.pth, scaler.pkl and config.pkl as tutorials have them.",
        ),
    ] = "bundle",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "--out",
            metavar="PATH",
            help="The file of a bundle, the directory of the others; here if not given.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a version to files, for another store or another program."""

    def call() -> "ModelExportResult":
        with Client() as client:
            return client.export_model(model, output, file_format=file_format)

    conclude(EXPORT, call, as_json=as_json, quiet=quiet)


@app.command("import")
def import_model(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="A bundle, a directory of classic files, or a file of weights."
        ),
    ],
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="bundle|classic",
            parser=in_any_case,
            help="bundle or classic; a directory is classic if not given.",
            show_default=False,
        ),
    ] = None,
    ticker: Annotated[
        str | None,
        typer.Option(
            "--ticker",
            "-t",
            metavar="TICKER",
            help="Whose model it is; as the files say if not given.",
            show_default=False,
        ),
    ] = None,
    seq_length: Annotated[
        int | None,
        typer.Option(
            metavar="SESSIONS",
            help="Sessions of a window of classic files; as config.pkl says if not given.",
            show_default=False,
        ),
    ] = None,
    promote: Annotated[
        str,
        typer.Option(
            metavar="auto|always|never",
            parser=in_any_case,
            help="Make it champion: auto (by the rule of train), always, never.",
        ),
    ] = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
    lock_timeout: LockTimeout = LOCK_TIMEOUT_S,
) -> None:
    """Import a version from files; nothing in them is executed or trusted unchecked."""

    def call() -> "ImportResult":
        with Client(lock_timeout_s=lock_timeout) as client:
            result = client.import_model(
                path,
                file_format=file_format,
                ticker=ticker,
                seq_length=seq_length,
                promote=promote,
            )
        for item in result.results:
            warn(f"{item.ticker}@v{item.version}", item.warnings)
        return result

    conclude(IMPORT, call, as_json=as_json, quiet=quiet)


def _bare_export(item: "ExportedModel") -> Iterable[str]:
    yield item.path


def _bare_import(item: "ImportedVersion") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version}"


def _export_tables(console: "Console", items: Sequence["ExportedModel"]) -> None:
    from stocklstm.cli.tables import facts

    for item in items:
        facts(
            console,
            f"{item.ticker}@v{item.version}, exported",
            [
                ("format", item.format),
                ("path", item.path),
                ("files", ", ".join(item.files)),
                ("size", f"{item.bytes:,} bytes"),
            ],
        )


def _import_tables(console: "Console", items: Sequence["ImportedVersion"]) -> None:
    from stocklstm.cli.tables import facts

    for item in items:
        now = say("now champion") if item.promoted else say("not champion")
        state = f"{now}; {retold(item.promotion)}"
        how = say("unchanged") if item.unchanged else say("imported")
        facts(
            console,
            f"{item.ticker}@v{item.version}, {how}",
            [
                (say("from"), item.origin),
                (say("made from"), item.parent or say("no other version")),
                (say("state"), item.promotion if item.unchanged else state),
                *([] if item.by_hand is None else [(say("by hand"), item.by_hand)]),
                (say("verdict"), item.verdict_text),
                (say("path"), item.path),
            ],
        )


EXPORT: "View[ExportedModel]" = View(
    command="models export",
    key="exports",
    document=as_document,
    tables=_export_tables,
    bare=_bare_export,
)

IMPORT: "View[ImportedVersion]" = View(
    command="models import",
    key="imports",
    document=as_document,
    tables=_import_tables,
    bare=_bare_import,
)
