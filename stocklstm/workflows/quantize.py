"""quantize: a smaller, faster version, kept as champion only if it forecasts as well."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stocklstm.core.clock import utc_now
from stocklstm.core.config import LOCK_TIMEOUT_S
from stocklstm.core.evaluation import ScoredDays, evaluate
from stocklstm.core.outcomes import Failure, for_each
from stocklstm.core.reference import CHAMPION, parse_reference
from stocklstm.core.scores import Evaluation
from stocklstm.core.series import Bars, Indices
from stocklstm.errors import ConfigError, SeriesTooShortError
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.latency import latencies_ms
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.compress.dynamic import quantize_dynamic_int8
from stocklstm.learn.compress.sparsity import weight_sparsity
from stocklstm.report.forecasts import predictions_png
from stocklstm.store.locks import writer_lock
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store, open_store
from stocklstm.workflows.scoring import score_model, scored_origins
from stocklstm.workflows.serving import (
    SERVING_FILE,
    LoadedModel,
    load_model,
)

METHODS = {"dynamic": "dynamic-int8"}
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
        accepted: True if neither grew by more than the tolerance.
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
        return QuantizeResult(*for_each(references, run.quantize_one))


@dataclass(frozen=True)
class _Quantization:
    store: Store
    method: str
    tolerance_pct: float
    lock_timeout_s: float

    def quantize_one(self, name: str) -> QuantizedVersion:
        parent = load_model(self.store, parse_reference(name))
        if parent.manifest.parent is not None:
            raise ConfigError(
                f"{parent.manifest.id} is {parent.manifest.method} already",
                hint=f"stocklstm quantize --ticker {parent.manifest.parent}",
            )
        bars = self.store.prices.bars(parent.manifest.ticker)
        origins = scored_origins(bars, parent.manifest)
        if len(origins) == 0:
            raise SeriesTooShortError(
                f"no stored price lies in the test part of {parent.manifest.id}",
                needed=1,
                found=0,
                hint=f"stocklstm fetch --ticker {parent.manifest.ticker}",
            )
        return self._publish(parent, bars, origins)

    def _publish(self, parent: LoadedModel, bars: Bars, origins: Indices) -> QuantizedVersion:
        manifest = parent.manifest
        original = self.store.registry.read_file(manifest, SERVING_FILE)
        smaller = quantize_dynamic_int8(original)
        child = LoadedModel(
            manifest, Forecaster(ServingGraph(smaller), manifest.config, manifest.scaling)
        )
        scored = [score_model(model, bars, origins) for model in (parent, child)]
        evaluations = [evaluate(days, manifest.mase_scale) for days in scored]
        latencies = latencies_ms([parent.forecaster.graph, child.forecaster.graph])
        before, after = (
            VersionFigures(
                bytes=len(content),
                latency_ms=latency,
                rmse=scores.point.rmse,
                crps=scores.distribution.crps,
                parameters=manifest.training.parameters,
                sparsity=weight_sparsity(content),
            )
            for content, latency, scores in zip(
                (original, smaller), latencies, evaluations, strict=True
            )
        )
        gate = _judge(before, after, self.tolerance_pct)
        made, promoted = self._store(manifest, smaller, scored[1], evaluations[1], gate)
        return QuantizedVersion(
            ticker=manifest.ticker,
            parent=manifest.version,
            version=made.version,
            method=self.method,
            currency=self.store.prices.instrument(manifest.ticker).currency,
            before=before,
            after=after,
            size_ratio=before.bytes / after.bytes,
            speed_ratio=before.latency_ms / after.latency_ms,
            rmse_change_pct=gate.rmse_change_pct,
            crps_change_pct=gate.crps_change_pct,
            accepted=gate.accepted,
            promoted=promoted,
            reason=gate.reason,
        )

    def _store(
        self, parent: Manifest, content: bytes, days: ScoredDays, scores: Evaluation, gate: "_Gate"
    ) -> tuple[Manifest, bool]:
        ticker, registry = parent.ticker, self.store.registry
        currency = self.store.prices.instrument(ticker).currency
        with registry.draft(ticker) as draft:
            draft.write(SERVING_FILE, content)
            title = f"{self.method} of {parent.id}"
            picture = predictions_png(days, scores, title, currency)
            draft.write("predictions_vs_actual.png", picture)
            with writer_lock(self.store.paths, ticker, self.lock_timeout_s):
                made = registry.publish(
                    draft,
                    ticker,
                    lambda version: replace(
                        parent,
                        version=version,
                        created=utc_now(),
                        method=self.method,
                        parent=parent.id,
                        evaluation=scores,
                        files=dict(draft.files),
                    ),
                )
                # A smaller copy of a model that is not in use is not put into use either.
                in_use = registry.aliases(ticker).get(CHAMPION) == parent.version
                if gate.accepted and in_use:
                    registry.promote(ticker, made.version, reason=gate.reason, at=utc_now())
        return made, gate.accepted and in_use


@dataclass(frozen=True)
class _Gate:
    rmse_change_pct: float
    crps_change_pct: float
    accepted: bool
    reason: str


def _judge(before: VersionFigures, after: VersionFigures, tolerance_pct: float) -> _Gate:
    rmse, crps = _growth(before.rmse, after.rmse), _growth(before.crps, after.crps)
    accepted = rmse <= tolerance_pct and crps <= tolerance_pct
    words = "within" if accepted else "more than"
    reason = f"RMSE {rmse:+.2f} %, CRPS {crps:+.2f} %: {words} the {tolerance_pct:g} % allowed"
    return _Gate(rmse, crps, accepted, reason)


def _growth(before: float, after: float) -> float:
    if before == 0:
        return 0.0 if after == 0 else float("inf")
    return 100 * (after / before - 1)
