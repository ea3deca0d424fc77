"""models list and show: the versions in the store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stocklstm.core.batch import Batch, Failure, Result, for_each
from stocklstm.core.csv_rows import Table
from stocklstm.core.reference import ModelReference, StoredTicker, parse_owner
from stocklstm.errors import NoModelError, NotFoundError, StockLstmError
from stocklstm.store.aliases import AliasChange
from stocklstm.store.disk import disk_errors
from stocklstm.store.manifest import SERVING_FILE, Manifest, Outline, training_command
from stocklstm.store.store import Store


@dataclass(frozen=True, repr=False)
class ModelSummary(Result):
    """One version.

    Attributes:
        ticker: Ticker of the model, or name of a pooled one with its mark.
        version: Its number.
        aliases: Names that point at it.
        created: UTC timestamp.
        preset: What its settings started from.
        method: "float32", or how it was made smaller.
        parent: Identity of the version it was made from, if any.
        bytes: Size of the serving file.
        verdict: How it compared with yesterday's close.
    """

    SHOWN = (
        "ticker",
        "version",
        "aliases",
        "created",
        "preset",
        "method",
        "parent",
        "bytes",
        "verdict",
    )

    ticker: str
    version: int
    aliases: tuple[str, ...]
    created: str
    preset: str
    method: str
    parent: str | None
    bytes: int
    verdict: str


class ModelsResult(Batch[ModelSummary]):
    """All versions, and those that could not be read."""

    @property
    def models(self) -> tuple[ModelSummary, ...]:
        """The versions, by ticker and number."""
        return self.results


@dataclass(frozen=True, repr=False)
class ModelDetails(Result):
    """Everything about one version.

    Attributes:
        manifest: As it was published.
        aliases: Names that point at it.
        alias_log: Every change of the ticker's aliases.
        path: Its directory.
        walk_forward: Where its latest walk-forward evaluation lies; None if there is none.
    """

    SHOWN = (
        "manifest_ticker",
        "manifest_version",
        "aliases",
        "manifest_created",
        "manifest_config_preset",
        "manifest_verdict",
        "path",
    )

    manifest: Manifest
    aliases: tuple[str, ...]
    alias_log: tuple[AliasChange, ...]
    path: str
    walk_forward: str | None

    def card(self) -> str:
        """Give the model card: data, split, settings, scores, limits, and how to make it again.

        Returns:
            Markdown.
        """
        from stocklstm.workflows.models.card import model_card

        return model_card(self.manifest, self.aliases)


def list_models(store: Store, tickers: Sequence[str] = ()) -> ModelsResult:
    """List the versions in the store; see `Client.list_models`."""
    registry, names = store.registry, tickers
    outlines: Callable[[str], Mapping[int, Outline | StockLstmError]] = registry.outlines
    aliases: Callable[[str], Mapping[str, int]] = registry.aliases.of
    if not names:
        names = [StoredTicker(name) for name in registry.tickers()]
        outlines, aliases = registry.outlines_of_each(), registry.aliases.of_each()
    groups, unknown = for_each(
        names, parse_owner, lambda owner: _summaries(owner, outlines, aliases)
    )
    models = tuple(model for found, _ in groups for model in found)
    unreadable = tuple(failure for _, failed in groups for failure in failed)
    return ModelsResult(models, unknown + unreadable)


def show_model(store: Store, reference: ModelReference) -> ModelDetails:
    """Read everything about one version; see `Client.show_model`."""
    manifest = store.registry.find(reference)
    ticker, version = manifest.ticker, manifest.version
    return ModelDetails(
        manifest=manifest,
        aliases=names_of(store.registry.aliases.of(ticker), version),
        alias_log=tuple(store.registry.aliases.log(ticker)),
        path=str(store.paths.version(ticker, version)),
        walk_forward=_walk_forward(store, ticker, version),
    )


def _walk_forward(store: Store, ticker: str, version: int) -> str | None:
    path = store.paths.walk_forward(ticker, version)
    with disk_errors("look for a walk-forward evaluation"):
        return str(path) if path.exists() else None


def _summaries(
    ticker: str,
    outlines_of: Callable[[str], Mapping[int, Outline | StockLstmError]],
    aliases_of: Callable[[str], Mapping[str, int]],
) -> tuple[list[ModelSummary], list[Failure]]:
    outlines = outlines_of(ticker)
    if not outlines:
        raise NoModelError(f"there is no model of {ticker}", hint=training_command(ticker))
    aliases = aliases_of(ticker)
    summaries, failures = [], []
    for version, outline in outlines.items():
        if isinstance(outline, StockLstmError):
            failures.append(Failure(ticker, outline))
        else:
            summaries.append(_summary(outline, names_of(aliases, version)))
    return summaries, failures


def _summary(outline: Outline, aliases: tuple[str, ...]) -> ModelSummary:
    serving = outline.files.get(SERVING_FILE)
    return ModelSummary(
        ticker=outline.ticker,
        version=outline.version,
        aliases=aliases,
        created=outline.created,
        preset=outline.config.preset,
        method=outline.method,
        parent=outline.parent,
        bytes=serving.size if serving else 0,
        verdict=outline.evaluation.verdict,
    )


def names_of(aliases: Mapping[str, int], version: int) -> tuple[str, ...]:
    """Name the aliases that point at a version."""
    return tuple(name for name, target in aliases.items() if target == version)


def version_history(store: Store, reference: ModelReference) -> Table:
    """Put the epochs of a version's training into rows; see `Client.history`."""
    manifest = store.registry.find(reference)
    history = store.registry.history(manifest)
    if not history:
        raise NotFoundError(
            f"{manifest.id} has no history of a training: it was imported, or made of another one",
            hint=f"stocklstm models show {manifest.id}",
        )
    columns = ("epoch", "train_loss", "val_loss", "learning_rate", "seconds", "best_epoch")
    rows = [[getattr(record, name) for name in columns] for record in history]
    return Table(columns, ("epoch",), (), rows)
