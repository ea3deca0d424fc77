"""Loading a published version, ready to forecast."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.prices.series import Bars
from stocklstm.core.records import dataclass
from stocklstm.core.reference import CHAMPION, ModelReference, StoredTicker, is_pool, version_id
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ArtifactCorruptError, ConfigError, NoModelError, RejectedDataError
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.session import ServingGraph
from stocklstm.store.manifest import SERVING_FILE, Manifest, corrupt, training_command
from stocklstm.store.store import Store

M = TypeVar("M")


class Subject(NamedTuple):
    """What a pooled model is to forecast.

    Attributes:
        ticker: Whose prices.
        verdict: How it compared with yesterday's close on this ticker's test part, or on that of
            all tickers where it had none.
        verdict_text: The same in words.
        known: True if it is one of those that the model was trained or tested on.
    """

    ticker: str
    verdict: str
    verdict_text: str
    known: bool


@dataclass(frozen=True, eq=False, repr=False)
class LoadedModel:
    """A published version in memory, for one ticker.

    Attributes:
        manifest: What it is; of a pooled model with the figures of this ticker.
        forecaster: What it does.
        subject: The ticker that a pooled model is to forecast; None for the model of one.
    """

    manifest: Manifest
    forecaster: Forecaster
    subject: Subject | None = None

    def __repr__(self) -> str:
        """Name it."""
        return f"LoadedModel({self.manifest.id}, {self.ticker})"

    @property
    def ticker(self) -> str:
        """Whose prices it forecasts."""
        return self.manifest.ticker if self.subject is None else self.subject.ticker

    @property
    def tickers(self) -> tuple[str, ...]:
        """Those that it knows: one."""
        return (self.ticker,)

    def of(self, ticker: str, bars: Bars) -> "LoadedModel":  # noqa: ARG002 - as of a pooled model
        """Give the model of its ticker: itself."""
        return self

    @property
    def since(self) -> tuple[str, int]:
        """First ISO day of the prices that tonight's forecast needs, "" for all; fewest rows."""
        anchor = self.forecaster.scaling.anchor
        start = "" if anchor is None or anchor.resume is None else anchor.resume.date
        return start, self.forecaster.first_origin() + 1

    @property
    def graph(self) -> ServingGraph:
        """The serving graph."""
        return self.forecaster.graph

    @property
    def verdict(self) -> str:
        """How it compared with yesterday's close on its test part."""
        return (self.manifest.evaluation if self.subject is None else self.subject).verdict

    @property
    def verdict_text(self) -> str:
        """The same in words."""
        return (self.manifest.evaluation if self.subject is None else self.subject).verdict_text

    def forecast(self, bars: Bars) -> ReturnForecasts:
        """Forecast the log return from the last bar over the model's horizon.

        Args:
            bars: At least `forecaster.first_origin() + 1` sessions.

        Returns:
            One forecast: points (1,), quantiles (1, Q).

        Raises:
            SeriesTooShortError: There are too few bars.
            RejectedDataError: The model learned prices that have been rescaled since.
        """
        require_training_scale(self.manifest, bars)
        return self.forecaster.forecast(bars, np.array([len(bars) - 1]))


def chosen_references(
    store: Store, references: Sequence[str], *, pools: bool = False
) -> Sequence[str]:
    """Take the references given, or every ticker that has a model; with `pools` every model.

    Raises:
        NoModelError: None was given and there is none.
    """
    if references:
        return references
    every, renamed = store.registry.tickers(), store.prices.renamed()
    known = set(every)
    # An old name of a ticker has nothing to say once the present one has a model.
    chosen = [
        StoredTicker(name)
        for name in every
        if pools or not (is_pool(name) or renamed.get(name) in known)
    ]
    if not chosen and every:
        raise NoModelError(
            "the store has no model of one ticker, only pooled ones",
            hint=f"stocklstm predict --model {every[0][1:]}",
        )
    if not chosen:
        lost = store.registry.any_on_disk()
        listing = "stocklstm models adopt, which lists again what lies on the disk"
        raise NoModelError(
            "the store lists no model" if lost else "the store has no model",
            hint=listing if lost else "stocklstm train --ticker PETR4.SA",
        )
    return chosen


def require_ticker(reference: ModelReference) -> None:
    """Refuse a pooled model where that of one ticker is called for.

    Raises:
        ConfigError: It is one.
    """
    if is_pool(reference.ticker):
        name = reference.ticker[1:]
        raise ConfigError(
            f"{reference.ticker} is a pooled model, not a ticker",
            hint=f"stocklstm predict --model {name}, or evaluate --model {name}",
        )


