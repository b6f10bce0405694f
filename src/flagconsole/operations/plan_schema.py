"""The JSON Schema of plan files: what an editor can check while somebody writes one.

It describes the file with its limits in words, not the objects of the API. What needs more than one place of the file at once (limits
that contradict each other, phases in the wrong order) only ``parse_plan`` finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from flagconsole.domain.metric import STANDARD_METRICS, MetricKind
from flagconsole.domain.names import FLAG_NAME_PATTERN
from flagconsole.domain.plan import MIN_DIFFERENCE_MS, Evidence, MonitoringLevel, PhaseKind
from flagconsole.operations.model_schema import SCHEMA_DIALECT
from flagconsole.operations.plan_limit import UNITS

_NUMBER: Final = r"[-+]?[0-9]+(\.[0-9]+)?"
_NOUGHT: Final = r"[-+]?0+(\.0+)?"
_METRIC: Final = "[a-z][a-z0-9_]{0,63}"


def plan_schema() -> dict[str, Any]:
    """The schema, as JSON Schema 2020-12."""
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "flagconsole plan",
        "description": "The ordered phases of a rollout, with the limits that decide about promotion and rollback.",
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "phases"],
        "properties": {
            "name": {"$ref": "#/$defs/label"},
            "description": {"type": "string", "maxLength": 2000},
            "auto_promote": {
                "type": "boolean",
                "default": False,
                "description": "Leave a phase that passes by itself.",
            },
            "auto_rollback": {"type": "boolean", "default": True, "description": "Roll back when a phase fails."},
            "metrics": {
                "type": ["object", "null"],
                "description": "Metrics that Prometheus measures, by name.",
                "maxProperties": 50,
                "propertyNames": {"pattern": f"^{_METRIC}$", "not": {"const": "critical_errors"}},
                "additionalProperties": {"$ref": "#/$defs/metric"},
            },
            "phases": {"type": "array", "minItems": 1, "maxItems": 50, "items": {"$ref": "#/$defs/phase"}},
            "flags": {
                "type": ["object", "null"],
                "description": "Criteria of single flags, by phase. A list replaces the phase's.",
                "propertyNames": {"pattern": FLAG_NAME_PATTERN, "maxLength": 128},
                "additionalProperties": {
                    "type": "object",
                    "maxProperties": 50,
                    "additionalProperties": {"$ref": "#/$defs/own_criteria"},
                },
            },
        },
        "$defs": _definitions(),
    }


def _definitions() -> dict[str, Any]:
    return {
        "label": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[^\n\t]*\S[^\n\t]*$"},
        "limit_text": _limit_text(),
        "limit": {
            "anyOf": [
                {"$ref": "#/$defs/limit_text"},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["limit"],
                    "properties": {
                        "limit": {"$ref": "#/$defs/limit_text"},
                        "kind": {"$ref": "#/$defs/kind"},
                        "evidence": {
                            "enum": [item.value for item in Evidence],
                            "default": Evidence.STATISTICAL.value,
                            "description": "threshold: the plain comparison at every look, which rolls healthy canaries back too.",
                        },
                    },
                },
            ]
        },
        "limits": {"type": "array", "maxItems": 50, "items": {"$ref": "#/$defs/limit"}},
        "kind": {"enum": [item.value for item in MetricKind], "description": "Needed for a metric of one's own."},
        "metric": {
            "type": "object",
            "additionalProperties": False,
            "required": ["query", "freshness"],
            "properties": {
                "query": _promql("{flag}", "{group}") | {"description": "PromQL that gives one number for each group."},
                "freshness": _promql("{flag}") | {"description": "PromQL for the time of the newest sample."},
                "kind": {"$ref": "#/$defs/kind"},
            },
        },
        "own_criteria": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"success": {"$ref": "#/$defs/limits"}, "rollback": {"$ref": "#/$defs/limits"}},
        },
        "phase": _phase(),
    }


def _limit_text() -> dict[str, Any]:
    never_negative = "|".join(
        name for name, kind in STANDARD_METRICS.items() if kind not in {MetricKind.CHANGE, MetricKind.GAUGE}
    )
    return {
        "type": "string",
        "description": "A metric, a comparison, and a number with its unit.",
        "examples": ["error_rate <= 0.5 %", "latency_p95 > 800 ms", "critical_errors >= 2"],
        "pattern": rf"^(?!\s*({never_negative})\s*[<>]=?\s*-)\s*({'|'.join(_measured_in_units())})\s*$",
    }


def _measured_in_units() -> Iterator[str]:
    """Patterns of limits: the standard metrics with their units, and metrics that services name themselves."""
    compared = r"\s*(<=|>=|<|>)\s*"
    for unit in sorted(set(UNITS.values())):
        names = "|".join(name for name, kind in STANDARD_METRICS.items() if UNITS[kind] == unit)
        yield rf"({names}){compared}({_NUMBER}\s*{unit}|{_NOUGHT})" if unit else rf"({names}){compared}{_NUMBER}"
    standard = "|".join(STANDARD_METRICS)
    yield rf"(?!({standard})\s*[<>]){_METRIC}{compared}{_NUMBER}\s*(%|ms)?"


def _promql(*placeholders: str) -> dict[str, Any]:
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": 4000,
        "allOf": [{"pattern": placeholder.replace("{", r"\{").replace("}", r"\}")} for placeholder in placeholders],
        # A bare word in braces is a placeholder; PromQL's own hold matchers.
        "not": {"pattern": r"\{\s*(?!(flag|group|window)\})[A-Za-z_][A-Za-z0-9_]*\s*\}"},
    }


def _phase() -> dict[str, Any]:
    duration = {"type": "number", "minimum": 0}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "kind"],
        "properties": {
            "name": {"$ref": "#/$defs/label"},
            "kind": {"enum": [item.value for item in PhaseKind]},
            "percentage": {"type": "integer", "minimum": 0, "maximum": 100, "default": 0},
            "min_hours": duration | {"maximum": 24 * 365, "description": "Time with fresh data before it can pass."},
            "min_minutes": duration | {"maximum": 24 * 365 * 60},
            "min_operations": {"type": "integer", "minimum": 1, "maximum": 10**9, "default": 500},
            "min_tenants": {"type": "integer", "minimum": 1, "maximum": 10**6, "default": 5},
            "min_difference_ms": {
                "type": "number",
                "minimum": 0,
                "maximum": 60_000,
                "default": MIN_DIFFERENCE_MS,
                "description": "Latencies of canary and control that differ by less count as equal; 0: none do.",
            },
            "success": {"$ref": "#/$defs/limits", "description": "All of them must hold for the phase to pass."},
            "rollback": {"$ref": "#/$defs/limits", "description": "Any of them ends the rollout."},
            "monitoring": {
                "enum": [item.value for item in MonitoringLevel],
                "default": MonitoringLevel.INTENSIVE.value,
            },
            "look_seconds": {"type": ["integer", "null"], "minimum": 5, "maximum": 3600},
        },
        "not": {"required": ["min_hours", "min_minutes"]},
        "allOf": [
            _where(
                PhaseKind.CANARY,
                {"required": ["percentage"], "properties": {"percentage": {"minimum": 1, "maximum": 99}}},
            ),
            _where(PhaseKind.SHADOW, {"properties": {"percentage": {"const": 0}}}),
            *(
                _where(kind, {"required": ["percentage"], "properties": {"percentage": {"const": 100}}})
                for kind in (PhaseKind.FULL, PhaseKind.CLEANUP)
            ),
            _where(
                PhaseKind.CLEANUP,
                {"properties": {"success": {"maxItems": 0}, "rollback": {"maxItems": 0}}},
            ),
        ],
    }


def _where(kind: PhaseKind, then: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {"kind": {"const": kind.value}}, "required": ["kind"]}, "then": then}
