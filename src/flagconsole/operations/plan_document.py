"""A plan as its file says it: the inverse of ``plan_file``, in words that read back to the same plan."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from flagconsole.domain.metric import STANDARD_METRICS, MetricKind
from flagconsole.domain.plan import MIN_DIFFERENCE_MS, Criterion, Evidence, Phase
from flagconsole.domain.stored_plan import PlanEntry


def document_of(entry: PlanEntry) -> dict[str, Any]:
    """The plan as a file holds it."""
    plan = entry.plan
    told: dict[str, Any] = {
        "name": plan.name,
        "description": plan.description,
        "auto_promote": plan.auto_promote,
        "auto_rollback": plan.auto_rollback,
    }
    if plan.metrics:
        told["metrics"] = {
            name: metric.model_dump(mode="json", exclude_none=True) for name, metric in sorted(plan.metrics.items())
        }
    told["phases"] = [_phase(phase) for phase in plan.phases]
    if entry.flags:
        told["flags"] = {
            name: {
                phase: {
                    which: _limits(limits) for which, limits in dict(own.phases[phase]).items() if limits is not None
                }
                for phase in [item.name for item in plan.phases if item.name in own.phases]
            }
            for name, own in sorted(entry.flags.items())
        }
    return told


def flattened(document: dict[str, Any]) -> dict[str, Any]:
    """Every value of a document by its path, such as ``phases.canary 10.percentage``; lists of limits stay lists of text."""
    found: dict[str, Any] = {}

    def walk(path: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                walk(f"{path}.{name}" if path else name, item)
        elif path == "phases":
            for phase in value:
                walk(f"{path}.{phase['name']}", {name: item for name, item in phase.items() if name != "name"})
        elif isinstance(value, list):
            found[path] = [item if isinstance(item, str) else " ".join(map(str, item.values())) for item in value]
        else:
            found[path] = value

    walk("", document)
    return found


def _phase(phase: Phase) -> dict[str, Any]:
    told: dict[str, Any] = {"name": phase.name, "kind": phase.kind.value, "percentage": phase.percentage}
    whole = phase.min_hours == int(phase.min_hours)
    told["min_hours"] = int(phase.min_hours) if whole else phase.min_hours
    told |= {"min_operations": phase.min_operations, "min_tenants": phase.min_tenants}
    if phase.min_difference_ms != MIN_DIFFERENCE_MS:
        told["min_difference_ms"] = phase.min_difference_ms
    for which, limits in (("success", phase.success), ("rollback", phase.rollback)):
        if limits:
            told[which] = _limits(limits)
    told["monitoring"] = phase.monitoring.value
    if phase.look_seconds is not None:
        told["look_seconds"] = phase.look_seconds
    return told


def _limits(criteria: Iterable[Criterion]) -> list[Any]:
    return [_limit(criterion) for criterion in criteria]


def _limit(criterion: Criterion) -> str | dict[str, str]:
    text = f"{criterion.metric} {criterion.comparison.value} {_number(criterion)}"
    more: dict[str, str] = {}
    if criterion.metric not in STANDARD_METRICS and criterion.kind is not None:
        more["kind"] = criterion.kind.value
    if criterion.evidence is not Evidence.STATISTICAL:
        more["evidence"] = criterion.evidence.value
    return {"limit": text, **more} if more else text


def _number(criterion: Criterion) -> str:
    """The value with its unit, as decimal text that is read back to the very same number."""
    value = Decimal(repr(criterion.value))
    if criterion.metric_kind in {MetricKind.RATIO, MetricKind.CHANGE}:
        return f"{(value * 100).normalize():f} %"
    unit = " ms" if criterion.metric_kind is MetricKind.LATENCY else ""
    return f"{value.normalize():f}{unit}"
