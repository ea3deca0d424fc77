"""A pooled model in memory: one network, and what it needs to know of each ticker."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from stocklstm.core.inputs.volatility import VolatilityAnchor
from stocklstm.core.prices.pool_splits import LEAST_ROWS, known_rows
from stocklstm.core.prices.series import Bars
from stocklstm.core.reference import ModelReference, StoredTicker, parse_pool_reference
from stocklstm.core.scores.baselines import Baselines, naive_error
from stocklstm.errors import ArtifactCorruptError, ConfigError, SeriesTooShortError
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.session import ServingGraph
from stocklstm.store.manifest import SERVING_FILE, DataRecord, Manifest, PoolRecord, corrupt
from stocklstm.store.pool_members import MEMBERS_FILE, Member, decode_members
from stocklstm.store.store import Store
from stocklstm.workflows.loading.model import (
    LoadedModel,
    Subject,
    chosen_references,
    load_with,
    serve,
)


@dataclass(frozen=True, eq=False)
class PooledModel:
    """A pooled version in memory; its files were read and checked once for all tickers.

    Attributes:
        manifest: What it is.
        graph: The serving graph.
        members: What it holds of each ticker, by ticker.
    """

    manifest: Manifest
    graph: ServingGraph
    members: Mapping[str, Member]

    @property
    def record(self) -> PoolRecord:
        """What makes it a pooled model."""
        return pool_of(self.manifest)

    @property
    def tickers(self) -> tuple[str, ...]:
        """Those that it knows, in order."""
        return tuple(sorted(self.members))

    def of(self, ticker: str, bars: Bars) -> LoadedModel:
        """Make it the model of one ticker, whether or not it was trained on that one.

        Of a ticker that it does not know the anchor is measured on the rows before the validation
        part of the pool, or on the first 120: no later row ever changes a forecast.

        Args:
            bars: N sessions, up to the close that the forecast is made from.

        Raises:
            SeriesTooShortError: There are fewer than 120.
        """
        member = self.members.get(ticker)
        if member is None:
            return self._model(self._newcomer(ticker, bars), known=False)
        return self._model(member, known=True)

    def since(self, ticker: str) -> tuple[str, int]:
        """Give the first ISO day of the prices that tonight's forecast needs, "" for all.

        Returns:
            That day, and the fewest rows that are enough.
        """
        member = self.members.get(ticker)
        start = "" if member is None or member.state is None else member.state.date
        return start, self.rows_needed

    @cached_property
    def rows_needed(self) -> int:
        """The fewest rows of prices that a forecast is made from; the same for all tickers."""
        return self._forecaster(VolatilityAnchor("returns", 0.94, 0.0)).first_origin() + 1

    def scored(self, ticker: str, bars: Bars) -> LoadedModel:
        """Like `of`, but fit baselines, too, for a ticker that the pool was not trained on.

        Raises:
            SeriesTooShortError: There are fewer than 120 sessions.
        """
        if ticker in self.members:
            return self.of(ticker, bars)
        newcomer = self._newcomer(ticker, bars)
        bars = bars.since(self.manifest.config.start)
        rows = known_rows(bars.dates, self.record.days)
        baselines = Baselines.fit(bars, rows)
        scale = naive_error(bars, rows, self.manifest.config.horizon)
        return self._model(replace(newcomer, baselines=baselines, mase_scale=scale), known=False)

    def _newcomer(self, ticker: str, bars: Bars) -> Member:
        bars = bars.since(self.manifest.config.start)
        if len(bars) < LEAST_ROWS:
            raise SeriesTooShortError(
                f"{len(bars)} rows of {ticker} are too few for a pooled model, which needs "
                f"{LEAST_ROWS}",
                needed=LEAST_ROWS,
                found=len(bars),
                hint=f"stocklstm fetch --ticker {ticker} --full",
            )
        rows = known_rows(bars.dates, self.record.days)
        return Member(
            ticker=ticker,
            data=_seen_of(bars, self.manifest.data),
            windows=0,
            anchor=VolatilityAnchor.fit(bars, rows, self.manifest.config.range_decay),
            baselines=self.manifest.baselines,
            mase_scale=self.manifest.mase_scale,
            scores=None,
        )

    def _model(self, member: Member, *, known: bool) -> LoadedModel:
        manifest = replace(
            self.manifest,
            anchor=self.record.scaling.of(member.anchor),
            baselines=member.baselines,
            mase_scale=member.mase_scale,
            data=member.data,
        )
        scores, pooled = member.scores, self.manifest.evaluation
        subject = (
            Subject(
                member.ticker,
                pooled.verdict,
                f"{pooled.verdict_text} (Over the {len(self.members)} tickers of {manifest.id}.)",
                known,
            )
            if scores is None
            else Subject(member.ticker, scores.verdict, scores.verdict_text, known)
        )
        # Bars that do not begin where the anchor goes on from are estimated from the start.
        anchor = replace(member.anchor, resume=member.state)
        return LoadedModel(manifest, self._forecaster(anchor), subject)

    def _forecaster(self, anchor: VolatilityAnchor) -> Forecaster:
        return Forecaster(self.graph, self.manifest.config, self.record.scaling.of(anchor))


def _seen_of(bars: Bars, seen: DataRecord) -> DataRecord:
    """Describe a new ticker's prices up to the day to which the model saw those of others."""
    last = int(np.searchsorted(bars.dates, np.datetime64(seen.last, "D"), side="right")) - 1
    row = max(last, LEAST_ROWS - 1)
    return DataRecord(
        rows=0,
        first=str(bars.dates[0]),
        last=str(bars.dates[row]),
        last_close=float(bars.closes[row]),
        sha256="",
        sources=(),
    )