def expand_reference(store: Store, reference: ModelReference, *, every_version: bool) -> list[str]:
    """Name the version that a reference means, or every version of its ticker."""
    versions = store.registry.versions(reference.ticker) if every_version else []
    chosen = versions or [store.registry.resolve(reference)]
    return [version_id(reference.ticker, version) for version in chosen]


def tickers_with_models(store: Store, references: Sequence[str]) -> list[str]:
    """Name those tickers of some references that have a model, or every one that has.

    A ticker that was renamed is left out: new prices of its old name would be a second history.
    """
    chosen = chosen_references(store, references)
    known = set(store.registry.tickers()) - store.prices.renamed().keys()
    named = dict.fromkeys(name.partition("@")[0].strip().upper() for name in chosen)
    return [StoredTicker(ticker) for ticker in named if ticker in known]


def tickers_with_champions(store: Store) -> list[StoredTicker]:
    """List the tickers that have a champion of their own, by the names they have now.

    Raises:
        NoModelError: There is none.
    """
    aliases, renamed = store.registry.aliases, store.prices.renamed()
    found = [
        StoredTicker(name)
        for name in store.registry.tickers()
        if not (is_pool(name) or name in renamed) and CHAMPION in aliases.of(name)
    ]
    if not found:
        raise NoModelError("no ticker has a champion", hint="stocklstm train PETR4.SA")
    return found


def scale_since_training(manifest: Manifest, bars: Bars) -> float:
    """Tell by how much the prices of the past have been rescaled since a model was trained.

    A split divides all earlier prices. Returns do not notice; prices learned as prices do. The
    factor is 1 if the last day that training saw is no longer stored.
    """
    rows = np.flatnonzero(bars.dates == np.datetime64(manifest.data.last, "D"))
    return float(bars.closes[rows[0]] / manifest.data.last_close) if len(rows) else 1.0


def learns_prices(config: TrainingConfig) -> bool:
    """Tell whether prices are learned as prices, so that a split makes a model useless."""
    return config.target == "price" or "close" in config.features


def require_training_scale(manifest: Manifest, bars: Bars) -> None:
    """Refuse to forecast with a model that saw prices as prices, if these have been rescaled since.

    Raises:
        RejectedDataError: They have.
    """
    if not learns_prices(manifest.config):
        return
    factor = scale_since_training(manifest, bars)
    if not abs(factor - 1) <= 1e-3:
        raise RejectedDataError(
            f"{manifest.id} learned prices that have been rescaled by {factor:.4g} since, as by a "
            "split",
            hint=training_command(manifest.ticker, like=manifest.id),
        )


def load_model(store: Store, reference: ModelReference) -> LoadedModel:
    """Load the version that a reference means.

    Raises:
        NoModelError: There is none.
        ArtifactCorruptError: Its files are not those that were published.
        ConfigError: It is a pooled model, which forecasts nothing until a ticker is named.
    """
    return load_with(load_version, store, reference)


def load_with(load: Callable[[Store, Manifest], M], store: Store, reference: ModelReference) -> M:
    """Load the version that a reference means, as long as it means one."""
    while True:
        version = store.registry.resolve(reference)
        try:
            return load(store, store.registry.manifest(reference.ticker, version))
        except NoModelError:
            # What a name meant may be replaced and removed by now; then it means another one.
            if store.registry.resolve(reference) == version:
                raise


def load_version(store: Store, manifest: Manifest) -> LoadedModel:
    """Load the version of a manifest.

    Raises:
        ArtifactCorruptError: Its serving file is not the one that was published.
        ConfigError: It is a pooled model.
    """
    return serve(manifest, store.registry.read_file(manifest, SERVING_FILE))


def serve(manifest: Manifest, content: bytes) -> LoadedModel:
    """Make a version of one ticker ready to forecast, given its serving file.

    Raises:
        ArtifactCorruptError: They do not fit each other.
        ConfigError: It is a pooled model.
    """
    try:
        forecaster = Forecaster(ServingGraph(content), manifest.config, manifest.scaling)
    except ArtifactCorruptError as error:
        raise corrupt(manifest.id, error.message) from error
    return LoadedModel(manifest, forecaster)


def unsigned(store: Store, manifest: Manifest) -> list[str]:
    """Warn of a version without a signature, where there is a key to sign with."""
    registry = store.registry
    if registry.key is None:
        return []
    if registry.stored_manifest(manifest.ticker, manifest.version).signature is not None:
        return []
    return [f"{manifest.id} is not signed: stocklstm models sign {manifest.id}"]
