"""Every endpoint of the HTTP API, from its OpenAPI document."""

from __future__ import annotations

from typing import Any

from flagconsole.server.app import create_app
from reference.page import code, page, sentence, table

ABOUT = """Every endpoint with the least role that may call it, from the server's OpenAPI document (`GET /openapi.json`). How keys,
versions, idempotency, errors and the event stream work: [the HTTP API](../api.md); who may do what: [roles](../roles.md). Every
endpoint can also answer what [errors](../api.md) have in common. Types are JSON's; `?` follows fields that may be left out."""

Schema = dict[str, Any]


def text() -> str:
    """The page."""
    document = create_app(operations=None).openapi()  # type: ignore[arg-type]  # only its routes are looked at
    schemas: dict[str, Schema] = document["components"]["schemas"]
    parts = ["## Endpoints"]
    for path, item in document["paths"].items():
        parts += [_endpoint(f"{method.upper()} {path}", operation) for method, operation in item.items()]
    parts.append("## Objects")
    parts += [_object(name, schema) for name, schema in sorted(schemas.items())]
    return page("Endpoints", ABOUT, *parts)


def _endpoint(call: str, operation: Schema) -> str:
    role = operation["x-role"]
    who = "No key is needed." if role == "none" else f"Least role: {role}; scope: {operation.get('x-scope', 'fleet')}."
    parts = [f"### `{call}`", f"{sentence(operation.get('summary'))}. {who}", sentence(operation.get("description"))]
    rows = [
        (code(each["name"]) + ("" if each.get("required") else "?"), each["in"], _kind(each["schema"]), sentence(each.get("description")))
        for each in operation.get("parameters", ())
    ]  # fmt: skip
    parts.append(table(("parameter", "in", "type", "meaning"), rows))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body is not None:
        parts.append(f"Body: {_kind(body)}.")
    answers = [
        f"{status} {_kind(kind['schema']) if 'schema' in kind else media}"
        for status, answer in operation["responses"].items()
        for media, kind in (answer.get("content") or {"": {}}).items()
        if status.startswith("2") or (status == "503" and media == "application/json")
    ]
    parts.append(f"Answers: {', '.join(answer.strip() for answer in answers)}.")
    return "\n\n".join(part for part in parts if part)


def _object(name: str, schema: Schema) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (code(field) + ("" if field in required else "?"), _kind(kind), _limits(kind))
        for field, kind in schema.get("properties", {}).items()
    ]
    values = ", ".join(code(value) for value in schema.get("enum", ()))
    parts = [f"### {name}", sentence(schema.get("description")), f"One of {values}." if values else ""]
    return "\n\n".join(part for part in [*parts, table(("field", "type", "limits"), rows)] if part)


def _kind(schema: Schema) -> str:
    """A schema in words, with links to objects of their own."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return " or ".join(dict.fromkeys(_kind(each) for each in schema[choice]))
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return " or ".join(code(value) for value in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        if "prefixItems" in schema:
            return f"array of ({', '.join(_kind(each) for each in schema['prefixItems'])})"
        return f"array of {_kind(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return {"date-time": "time", "date": "date"}.get(schema.get("format", ""), str(kind))


def _limits(schema: Schema) -> str:
    """What a value must keep to besides its type."""
    said = []
    for each in [schema, *schema.get("anyOf", ())]:
        for name, word in (
            ("minimum", "at least"), ("exclusiveMinimum", "above"), ("maximum", "at most"), ("exclusiveMaximum", "below"),
            ("minLength", "length at least"), ("maxLength", "length at most"),
            ("minItems", "items at least"), ("maxItems", "items at most"),
        ):  # fmt: skip
            if name in each:
                said.append(f"{word} {each[name]}")
        if "pattern" in each:
            said.append(f"matches {code(each['pattern'])}")
    default = schema.get("default")
    if default is not None and default != [] and not isinstance(default, dict):
        said.append(f"default {code(default)}")
    return ", ".join(dict.fromkeys(said))
