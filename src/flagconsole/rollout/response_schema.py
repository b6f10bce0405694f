"""The JSON Schema of the file of ``serve --response``, made from the model that it is read into."""

from __future__ import annotations

from typing import Any

from flagconsole.operations.model_schema import SCHEMA_DIALECT, definitions_of
from flagconsole.rollout.response import Response


def response_schema() -> dict[str, Any]:
    """The schema, as JSON Schema 2020-12."""
    definitions, _ = definitions_of(Response)
    root = definitions.pop("Response")
    # Which environment it is for stands in the option, not in the file.
    properties = {name: field for name, field in root["properties"].items() if name != "environment"}
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "flagconsole response",
        "description": "What playbooks and notices may reach: destinations, audiences, programs, endpoints and subscriptions.",
        **root,
        "properties": properties,
        "$defs": definitions,
    }
