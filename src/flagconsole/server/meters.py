"""What Prometheus may scrape about the server itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Meters:
    """The server's own metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "flagconsole_http_requests",
            "HTTP requests by route and status",
            ["route", "status"],
            registry=self.registry,
        )
        self.changes = Counter(
            "flagconsole_changes",
            "Committed changes made through this server, by action",
            ["action"],
            registry=self.registry,
        )
        self.mutation_seconds = Histogram(
            "flagconsole_mutation_seconds",
            "Seconds from a mutation's request to its durable commit",
            ["operation"],
            buckets=_SECONDS,
            registry=self.registry,
        )

    def watch(self, gauges: Callable[[], dict[str, tuple[str, float]]]) -> None:
        """Add gauges that are read when scraped: name to (help, value)."""
        self.registry.register(_Gauges(gauges))

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _Gauges(Collector):
    def __init__(self, gauges: Callable[[], dict[str, tuple[str, float]]]) -> None:
        self._gauges = gauges

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        for name, (documentation, value) in self._gauges().items():
            yield GaugeMetricFamily(name, documentation, value=value)
