"""The JSON Schema of playbook files, made from the model that they are read into."""

from __future__ import annotations

from typing import Any

from flagconsole.domain.playbook import KILL_SWITCH, PLAYBOOK_NAMES, FlagEffect, Playbook, Step, StepKind, fields_of
from flagconsole.operations.model_schema import SCHEMA_DIALECT, definitions_of


def playbook_schema() -> dict[str, Any]:
    """The schema, as JSON Schema 2020-12."""
    definitions, _ = definitions_of(Playbook)
    root = definitions.pop("Playbook")
    definitions["Step"]["allOf"] = [_of_kind(kind) for kind in StepKind]
    kills = {"properties": {"effect": {"const": FlagEffect.KILL.value}}, "required": ["effect"]}
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "flagconsole playbook",
        "description": "The steps of a rollback, who is told when, and what is verified at the end. Durations are minutes.",
        **root,
        "properties": root["properties"]
        | {
            "name": {"enum": list(PLAYBOOK_NAMES)},
            "steps": root["properties"]["steps"] | {"prefixItems": [_first_step()]},
        },
        "if": {"properties": {"name": {"const": KILL_SWITCH}}},
        "then": {"properties": {"steps": {"prefixItems": [kills]}}},
        "else": {"properties": {"steps": {"prefixItems": [{"not": kills}]}}},
        "$defs": definitions,
    }


def _first_step() -> dict[str, Any]:
    return {"$ref": "#/$defs/Step", "properties": {"kind": {"const": StepKind.FLAG.value}}}


def _of_kind(kind: StepKind) -> dict[str, Any]:
    """What a step of this kind needs, and which fields it can't have but at their usual values."""
    needed, refused = fields_of(kind)
    usual = {name: Step.model_fields[name].default for name in refused}
    properties: dict[str, Any] = {
        name: {"const": list(value) if isinstance(value, tuple) else value} for name, value in usual.items()
    }
    properties |= {name: {"not": {"enum": [None, []]}} for name in needed}
    return {
        "if": {"properties": {"kind": {"const": kind.value}}, "required": ["kind"]},
        "then": {"required": needed, "properties": properties},
    }
