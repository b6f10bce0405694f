"""Changing flags. Every mutation takes an ``Idempotency-Key`` and ``dry_run``; what can raise exposure takes ``If-Match``."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Response

from flagconsole.domain import requests as ask
from flagconsole.domain.names import ReasonText, TenantId
from flagconsole.domain.views import ChangeResult
from flagconsole.server.flag_routes import Name
from flagconsole.server.state import Caller, ServerState, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)

#: What an idempotency key looks like, and what a version in ``If-Match`` does.
IDEMPOTENCY_KEY: Final = r"^[\x21-\x7e]+$"
VERSION: Final = re.compile(r'^(W/)?"?[0-9]{1,15}"?$')
LONGEST_VERSION: Final = 30

DryRun = Annotated[bool, Query(description="Answer what would happen, and change nothing")]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=200, pattern=IDEMPOTENCY_KEY, description="Makes a retry harmless"),
]
_MUTATION = problems(404, 409, 412, 413, 415, 428)


async def version_given(
    if_match: Annotated[
        str | None,
        Header(max_length=LONGEST_VERSION, pattern=VERSION.pattern, description='The version decided on: `"12"`'),
    ] = None,
) -> int | None:
    """The version in ``If-Match``: ``"12"``, also ``12``."""
    return None if if_match is None else version_of(if_match)


def version_of(if_match: str) -> int:
    """The number in a well-formed ``If-Match``."""
    return int(if_match.removeprefix("W/").strip('"'))


Version = Annotated[int | None, Depends(version_given)]


async def _done(state: ServerState, response: Response, name: str, work: Awaitable[ChangeResult]) -> ChangeResult:
    result = await carried_out(state, name, work)
    response.headers.update(told_of(result))
    return result


def told_of(result: ChangeResult) -> dict[str, str]:
    """The headers of the answer."""
    told = {"ETag": f'"{result.flag.version}"'}
    if result.replayed:
        told["Idempotency-Replayed"] = "true"
    return told


async def carried_out(state: ServerState, name: str, work: Awaitable[ChangeResult]) -> ChangeResult:
    """Carry out a mutation, count it, and answer only once this server's own view has it."""
    started = time.perf_counter()
    result = await work
    state.meters.mutation_seconds.labels(name).observe(time.perf_counter() - started)
    if result.changed and not result.dry_run and not result.replayed and result.change is not None:
        state.meters.changes.labels(result.change.action.value).inc()
        await state.follower.committed((result.epoch, result.revision))
    return result


@router.post("/api/flags", status_code=201, summary="Create a flag", responses=_MUTATION)
async def create(
    state: State, actor: Caller, response: Response, body: ask.FlagCreate, key: Key = None, dry_run: DryRun = False
) -> ChangeResult:
    """Add a flag in its default state."""
    work = state.operations.create(actor, body, idempotency_key=key, dry_run=dry_run)
    return await _done(state, response, "create", work)


@router.put("/api/flags/{name}", summary="Set state, percentage, cohort or description", responses=_MUTATION)
async def update(
    state: State,
    actor: Caller,
    response: Response,
    name: Name,
    body: ask.FlagUpdate,
    version: Version,
    key: Key = None,
    dry_run: DryRun = False,
) -> ChangeResult:
    """Change what the body names; what it leaves out stays."""
    work = state.operations.update(actor, name, body, version=version, idempotency_key=key, dry_run=dry_run)
    return await _done(state, response, "update", work)


@router.delete("/api/flags/{name}", summary="Archive a flag", responses=_MUTATION)
async def archive(
    state: State,
    actor: Caller,
    response: Response,
    name: Name,
    version: Version,
    change_reason: Annotated[ReasonText, Query()],
    key: Key = None,
    dry_run: DryRun = False,
) -> ChangeResult:
    """Retire a flag. Its name is never used again."""
    body = ask.Archive(change_reason=change_reason)
    work = state.operations.archive(actor, name, body, version=version, idempotency_key=key, dry_run=dry_run)
    return await _done(state, response, "archive", work)


@router.post("/api/flags/{name}/kill", summary="Kill a flag", responses=_MUTATION)
async def kill(
    state: State,
    actor: Caller,
    response: Response,
    name: Name,
    body: ask.Kill,
    key: Key = None,
    dry_run: DryRun = False,
) -> ChangeResult:
    """Turn the feature off for everyone, above all else. Needs no version; killing twice is one change."""
    work = state.operations.kill(actor, name, body, idempotency_key=key, dry_run=dry_run)
    return await _done(state, response, "kill", work)


@router.post("/api/flags/{name}/revive", summary="Clear a kill", responses=_MUTATION)
async def revive(
    state: State,
    actor: Caller,
    response: Response,
    name: Name,
    body: ask.Revive,
    version: Version,
    key: Key = None,
    dry_run: DryRun = False,
) -> ChangeResult:
    """Clear a kill, to ``off`` or to a named state below the one it was killed in. Needs ``If-Match``."""
    work = state.operations.revive(actor, name, body, version=version, idempotency_key=key, dry_run=dry_run)
    return await _done(state, response, "revive", work)


@router.post("/api/flags/{name}/rollback", summary="Roll a flag back", responses=_MUTATION)
async def rollback(
    state: State,
    actor: Caller,
    response: Response,
    name: Name,
    body: ask.Rollback,
    version: Version,
    key: Key = None,
    dry_run: DryRun = False,
) -> ChangeResult:
    """Undo the newest change that stands, or return to the state right after ``target_change_id``."""
    work = state.operations.rollback(actor, name, body, version=version, idempotency_key=key, dry_run=dry_run)
    return await _done(state, response, "rollback", work)


@router.put("/api/flags/{name}/override", summary="Give one tenant its own state", responses=_MUTATION)
async def set_override(
    state: State,
    actor: Caller,
    response: Response,
    name: Name,
    body: ask.OverrideSet,
    version: Version,
    key: Key = None,
    dry_run: DryRun = False,
) -> ChangeResult:
    """Set one tenant's own state, until it expires or is removed."""
    work = state.operations.set_override(actor, name, body, version=version, idempotency_key=key, dry_run=dry_run)
    return await _done(state, response, "override", work)


@router.delete("/api/flags/{name}/override", summary="Remove a tenant's own state", responses=_MUTATION)
async def remove_override(
    state: State,
    actor: Caller,
    response: Response,
    name: Name,
    version: Version,
    tenant_id: Annotated[TenantId | None, Query()] = None,
    override_reason: Annotated[ReasonText, Query()] = "override removed",
    key: Key = None,
    dry_run: DryRun = False,
) -> ChangeResult:
    """Let the flag's state decide for this tenant again."""
    body = ask.OverrideRemove(override_reason=override_reason, tenant_id=tenant_id)
    work = state.operations.remove_override(actor, name, body, version=version, idempotency_key=key, dry_run=dry_run)
    return await _done(state, response, "override", work)
