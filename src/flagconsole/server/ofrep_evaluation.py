"""What is asked of OFREP's routes, and what they find."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.names import TenantId
from flagconsole.domain.ofrep import ErrorCode, failure, success
from flagconsole.domain.role import Actor
from flagconsole.operations.service import tenant_of_actor
from flagconsole.server import strict_json
from flagconsole.server.ofrep_answer import encoded, etag_of, event_stream

TENANT_MISSING: Final = "this flag's answer depends on the tenant: send its id as the context's targetingKey"

_TENANT: TypeAdapter[str] = TypeAdapter(TenantId)


def context_of(body: bytes) -> dict[str, Any]:
    """The evaluation context. One that is left out is empty, since that is how a client without any asks. Raises
    ``MalformedBody`` and ``InvalidInput``."""
    asked = strict_json.parse(body)
    context = asked.get("context", {}) if isinstance(asked, dict) else None
    if not isinstance(context, dict):
        raise InvalidInput(field="context", problem="must be an object", value=type(context).__name__)
    return context


def tenant_meant(actor: Actor, context: dict[str, Any]) -> str | None:
    """The tenant that is meant: the context's targeting key, or else that of the API key. Raises ``InvalidInput``."""
    given = context.get("targetingKey")
    if given is None or given == "":
        return tenant_of_actor(actor, None)
    try:
        tenant = _TENANT.validate_python(given, strict=True)
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        shown = given if isinstance(given, str) else type(given).__name__
        raise InvalidInput(
            field="targetingKey", problem=f"must be a tenant's id: {problem}", value=shown[:100]
        ) from None
    return tenant_of_actor(actor, tenant)


def evaluated(ruleset: Ruleset, key: str, tenant: str | None, now: float) -> dict[str, Any] | None:
    """The flag's answer; None where it depends on a tenant that wasn't named."""
    evaluation = ruleset.evaluate_for_all(key, now) if tenant is None else ruleset.evaluate(key, tenant, now)
    return None if evaluation is None else success(evaluation, ruleset.rules.get(key))


def all_evaluated(
    ruleset: Ruleset, context: dict[str, Any], tenant: str | None, now: float, ticket: str
) -> tuple[bytes, str]:
    """The answers for all flags as they are sent, and their tag. ``ticket`` is what a browser hears of changes with."""
    flags = [
        evaluated(ruleset, key, tenant, now) or failure(key, ErrorCode.TARGETING_KEY_MISSING, TENANT_MISSING)
        for key in sorted(ruleset.rules)
    ]
    body = encoded({"flags": flags, "eventStreams": [event_stream(ticket)]})
    return body, etag_of(context, body)
