"""Figures about the server, for Prometheus."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import Scope

from stocklstm import __version__
from stocklstm.api.response_cache import Repeater
from stocklstm.api.responses import Health
from stocklstm.api.service import Service

# From an answer that was made before to the longest that is waited for.
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Counters of one server."""

    def __init__(self, service: Service, repeater: Repeater) -> None:
        """Begin to count.

        Args:
            service: Asked for what it counts itself.
            repeater: So is this.
        """
        self._registry = CollectorRegistry()
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
        self._registry.register(_OfOthers(service, repeater))

    def count(self, scope: Scope, status: int | None, seconds: float) -> None:
        """Take note of a request.

        Args:
            scope: Of it, after it was answered.
            status: Of the answer; None if there was none.
            seconds: It took.
        """
        route = getattr(scope.get("route"), "path", "none")
        self._requests.labels(route, _method(scope["method"]), status or 0).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, health: Health) -> bytes:
        """Write them all.

        Args:
            health: As it is now.
        """
        self._ready.set(health.ready)
        self._stale.clear()
        for champion in health.tickers:
            if champion.stale_sessions is not None:
                self._stale.labels(champion.ticker).set(champion.stale_sessions)
        return generate_latest(self._registry)


class _OfOthers(Collector):
    """What others count themselves."""

    def __init__(self, service: Service, repeater: Repeater) -> None:
        self._service, self._repeater = service, repeater

    def collect(self) -> Iterable[Metric]:
        shelf = self._service.shelf
        answers = CounterMetricFamily(
            "stocklstm_answers", "Answers made, or given again.", labels=["kind"]
        )
        answers.add_metric(["made"], self._service.made)
        answers.add_metric(["repeated"], self._repeater.repeated)
        yield answers
        loaded = 0 if shelf is None else len(shelf)
        yield GaugeMetricFamily("stocklstm_models_loaded", "Models in memory.", value=loaded)
        loads = 0 if shelf is None else shelf.loads
        yield CounterMetricFamily("stocklstm_model_loads", "Models loaded.", value=loads)


def _method(method: str) -> str:
    # Whatever a client makes up must not become a time series.
    return method if method in {"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"} else "other"
