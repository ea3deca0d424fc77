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
from stocklstm.core.language import retold, say
from stocklstm.core.wording import judged_words, measured_words, target_words
from stocklstm.errors import ConfigError
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
            tell(
                say(
                    "the store has no model yet: {command}",
                    command="stocklstm train --ticker PETR4.SA",
                )
            )
        return result

    conclude(LIST, call, as_json=as_json, quiet=quiet)


@app.command("show")
def show_model(
    model: Annotated[str, typer.Argument(metavar="TICKER[@VERSION]", help="Such as PETR4.SA@v3.")],
    card: Annotated[
        bool,
        typer.Option(
            "--card", help="Write a model card in Markdown: data, scores, limits, how it was made."
        ),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show everything about one version."""

    def call() -> "Batch[ModelDetails]":
        if card and (as_json or quiet):
            raise ConfigError(
                "--card is a page of its own, and --json and --quiet are others",
                hint=f"stocklstm models show {model} --card",
            )
        with Client() as client:
            return Batch((client.show_model(model),))

    if card and not as_json:
        # The page is Markdown whoever reads it: neither wrapped nor coloured.
        conclude(CARD, call, as_json=False, quiet=True)
    conclude(SHOW, call, as_json=as_json, quiet=quiet)


for command in (promote, rollback, unalias, diff, sign, adopt, rm, gc):
    app.command()(command)


def _summary_bare(item: "ModelSummary") -> Iterable[str]:
    yield f"{item.ticker}@v{item.version}"


def _summary_table(console: "Console", items: Sequence["ModelSummary"]) -> None:
    from rich.text import Text

    from stocklstm.cli.tables import grid, verdict_text

    columns = [say("Model"), say("Aliases"), say("Created"), say("Preset"), say("Method")]
    columns += [say("Bytes"), say("Verdict")]
    rows: list[list[str | Text]] = [
        [
            f"{item.ticker}@v{item.version}",
            ", ".join(item.aliases),
            item.created[:10],
            item.preset,
            item.method,
            f"{item.bytes:,}",
            verdict_text(judged_words(item.verdict), item.verdict),
        ]
        for item in items
    ]
    grid(console, say("Models"), columns, rows, left=[*columns[1:5], columns[6]])


def _details_bare(item: "ModelDetails") -> Iterable[str]:
    yield item.path


def _details_table(console: "Console", items: Sequence["ModelDetails"]) -> None:
    for item in items:
        _details(console, item)


def _target(target: str, horizon: int) -> str:
    if target == "price":
        return say("the price of {session}", session=target_words(horizon))
    return say("the return of {session}", session=target_words(horizon))


def _origin(manifest: "Manifest") -> Sequence[tuple[str, str]]:
    source = manifest.imported_from
    if source is None:
        return ()
    words = (
        say(
            "{at} from the {kind} of {model} of another store",
            at=source.at,
            kind=source.kind,
            model=source.model,
        )
        if source.model
        else say("{at} from the {kind} files", at=source.at, kind=source.kind)
    )
    return ((say("imported"), words),)


def _training(manifest: "Manifest") -> str:
    training = manifest.training
    if not training.epochs:
        return say("elsewhere; how is not known")
    return say(
        "{epochs} epochs on {device}, kept {kept_epoch}; curves: {diagnosis}",
        epochs=training.epochs,
        device=training.device,
        kept_epoch=training.kept_epoch,
        diagnosis=training.diagnosis,
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
            (say("aliases"), ", ".join(item.aliases) or say("none")),
            (say("created"), manifest.created),
            (say("method"), manifest.method),
            (say("parent"), manifest.parent or say("none")),
            *_origin(manifest),
            (
                say("network"),
                say(
                    "{num_layers} × {hidden_size} units, windows of {seq_length}, "
                    "{parameters:,} parameters",
                    num_layers=config.num_layers,
                    hidden_size=config.hidden_size,
                    seq_length=config.seq_length,
                    parameters=manifest.training.parameters,
                ),
            ),
            (say("sees"), ", ".join(config.features)),
            (say("target"), _target(config.target, config.horizon)),
            (say("preset"), say("{preset}, seed {seed}", preset=config.preset, seed=config.seed)),
            (say("training"), _training(manifest)),
            (
                say("prices"),
                say(
                    "{rows} rows, {first} to {last}, {sources}",
                    rows=data.rows,
                    first=data.first,
                    last=data.last,
                    sources=", ".join(data.sources),
                ),
            ),
            *([(say("measured"), measured_words(data.measured))] if data.measured else []),
            (
                say("learned from"),
                say("{first} to {last}", first=splits.train_start, last=splits.train_end),
            ),
            (
                say("tested on"),
                say("{start} to {end}, {n} days", start=scores.start, end=scores.end, n=scores.n),
            ),
            (say("verdict"), verdict_text(scores.verdict_text, scores.verdict)),
            (say("files"), ", ".join(manifest.files)),
            *([(say("walked forward"), item.walk_forward)] if item.walk_forward else []),
            (say("path"), item.path),
            *_changes(item.alias_log),
        ],
    )


def _changes(log: Sequence["AliasChange"]) -> Iterable[tuple[str, str]]:
    if len(log) > _RECENT:
        yield (
            say("changed"),
            say(
                "{count} times; --json has them all, the last {recent} are",
                count=len(log),
                recent=_RECENT,
            ),
        )
    for change in log[-_RECENT:]:
        yield say("changed"), _change(change)


def _change(change: "AliasChange") -> str:
    before = (
        "" if change.replaced is None else f" ({say('was v{replaced}', replaced=change.replaced)})"
    )
    now = say("removed") if change.version is None else f"v{change.version}"
    return f"{retold(change.at)}: {change.name} {now}{before}: {retold(change.reason)}"


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

CARD: "View[ModelDetails]" = View(
    command="models show",
    key="models",
    document=details_document,
    tables=_details_table,
    bare=lambda item: item.card().splitlines(),
)
