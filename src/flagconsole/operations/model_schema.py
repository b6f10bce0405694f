"""JSON Schema made from models, without what only the models' own code wants to know."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def definitions_of(model: type[BaseModel]) -> tuple[dict[str, Any], list[str]]:
    """The schemas of the model and of all that it holds, by name, and the fields that the model needs."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {}) | {model.__name__: schema}
    for name, definition in definitions.items():
        definitions[name] = _plain(definition)
        definitions[name].pop("description", None)
    return definitions, schema.get("required", [])


def _plain(value: Any) -> Any:
    """Without the titles that are made from names (a field may be called title: that one isn't text)."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if not (key == "title" and isinstance(item, str))}
    return [_plain(item) for item in value] if isinstance(value, list) else value
