"""Which operation each route is. A route that isn't here doesn't start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from fastapi import Request
from starlette.routing import BaseRoute

from flagconsole.operations.permissions import PERMISSIONS, Operation
from flagconsole.server.ofrep_answer import EVALUATE, STREAM

#: Method and path to the operation; None needs no key.
ROUTES: Final[dict[str, Operation | None]] = {
    "GET /health": None,
    "GET /metrics": None,
    "GET /api/flags": Operation.READ_RULES,
    "GET /api/flags/{name}": Operation.READ_RULES,
    "GET /api/snapshot": Operation.READ_RULES,
    "GET /api/stream": Operation.READ_RULES,
    f"POST {EVALUATE}": Operation.READ_RULES,
    f"POST {EVALUATE}/{{key:any_text}}": Operation.READ_RULES,
    f"GET {STREAM}": Operation.READ_RULES,
    "GET /api/client/features": Operation.READ_RULES,
    "GET /api/client/streaming": Operation.READ_RULES,
    "POST /api/client/register": Operation.REPORT,
    "POST /api/client/metrics": Operation.REPORT,
    "POST /api/instances/{instance_id}/receipt": Operation.REPORT,
    "POST /api/telemetry": Operation.REPORT,
    "POST /api/events": Operation.REPORT,
    "POST /api/shadow-executions": Operation.REPORT,
    "GET /api/status": Operation.READ,
    "GET /api/environments": Operation.READ,
    "GET /api/history": Operation.READ,
    "GET /api/flags/{name}/history": Operation.READ,
    "GET /api/flags/{name}/cohort": Operation.READ_FLEET,
    "GET /api/flags/{name}/shadow-report": Operation.READ,
    "GET /api/playbooks": Operation.READ,
    "GET /api/flags/{name}/blast-radius": Operation.READ_FLEET,
    "GET /api/flags/{name}/metrics": Operation.READ_FLEET,
    "GET /api/flags/{name}/rollout": Operation.READ_FLEET,
    "GET /api/flags/{name}/verdicts": Operation.READ_FLEET,
    "GET /api/flags/{name}/checklist": Operation.READ_FLEET,
    "POST /api/flags/{name}/replay": Operation.READ_FLEET,
    "GET /api/rollouts": Operation.READ_FLEET,
    "GET /api/schedules": Operation.READ_FLEET,
    "GET /api/notifications": Operation.READ_FLEET,
    "GET /api/incidents": Operation.READ_FLEET,
    "GET /api/incidents/{incident_id}": Operation.READ_FLEET,
    "GET /api/incidents/{incident_id}/export": Operation.READ_FLEET,
    "GET /api/instances": Operation.READ_FLEET,
    "GET /api/tenants": Operation.READ_FLEET,
    "GET /api/stale": Operation.READ_FLEET,
    "GET /api/export": Operation.READ_FLEET,
    "POST /api/plan": Operation.READ_FLEET,
    "GET /api/audit/verify": Operation.READ_FLEET,
    "GET /api/audit/log": Operation.READ_FLEET,
    "PUT /api/flags/{name}/override": Operation.OVERRIDE,
    "DELETE /api/flags/{name}/override": Operation.OVERRIDE,
    "POST /api/flags/{name}/kill": Operation.KILL,
    "POST /api/flags/{name}/rollback": Operation.ROLLBACK,
    "POST /api/flags/{name}/playbook": Operation.ROLLBACK,
    "POST /api/bulk/rollback": Operation.ROLLBACK,
    "POST /api/flags/{name}/rollout/hold": Operation.HOLD,
    "POST /api/flags/{name}/rollout/resume": Operation.HOLD,
    "POST /api/flags/{name}/rollout/abort": Operation.HOLD,
    "POST /api/schedules/{schedule_id}/cancel": Operation.HOLD,
    "PUT /api/flags/{name}/checklist": Operation.HOLD,
    "POST /api/flags/{name}/rollout/promote": Operation.PROMOTE,
    "PATCH /api/incidents/{incident_id}": Operation.INCIDENT,
    "POST /api/incidents/{incident_id}/close": Operation.INCIDENT,
    "POST /api/incidents/{incident_id}/steps/{step}/confirm": Operation.INCIDENT,
    "POST /api/flags": Operation.CREATE,
    "PUT /api/flags/{name}": Operation.UPDATE,
    "POST /api/bulk/set": Operation.UPDATE,
    "POST /api/apply": Operation.UPDATE,
    "DELETE /api/flags/{name}": Operation.ARCHIVE,
    "POST /api/flags/{name}/revive": Operation.REVIVE,
    "POST /api/flags/{name}/rollout": Operation.START,
    "POST /api/flags/{name}/schedules": Operation.SCHEDULE,
    "POST /api/notifications/{notification_id}/retry": Operation.NOTIFY,
    "POST /api/subscriptions/{subscription}/test": Operation.NOTIFY,
    "POST /api/flags/{name}/cohort": Operation.DRAW_COHORT,
    "PUT /api/tenants": Operation.PUT_TENANTS,
    "GET /api/keys": Operation.KEYS,
    "POST /api/keys": Operation.KEYS,
    "GET /api/approvals": Operation.READ_FLEET,
    "POST /api/approvals/{approval_id}/approve": Operation.APPROVE,
    "POST /api/approvals/{approval_id}/decline": Operation.APPROVE,
    "GET /api/break-glass": Operation.READ_FLEET,
    "POST /api/break-glass": Operation.BREAK_GLASS,
    "DELETE /api/break-glass/{grant_id}": Operation.BREAK_GLASS,
    "POST /api/break-glass/{grant_id}/review": Operation.REVIEW,
    "POST /api/keys/{key_id}/rotate": Operation.KEYS,
    "DELETE /api/keys/{key_id}": Operation.KEYS,
}


_STREAMS: Final = frozenset({"/api/stream", STREAM, "/api/client/streaming"})


def operation_of(request: Request) -> Operation:
    """What the request asks for. Raises ``LookupError`` where the route needs no key, and so must not ask for one."""
    operation = ROUTES[f"{request.method} {request.scope['route'].path}"]
    if operation is None:
        raise LookupError(request.scope["route"].path)
    return operation


def streams(request: Request) -> bool:
    """Whether the answer goes on until somebody ends it."""
    return request.scope["route"].path in _STREAMS


def refuse_unlisted(routes: Iterable[BaseRoute]) -> None:
    """Raise ``LookupError`` naming what the table lacks or has too much: nothing is served that nobody gave a role."""
    served = {f"{method} {route.path}" for route in routes for method in route.methods}  # type: ignore[attr-defined]
    if unlisted := served ^ set(ROUTES):
        raise LookupError(f"routes and their table differ: {', '.join(sorted(unlisted))}")


def describe(document: dict[str, Any]) -> None:
    """Add ``x-operation``, ``x-role`` and ``x-scope`` to every operation of an OpenAPI document."""
    for path, item in document["paths"].items():
        for method, described in item.items():
            operation = ROUTES[f"{method.upper()} {path}"]
            if operation is None:
                described["x-role"] = "none"
                continue
            permission = PERMISSIONS[operation]
            described["x-operation"] = operation.value
            described["x-role"] = permission.least_role.value
            described["x-scope"] = permission.scope.value


def page() -> str:
    """The tables of ``docs/roles.md``."""
    lines = ["| operation | least role | scope | what it is |", "|---|---|---|---|"]
    for operation, (role, scope, meaning) in PERMISSIONS.items():
        lines.append(f"| `{operation}` | {role} | {scope} | {meaning} |")
    lines += ["", "| call | operation | least role | scope |", "|---|---|---|---|"]
    for call, asked in ROUTES.items():
        if asked is None:
            lines.append(f"| `{call}` | – | – | – |")
        else:
            lines.append(f"| `{call}` | `{asked}` | {PERMISSIONS[asked].least_role} | {PERMISSIONS[asked].scope} |")
    return "\n".join(lines) + "\n"
