"""quantize: a smaller, faster version, kept as champion only if it forecasts as well."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from stocklstm.core.clock import utc_now
from stocklstm.core.config import LOCK_TIMEOUT_S
from stocklstm.core.evaluation import ScoredDays
from stocklstm.core.outcomes import Failure, for_each
from stocklstm.core.reference import CHAMPION, ModelReference, parse_reference
from stocklstm.core.scores import Evaluation
from stocklstm.errors import ConfigError
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.latency import latencies_ms
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.compress.dynamic import quantize_dynamic_int8
from stocklstm.learn.compress.sparsity import weight_sparsity
from stocklstm.report.forecasts import predictions_png
from stocklstm.store.locks import writer_lock
from stocklstm.store.manifest import SERVING_FILE, Manifest
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.environment import environment
from stocklstm.workflows.scoring import score_unseen
from stocklstm.workflows.serving import (
    LoadedModel,
    load_model,
)

Method = Literal["dynamic-int8"]
METHODS: dict[str, Method] = {"dynamic": "dynamic-int8"}
TOLERANCE_PCT = 0.5


@dataclass(frozen=True)
class VersionFigures:
    """Size, speed and accuracy of one version.

    Attributes:
        bytes: Size of the serving file.
        latency_ms: Median time of one forecast of one window.
        rmse: On the test part, in currency.
        crps: On the test part, in currency.
        parameters: Weights of the network.
        sparsity: Share of weights that are zero.
    """

    bytes: int
    latency_ms: float
    rmse: float
    crps: float
    parameters: int
    sparsity: float


@dataclass(frozen=True)
class QuantizedVersion:
    """Before and after.

    Attributes:
        ticker: Whose model.
        parent: Version it was made from.
        version: Its number.
        method: "dynamic-int8".
        currency: ISO 4217 code of errors.
        before: The parent's figures.
        after: Its own.
        size_ratio: Bytes before / after.
        speed_ratio: Latency before / after.
        rmse_change_pct: Growth of the error, in per cent.
        crps_change_pct: Growth of the score, in per cent.
        accepted: True if neither grew by more than the tolerance, and the file is smaller.
        promoted: True if it is the champion now.
        reason: Why or why not, in words.
    """

    ticker: str
    parent: int
    version: int
    method: str
    currency: str
    before: VersionFigures
    after: VersionFigures
    size_ratio: float
    speed_ratio: float
    rmse_change_pct: float
    crps_change_pct: float
    accepted: bool
    promoted: bool
    reason: str


@dataclass(frozen=True)
class QuantizeResult:
    """Outcome for all tickers."""

    results: tuple[QuantizedVersion, ...]
    failures: tuple[Failure, ...]


def quantize(
    references: Sequence[str],
    *,
    method: str = "dynamic",
    tolerance_pct: float = TOLERANCE_PCT,
    home: Path | None = None,
    lock_timeout_s: float = LOCK_TIMEOUT_S,
) -> QuantizeResult:
    """Make an int8 version of each model and promote it if its errors hardly grow.

    Args:
        references: TICKER or TICKER@version; at least one.
        method: "dynamic".
        tolerance_pct: Most growth of RMSE and CRPS, in per cent, for it to be accepted.
        home: The store; by default where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.

    Raises:
        ConfigError: No such method, no ticker, or a tolerance below 0.
        NotFoundError: There is no store.
    """
    if method not in METHODS:
        raise ConfigError(f"there is no method {method!r}", hint=f"use {', '.join(METHODS)}")
    if not tolerance_pct >= 0:
        raise ConfigError(f"--tolerance must be at least 0, not {tolerance_pct}")
    if not references:
        raise ConfigError("quantize needs a ticker", hint="stocklstm quantize --ticker PETR4.SA")
    with open_store(home, lock_timeout_s=lock_timeout_s) as store:
        store.require_writable()
        run = _Quantization(store, METHODS[method], tolerance_pct, lock_timeout_s)
        return QuantizeResult(*for_each(references, parse_reference, run.quantize_one))


@dataclass(frozen=True, eq=False)
class _Measured:
    """A serving graph with its figures."""

    content: bytes
    days: ScoredDays
    evaluation: Evaluation
    figures: VersionFigures


@dataclass(frozen=True)
class _Gate:
    """Whether the smaller version may take the larger one's place."""

    rmse_change_pct: float
    crps_change_pct: float
    accepted: bool
    reason: str


