"""The JSON Schema of environment files, made from the models that they are read into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from flagconsole.domain.environment import MOST, FlagEntry, OverrideEntry
from flagconsole.operations.environment_file import FLAG_FIELDS, MAY_BE_NULL, OVERRIDE_FIELDS
from flagconsole.operations.model_schema import SCHEMA_DIALECT, definitions_of
from flagconsole.operations.plan_schema import plan_schema

_SAID: Final = {
    "state": "What everybody gets; kill is cleared by a revive alone, never by a file.",
    "percentage": "How many of a hundred tenants a canary takes. Another one than the store's draws a new cohort by hash.",
    "tenant_ids": "A cohort that was chosen or drawn; empty: the hash decides.",
    "holdout_ids": "Tenants outside a drawn cohort that the hash would take.",
    "default_state": "The state in which the flag was made.",
    "dependencies": "Flags that cap this one; a name that no flag bears is external.",
    "affects": "Services and routes, in words.",
    "expires_on": "When it should be cleaned up.",
    "plan": "The rollout plan to start it by: default, demo.",
    "tenant": "The tenant that has its own state.",
    "reason": "Why this tenant has it.",
    "expires_at": "When it ends, in ISO 8601 with an offset.",
}


def environment_schema() -> dict[str, Any]:
    """The schema, as JSON Schema 2020-12."""
    definitions: dict[str, Any] = {}
    items = {
        "flags": _entry(FlagEntry, FLAG_FIELDS, definitions),
        "overrides": _entry(OverrideEntry, OVERRIDE_FIELDS, definitions),
    }
    plan = plan_schema()
    definitions |= plan.pop("$defs")
    del plan["$schema"], plan["title"]
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "flagconsole environment",
        "description": "Flags, tenants' overrides and rollout plans. What isn't named stays as it is.",
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {name: {"type": "array", "maxItems": MOST, "items": item} for name, item in items.items()}
        | {"plans": {"type": "array", "maxItems": 200, "items": plan}},
        "$defs": definitions,
    }


def _entry(model: type[BaseModel], fields: Mapping[str, str], definitions: dict[str, Any]) -> dict[str, Any]:
    own, needed = definitions_of(model)
    root = own.pop(model.__name__)
    definitions |= own
    written = {field: name for name, field in fields.items()}
    properties = {}
    for name, field in fields.items():
        told = _value(root["properties"][field], may_be_null=name in MAY_BE_NULL)
        properties[name] = told | ({"description": _SAID[name]} if name in _SAID else {})
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [written[field] for field in needed],
        "properties": properties,
    }


def _value(schema: dict[str, Any], *, may_be_null: bool) -> dict[str, Any]:
    """A field's schema without the null that only says it was left out."""
    told = {name: value for name, value in schema.items() if name != "default"}
    choices = told.pop("anyOf", None)
    if choices is None:
        return told
    kept = [choice for choice in choices if may_be_null or choice.get("type") != "null"]
    return told | (kept[0] if len(kept) == 1 else {"anyOf": kept})
