"""stocklstm models: list and show; its other commands are registered here."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from stocklstm.cli.commands import Commands
from stocklstm.cli.models.adopt import adopt
from stocklstm.cli.models.aliases import promote, rollback, unalias
from stocklstm.cli.models.diff import diff
from stocklstm.cli.models.remove import gc, rm
from stocklstm.cli.models.sign import sign
from stocklstm.cli.options import Json, NamedTickers, Quiet, Tickers, all_tickers
from stocklstm.cli.output import View, as_document, conclude
from stocklstm.cli.streams import tell
from stocklstm.client import Client
from stocklstm.core.batch import Batch
from stocklstm.core.wording import measured_words, target_words
from stocklstm.workflows.documents import details_document

if TYPE_CHECKING:
    from rich.console import Console

    from stocklstm.store.aliases import AliasChange
    from stocklstm.store.manifest import Manifest
    from stocklstm.workflows.models.listing import ModelDetails, ModelsResult, ModelSummary

# Changes of aliases that a person is shown.
_RECENT = 10

app = Commands(help="See what the store holds, name it, clear it out.")


@app.command("list")
def list_models(
    named: NamedTickers = None,
    ticker: Tickers = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List all versions, or those of some tickers."""

    def call() -> "ModelsResult":
        with Client() as client:
            result = client.list_models(all_tickers(named, ticker))
        if not result.models and not result.failures:
            tell("the store has no model yet: stocklstm train --ticker PETR4.SA")
        return result

    conclude(LIST, call, as_json=as_json, quiet=quiet)


@app.command("show")
def show_model(
    model: Annotated[str, typer.Argument(metavar="TICKER[@VERSION]", help="Such as PETR4.SA@v3.")],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show everything about one version."""

    def call() -> "Batch[ModelDetails]":
        with Client() as client:
            return Batch((client.show_model(model),))

    conclude(SHOW, call, as_json=as_json, quiet=quiet)


for command in (promote, rollback, unalias, diff, sign, adopt, rm, gc):
    app.command()(command)


def _summary_bare(item: "ModelSummary") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version}"


def _summary_table(console: "Console", items: Sequence["ModelSummary"]) -> None:
    from rich.text import Text

    from stocklstm.cli.tables import grid, verdict_text

    columns = ["Model", "Aliases", "Created", "Preset", "Method", "Bytes", "Verdict"]
    rows: list[list[str | Text]] = [
        [
            f"{item.ticker}@v{item.version}",
            ", ".join(item.aliases),
            item.created[:10],
            item.preset,
            item.method,
            f"{item.bytes:,}",
            verdict_text(item.verdict.replace("_", " "), item.verdict),
        ]
        for item in items
    ]
    words = ["Aliases", "Created", "Preset", "Method", "Verdict"]
    grid(console, "Models", columns, rows, left=words)


def _details_bare(item: "ModelDetails") -> Iterable[str]:
    yield item.path


def _details_table(console: "Console", items: Sequence["ModelDetails"]) -> None:
    for item in items:
        _details(console, item)


def _forecasts(target: str, horizon: int) -> str:
    return f"the {target} of {target_words(horizon)}"


def _origin(manifest: "Manifest") -> Sequence[tuple[str, str]]:
    source = manifest.imported_from
    if source is None:
        return ()
    model = f" of {source.model} of another store" if source.model else " files"
    return (("imported", f"{source.at} from the {source.kind}{model}"),)


def _training(manifest: "Manifest") -> str:
    training = manifest.training
    if not training.epochs:
        return "elsewhere; how is not known"
    return (
        f"{training.epochs} epochs on {training.device}, kept {training.kept_epoch}; curves: "
        f"{training.diagnosis}"
    )


def _details(console: "Console", item: "ModelDetails") -> None:
    from stocklstm.cli.tables import facts, verdict_text

    manifest = item.manifest
    config, data, splits = manifest.config, manifest.data, manifest.splits
    scores = manifest.evaluation
    facts(
        console,
        manifest.id,
        [
            ("aliases", ", ".join(item.aliases) or "none"),
            ("created", manifest.created),
            ("method", manifest.method),
            ("parent", manifest.parent or "none"),
            *_origin(manifest),
            (
                "network",
                (
                    f"{config.num_layers} × {config.hidden_size} units, windows of "
                    f"{config.seq_length}, {manifest.training.parameters:,} parameters"
                ),
            ),
            ("sees", ", ".join(config.features)),
            ("forecasts", _forecasts(config.target, config.horizon)),
            ("preset", f"{config.preset}, seed {config.seed}"),
            ("training", _training(manifest)),
            ("prices", f"{data.rows} rows, {data.first} to {data.last}, {', '.join(data.sources)}"),
            *([("measured", measured_words(data.measured))] if data.measured else []),
            ("learned from", f"{splits.train_start} to {splits.train_end}"),
            ("tested on", f"{scores.start} to {scores.end}, {scores.n} days"),
            ("verdict", verdict_text(scores.verdict_text, scores.verdict)),
            ("files", ", ".join(manifest.files)),
            *([("walked forward", item.walk_forward)] if item.walk_forward else []),
            ("path", item.path),
            *_changes(item.alias_log),
        ],
    )


def _changes(log: Sequence["AliasChange"]) -> Iterable[tuple[str, str]]:
    if len(log) > _RECENT:
        yield "changed", f"{len(log)} times; --json has them all, the last {_RECENT} are"
    for change in log[-_RECENT:]:
        yield "changed", _change(change)


def _change(change: "AliasChange") -> str:
    before = "" if change.replaced is None else f" (was v{change.replaced})"
    now = "removed" if change.version is None else f"v{change.version}"
    return f"{change.at}: {change.name} {now}{before}: {change.reason}"


LIST: "View[ModelSummary]" = View(
    command="models list",
    key="models",
    document=as_document,
    tables=_summary_table,
    bare=_summary_bare,
)

SHOW: "View[ModelDetails]" = View(
    command="models show",
    key="models",
    document=details_document,
    tables=_details_table,
    bare=_details_bare,
)
