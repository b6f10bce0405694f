"""The JSON Schema of files of tenants in YAML, made from the model that they are read into."""

from __future__ import annotations

from typing import Any

from flagconsole.domain.tenant import TenantProfile
from flagconsole.operations.model_schema import SCHEMA_DIALECT, definitions_of
from flagconsole.operations.tenant_file import MAX_TENANTS


def tenant_schema() -> dict[str, Any]:
    """The schema, as JSON Schema 2020-12."""
    definitions, _ = definitions_of(TenantProfile)
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "flagconsole tenants",
        "description": "Tenants with their profiles. What is left out stays as it is in the store; null makes it unknown.",
        "type": "object",
        "additionalProperties": False,
        "required": ["tenants"],
        "properties": {
            "tenants": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_TENANTS,
                "items": {"$ref": "#/$defs/TenantProfile"},
            }
        },
        "$defs": definitions,
    }
