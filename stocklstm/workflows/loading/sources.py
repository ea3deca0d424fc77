"""What makes the forecasts: the own model of each ticker, or one pooled model for all."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import (
    ModelReference,
    StoredTicker,
    parse_pool_reference,
    parse_reference,
    parse_ticker,
)
from stocklstm.store.store import Store
from stocklstm.workflows.ledger import is_pinned, pinned_version
from stocklstm.workflows.loading.model import LoadedModel, chosen_references, require_ticker


class ModelSource(NamedTuple):
    """Where the models of the forecasts come from.

    Attributes:
        names: What is to be forecast, given what was typed.
        parse: Reads one of these.
        load: Loads the model; returns a function that fits it to the prices up to the last close.
        version: Version whose past forecasts are shown beside the new one; None for those of every
            version that was champion.
        since: First ISO day of the prices that the latest forecast needs, "" for all, and the
            fewest rows that are enough. Asked for once the model is loaded.
    """

    names: Callable[[Sequence[str]], Sequence[str]]
    parse: Callable[[str], ModelReference]
    load: Callable[[ModelReference], Callable[[Bars], LoadedModel]]
    version: Callable[[ModelReference], int | None]
    since: Callable[[ModelReference], tuple[str, int]]


def own_models(store: Store, load: Callable[[Store, ModelReference], LoadedModel]) -> ModelSource:
    """Let each ticker's own model make its forecast; `load` finds the one of a reference."""
    starts: dict[ModelReference, tuple[str, int]] = {}

    def model_of(chosen: ModelReference) -> Callable[[Bars], LoadedModel]:
        require_ticker(chosen)
        model = load(store, chosen)
        starts[chosen] = model.since
        return lambda _: model

    return ModelSource(
        names=lambda typed: chosen_references(store, typed),
        parse=parse_reference,
        load=model_of,
        # That there is one is known by now.
        version=lambda chosen: pinned_version(store, chosen) if is_pinned(chosen) else None,
        since=starts.pop,
    )


def pooled_model(store: Store, name: str) -> ModelSource:
    """Let one pooled model make all forecasts; its name as typed, perhaps with a version."""
    # Few forecasts are made by one, and the others need not wait for this.
    from stocklstm.workflows.loading.pooled_model import load_pool

    reference = parse_pool_reference(name)
    # Read and checked once, however many tickers it forecasts.
    model, version = load_pool(store, reference), pinned_version(store, reference)
    return ModelSource(
        names=lambda typed: typed or [StoredTicker(ticker) for ticker in model.tickers],
        parse=lambda text: ModelReference(parse_ticker(text)),
        load=lambda chosen: lambda seen: model.of(chosen.ticker, seen),
        version=lambda _: version,
        since=lambda chosen: model.since(chosen.ticker),
    )
