"""Figures about the server, for Prometheus."""

from collections.abc import Iterable
from threading import Lock
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import Scope

from stocklstm import __version__

if TYPE_CHECKING:
    from stocklstm.api.response_cache import ResponseCache
    from stocklstm.api.responses import Health
    from stocklstm.api.service import Service

# From a cached response to the longest that is waited for.
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Counters of one server."""

    def __init__(self, service: "Service", cache: "ResponseCache") -> None:
        self._registry = CollectorRegistry()
        self._writing = Lock()
        self._shown: Health | None = None
        self._requests = Counter(
            "stocklstm_requests",
            "Requests answered; client is gone where status is 0.",
            ["route", "method", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "stocklstm_request_seconds",
            "Seconds from the head of a request to the end of its answer.",
            ["route"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self.in_flight = Gauge(
            "stocklstm_requests_in_flight", "Requests under way.", registry=self._registry
        )
        self._stale = Gauge(
            "stocklstm_stale_sessions",
            "Sessions that have ended since the last stored close.",
            ["ticker"],
            registry=self._registry,
        )
        self._ready = Gauge(
            "stocklstm_ready", "1 if a ticker can be forecast.", registry=self._registry
        )
        build = Gauge("stocklstm_build_info", "Always 1.", ["version"], registry=self._registry)
        build.labels(__version__).set(1)
        self._registry.register(_ServiceCounts(service, cache))

    def count(self, scope: Scope, method: str, status: int | None, seconds: float) -> None:
        """Count a request that was answered; without a status if the client went away."""
        route = getattr(scope.get("route"), "path", "none")
        self._requests.labels(route, _method(method), status or 0).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, health: "Health") -> bytes:
        """Write all figures in Prometheus' text format."""
        with self._writing:
            if health is not self._shown:
                self._shown = health
                self._ready.set(health.ready)
                self._stale.clear()
                for champion in health.tickers:
                    if champion.stale_sessions is not None:
                        self._stale.labels(champion.ticker).set(champion.stale_sessions)
            return generate_latest(self._registry)


class _ServiceCounts(Collector):
    """Counters of the service and the caches, read when figures are asked for."""

    def __init__(self, service: "Service", cache: "ResponseCache") -> None:
        self._service, self._cache = service, cache

    def collect(self) -> Iterable[Metric]:
        models = self._service.models
        answers = CounterMetricFamily(
            "stocklstm_answers", "Answers made, or given again.", labels=["kind"]
        )
        answers.add_metric(["made"], self._service.made)
        answers.add_metric(["repeated"], self._cache.repeated)
        yield answers
        loaded = 0 if models is None else len(models)
        yield GaugeMetricFamily("stocklstm_models_loaded", "Models in memory.", value=loaded)
        loads = 0 if models is None else models.loads
        yield CounterMetricFamily("stocklstm_model_loads", "Models loaded.", value=loads)
        taken = 0 if models is None else models.bytes
        yield GaugeMetricFamily("stocklstm_model_bytes", "About what they take.", value=taken)


def _method(method: str) -> str:
    # A method that a client makes up must not become a time series.
    return method if method in {"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"} else "other"