AnyModel = LoadedModel | PooledModel
"""What a version is in memory: the model of one ticker, or a pooled one."""


def pool_of(manifest: Manifest) -> PoolRecord:
    """Give what makes a version a pooled one.

    Raises:
        ConfigError: It is of one ticker.
    """
    if manifest.pool is None:
        raise ConfigError(
            f"{manifest.id} is the model of one ticker, not a pooled one",
            hint=f"stocklstm predict --ticker {manifest.ticker}",
        )
    return manifest.pool


def load_any(store: Store, reference: ModelReference) -> AnyModel:
    """Load the version that a reference means, whether of one ticker or pooled.

    Raises:
        NoModelError: There is none.
        ArtifactCorruptError: Its files are not those that were published.
    """
    return load_with(load_any_version, store, reference)


def load_pool(store: Store, reference: ModelReference) -> PooledModel:
    """Load the pooled version that a reference means.

    Raises:
        NoModelError: There is none.
        ArtifactCorruptError: Its files are not those that were published.
        ConfigError: It is of one ticker.
    """
    return load_with(_load_pool_version, store, reference)


def pool_tickers(store: Store, pool: str | None, references: Sequence[str]) -> Sequence[str]:
    """Name what is to be forecast: what was typed, or all that the models are of."""
    if pool is None:
        return chosen_references(store, references)
    model = load_pool(store, parse_pool_reference(pool))
    return references or [StoredTicker(ticker) for ticker in model.tickers]


def load_any_version(store: Store, manifest: Manifest) -> AnyModel:
    """Load the version of a manifest.

    Raises:
        ArtifactCorruptError: Its files are not those that were published.
    """
    model = assembled(manifest, partial(store.registry.read_file, manifest))
    return _with_present_names(store, model) if isinstance(model, PooledModel) else model


def _load_pool_version(store: Store, manifest: Manifest) -> PooledModel:
    model = assembled_pool(manifest, partial(store.registry.read_file, manifest))
    return _with_present_names(store, model)


def _with_present_names(store: Store, model: PooledModel) -> PooledModel:
    """Call the tickers by the names that their prices have now; its files have those of then."""
    names = store.prices.renamed()
    if not names.keys() & model.members.keys():
        return model
    members = {
        names.get(ticker, ticker): replace(member, ticker=names.get(ticker, ticker))
        for ticker, member in model.members.items()
    }
    return replace(model, members=members)


def assembled(manifest: Manifest, read: Callable[[str], bytes]) -> AnyModel:
    """Put a version together from its files.

    Args:
        manifest: What it is.
        read: Gives the content of a file, given its name.

    Raises:
        ArtifactCorruptError: They do not fit each other.
    """
    if manifest.pool is None:
        return serve(manifest, read(SERVING_FILE))
    return assembled_pool(manifest, read)


def require_method(model: AnyModel) -> None:
    """Refuse a version whose graph has other weights than its manifest says.

    Raises:
        ArtifactCorruptError: It has.
    """
    # A forecast has no need of it.
    from stocklstm.core.settings.compression import WEIGHTS

    method, stored = model.manifest.method, model.graph.stored
    if WEIGHTS[method].stored != stored:
        raise ArtifactCorruptError(f"its weights are {stored}, and not as {method} has them")


def assembled_pool(manifest: Manifest, read: Callable[[str], bytes]) -> PooledModel:
    """Put a pooled version together from its files; see `assembled`.

    Raises:
        ArtifactCorruptError: They do not fit each other.
        ConfigError: It is of one ticker.
    """
    pool_of(manifest)
    graph, members = read(SERVING_FILE), read(MEMBERS_FILE)
    try:
        model = PooledModel(manifest, ServingGraph(graph), decode_members(members, manifest))
        # What does not depend on the ticker may be told with any anchor.
        _ = model.rows_needed
    except ArtifactCorruptError as error:
        if error.message.startswith(manifest.id):
            raise
        raise corrupt(manifest.id, error.message) from error
    return model
