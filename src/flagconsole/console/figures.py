"""Metrics and their numbers as people read them. What wasn't measured is a dash, never a zero."""

from __future__ import annotations

from typing import Final

from flagconsole.console.rollouts import PhaseRow
from flagconsole.console.verdicts import FAIL, INCONCLUSIVE, NO_DATA, PASS, CriterionRow

NOTHING: Final = "–"
#: What stands where it isn't known whether there is anything.
UNKNOWN: Final = "?"

_LABELS: Final = {
    "success_rate": "success rate",
    "error_rate": "error rate",
    "critical_errors": "critical errors",
    "latency_p95": "p95 latency",
    "latency_p99": "p99 latency",
    "p95_regression": "p95 regression",
    "csat": "CSAT",
    "ticket_increase": "ticket increase",
    "conversion_rate": "conversion rate",
    "operations": "operations",
    "tickets": "tickets",
    "conversions": "conversions",
}
#: A latency that is told in microseconds.
MICRO: Final = "microseconds"
_UNITS: Final = {"ratio": "%", "change": "%", "latency": "ms", MICRO: "µs"}

#: Each outcome by a sign, a word and a role: the word says the same without colour.
OUTCOME_SIGN: Final = {PASS: "✓", FAIL: "✗", INCONCLUSIVE: "○", NO_DATA: "╌"}
OUTCOME_WORD: Final = {PASS: "PASS", FAIL: "FAIL", INCONCLUSIVE: "WAIT", NO_DATA: "NO DATA"}
OUTCOME_ROLE: Final = {PASS: "good", FAIL: "danger", INCONCLUSIVE: "warning", NO_DATA: "warning"}


def metric_label(metric: str, kind: str = "", *, unit: bool = True) -> str:
    """A metric's name with its unit: ``error rate %``, ``p95 latency ms``, ``pricing variance %``."""
    name = _LABELS.get(metric, metric.replace("_", " "))
    sign = _UNITS.get(kind, "") if unit else ""
    return f"{name} {sign}".rstrip()


def value_text(value: float | None, kind: str) -> str:
    """A value without its unit: shares and changes in per cent, latencies in milliseconds."""
    if value is None:
        return NOTHING
    match kind:
        case "ratio":
            percent = value * 100
            return f"{percent:.2f}" if percent < 99.995 else "100"
        case "change":
            return f"{value * 100:+.1f}"
        case "latency":
            return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 or not value else f"{value:.2g}"
        case "microseconds":
            return f"{value * 1000:,.0f}" if value >= 0.01 else f"{value * 1000:.1f}"
        case "count":
            return f"{value:,.0f}"
        case _:
            return f"{value:,.4g}"


def unit_of(kind: str) -> str:
    """The unit of a kind of metric; empty where it has none."""
    return _UNITS.get(kind, "")


def with_unit(value: float | None, kind: str) -> str:
    """A value with its unit."""
    unit = _UNITS.get(kind, "")
    return f"{value_text(value, kind)} {unit}".rstrip() if value is not None else NOTHING


def limit_text(comparison: str, limit: float, kind: str) -> str:
    """A limit: ``≤0.50``, ``>2.00``."""
    shown = value_text(limit, kind)
    return {"<=": "≤", ">=": "≥"}.get(comparison, comparison) + shown.removeprefix("+")


def delta_text(row: CriterionRow) -> str:
    """Canary less control, in the metric's unit; a change is itself the difference."""
    if row.kind == "change" or row.value is None or row.control is None:
        return NOTHING
    scale = 100.0 if row.kind == "ratio" else 1.0
    difference = (row.value - row.control) * scale
    if row.kind == "latency" and abs(difference) < 10:
        return f"{difference:+.2g}"
    return f"{difference:+.2f}" if row.kind == "ratio" else f"{difference:+,.0f}"


def control_text(row: CriterionRow) -> str:
    """The control's own value. That of a change is of another unit: it is what the canary's was compared with."""
    if row.kind != "change":
        return value_text(row.control, row.kind)
    return with_unit(row.control, "latency") if row.metric == "p95_regression" else NOTHING


def interval_text(row: CriterionRow) -> str:
    """Between which bounds the value lies, with what confidence; a bound that can't be said is open."""
    if row.confidence is None or (row.lower is None and row.upper is None):
        return NOTHING
    low = value_text(row.lower, row.kind) if row.lower is not None else "…"
    high = value_text(row.upper, row.kind) if row.upper is not None else "…"
    return f"{low} … {high}"


def phase_share(phase: PhaseRow) -> str:
    """Whom a phase reaches: ``shadow``, ``10 %``, ``everyone``."""
    match phase.kind:
        case "canary":
            return f"{phase.percentage} %"
        case "full":
            return "everyone"
        case _:
            return phase.kind


def duration_text(seconds: float) -> str:
    """A duration of any size: ``42 s``, ``12:31``, ``3 h 05``, ``2 d 4 h``."""
    whole = int(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours < 100:
        return f"{hours} h {minutes:02d}" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"


def minutes_text(minutes: float | None) -> str:
    """An estimate: ``30 s``, ``4.5 min``, ``9 min``."""
    if minutes is None:
        return NOTHING
    return f"{minutes * 60:.0f} s" if minutes < 1 else f"{minutes:.1f} min".replace(".0 min", " min")