@dataclass(frozen=True)
class _Quantization:
    store: Store
    method: Method
    tolerance_pct: float
    lock_timeout_s: float

    def quantize_one(self, reference: ModelReference) -> QuantizedVersion:
        parent = load_model(self.store, reference)
        manifest = parent.manifest
        if manifest.method != "float32":
            raise ConfigError(
                f"{manifest.id} is {manifest.method} already",
                hint=f"stocklstm quantize --ticker {manifest.parent}" if manifest.parent else None,
            )
        before, after = self._measure(parent)
        gate = _judge(before.figures, after.figures, self.tolerance_pct)
        made, promoted = self._publish(manifest, after, gate)
        return QuantizedVersion(
            ticker=manifest.ticker,
            parent=manifest.version,
            version=made.version,
            method=self.method,
            currency=self.store.prices.instrument(manifest.ticker).currency,
            before=before.figures,
            after=after.figures,
            size_ratio=before.figures.bytes / after.figures.bytes,
            speed_ratio=before.figures.latency_ms / after.figures.latency_ms,
            rmse_change_pct=gate.rmse_change_pct,
            crps_change_pct=gate.crps_change_pct,
            accepted=gate.accepted,
            promoted=promoted,
            reason=gate.reason,
        )

    def _measure(self, parent: LoadedModel) -> tuple[_Measured, _Measured]:
        """Quantize, and measure both on the same days and in the same minute."""
        manifest = parent.manifest
        bars = self.store.prices.bars(manifest.ticker)
        original = self.store.registry.read_file(manifest, SERVING_FILE)
        smaller = quantize_dynamic_int8(original)
        graph = ServingGraph(smaller)
        child = LoadedModel(manifest, Forecaster(graph, manifest.config, manifest.scaling))
        latencies = latencies_ms([parent.forecaster.graph, graph])

        def measured(model: LoadedModel, content: bytes, latency_ms: float) -> _Measured:
            days, scores = score_unseen(model, bars)
            figures = VersionFigures(
                bytes=len(content),
                latency_ms=latency_ms,
                rmse=scores.point.rmse,
                crps=scores.distribution.crps,
                parameters=manifest.training.parameters,
                sparsity=weight_sparsity(content),
            )
            return _Measured(content, days, scores, figures)

        return measured(parent, original, latencies[0]), measured(child, smaller, latencies[1])

    def _publish(self, parent: Manifest, made: _Measured, gate: _Gate) -> tuple[Manifest, bool]:
        ticker, registry = parent.ticker, self.store.registry
        currency = self.store.prices.instrument(ticker).currency
        at = utc_now()
        with registry.draft(ticker) as draft:
            draft.write(SERVING_FILE, made.content)
            title = f"{self.method} of {parent.id}"
            picture = predictions_png(made.days, made.evaluation, title, currency)
            draft.write("predictions_vs_actual.png", picture)
            with writer_lock(self.store.paths, ticker, self.lock_timeout_s):
                # A smaller copy of a model that is not in use is not put into use either.
                in_use = registry.aliases(ticker).get(CHAMPION) == parent.version
                promoted = gate.accepted and in_use
                manifest = registry.publish(
                    draft,
                    ticker,
                    lambda version: replace(
                        parent,
                        version=version,
                        created=at,
                        method=self.method,
                        parent=parent.id,
                        evaluation=made.evaluation,
                        environment=environment(),
                        files=dict(draft.files),
                    ),
                    at=at,
                    promotion=gate.reason if promoted else None,
                )
        return manifest, promoted


def _judge(before: VersionFigures, after: VersionFigures, tolerance_pct: float) -> _Gate:
    rmse, crps = _growth(before.rmse, after.rmse), _growth(before.crps, after.crps)
    exact = rmse <= tolerance_pct and crps <= tolerance_pct
    words = "within" if exact else "more than"
    reason = (
        f"RMSE {signed(rmse)} %, CRPS {signed(crps)} %: {words} the {tolerance_pct:g} % allowed"
    )
    smaller = after.bytes < before.bytes
    if not smaller:
        reason += f"; not smaller: {before.bytes:,} to {after.bytes:,} bytes"
    return _Gate(rmse, crps, exact and smaller, reason)


def signed(percent: float) -> str:
    """Write a change with its sign and two digits, and no change as +0.00."""
    return f"{round(percent, 2) + 0.0:+.2f}"


def _growth(before: float, after: float) -> float:
    if before == 0:
        return 0.0 if after == 0 else float("inf")
    return 100 * (after / before - 1)
