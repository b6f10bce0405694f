"""Health and metrics of several environments, for those who ask without a key."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from pydantic import BaseModel
from starlette.responses import Response

from flagconsole import __version__
from flagconsole.server.public_routes import Health, health_view
from flagconsole.server.served_environment import ServedEnvironment


class EnvironmentHealth(BaseModel):
    """One environment: whether it answers from its store, and where it is."""

    ready: bool
    epoch: str
    revision: int


class StoreHealth(Health):
    """The server's health. What ``Health`` has is the first environment's; ``ready`` says that at least one is, since a broken
    one mustn't take the others out of a load balancer. ``status`` is ``degraded`` where not all are."""

    environments: dict[str, EnvironmentHealth]


def health_of(environments: Sequence[ServedEnvironment]) -> Response:
    """What probes read."""
    parts = {one.name: _part(one) for one in environments}
    ready = [part.ready for part in parts.values()]
    first = environments[0].state
    shown = (
        Health(
            status="unavailable", live=True, ready=False, version=__version__, epoch="", revision=0, feature_flags={}
        )
        if first is None
        else health_view(first)
    )
    body = StoreHealth(
        **shown.model_dump(exclude={"status", "ready"}),
        status="ok" if all(ready) else "degraded" if any(ready) else "unavailable",
        ready=any(ready),
        environments=parts,
    )
    return Response(body.model_dump_json(), 200 if body.ready else 503, media_type="application/json")


def _part(environment: ServedEnvironment) -> EnvironmentHealth:
    state = environment.state
    if state is None:
        return EnvironmentHealth(ready=False, epoch="", revision=0)
    ruleset = state.projection.ruleset
    return EnvironmentHealth(ready=environment.ready, epoch=ruleset.epoch, revision=ruleset.revision)


def metrics_of(environments: Sequence[ServedEnvironment]) -> bytes:
    """The metrics of all, each with the label ``environment``."""
    registry = CollectorRegistry()
    registry.register(_Labelled(environments))
    return generate_latest(registry)


class _Labelled(Collector):
    """What the environments' own registries collect, merged by name."""

    def __init__(self, environments: Sequence[ServedEnvironment]) -> None:
        self._environments = environments

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> list[Metric]:
        served = Metric("flagconsole_environment_ready", "1 when the environment answers from its store", "gauge")
        merged = {served.name: served}
        for environment in self._environments:
            label = {"environment": environment.name}
            served.add_sample(served.name, label, float(environment.ready))
            if environment.state is None:
                continue
            for metric in environment.state.meters.registry.collect():
                family = merged.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    family.add_sample(sample.name, {**sample.labels, **label}, sample.value)
        return list(merged.values())
