"""The JSON Schema of the files of ``bulk-set``, made from the model that they are read into."""

from __future__ import annotations

from typing import Any

from flagconsole.domain.bulk import MOST, BulkItem
from flagconsole.operations.bulk_file import FIELDS
from flagconsole.operations.model_schema import SCHEMA_DIALECT, definitions_of


def bulk_schema() -> dict[str, Any]:
    """The schema, as JSON Schema 2020-12."""
    definitions, _ = definitions_of(BulkItem)
    item = definitions.pop("BulkItem")
    properties = {written: item["properties"][name] for written, name in FIELDS.items()}
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "flagconsole bulk-set",
        "description": "Changes of many flags that are made wholly or not at all, with the reason that the log gives for them.",
        "type": "object",
        "additionalProperties": False,
        "required": ["flags"],
        "properties": {
            "reason": properties["reason"],
            "flags": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name"],
                    "properties": properties,
                },
            },
        },
        "$defs": definitions,
    }
