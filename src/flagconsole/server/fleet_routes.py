"""Instances and their receipts, tenants, keys, status, and the audit chain."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from flagconsole.domain import requests as ask
from flagconsole.domain.act import ActPage
from flagconsole.domain.audit_report import AuditReport
from flagconsole.domain.instance import ReceiptBatch, id_under
from flagconsole.domain.role import ApiKey
from flagconsole.domain.views import InstanceList, KeyList, NewKey, Status, TenantList
from flagconsole.operations import reading
from flagconsole.operations.auditing import ACTS_LIMIT
from flagconsole.server.change_routes import DryRun
from flagconsole.server.state import Caller, Fresh, State, at_least
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)

KeyId = Annotated[str, Path(min_length=1, max_length=100)]
InstanceId = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]


class Position(BaseModel):
    """Where the store is."""

    epoch: str
    revision: int


@router.get("/api/status", summary="The system on one screen", dependencies=[Fresh], responses=problems())
async def status(state: State, actor: Caller) -> Status:
    """Flags by state, killed flags, instances, and whom the server takes the caller for."""
    projection, now = state.projection, await state.now()
    return reading.status_of(
        projection.head,
        list(projection.flags.values()),
        projection.overrides.values(),
        len(projection.tenants),
        reading.instance_list(projection.head, state.book.all(now), None, now),
        actor=actor,
        environment=state.operations.environment,
        requires_versions=state.operations.requires_versions,
        now=now,
    )


@router.get("/api/instances", summary="Running SDKs", dependencies=[Fresh], responses=problems())
async def instances(
    state: State, actor: Caller, revision: Annotated[int | None, Query(ge=0, le=2**53)] = None
) -> InstanceList:
    """Who runs, and how many of those expected have confirmed ``revision`` (default: the newest)."""
    now = await state.now()
    return reading.instance_list(state.projection.head, state.book.all(now), revision, now)


@router.post("/api/instances/{instance_id}/receipt", summary="Report applied revisions", responses=problems(413, 415))
async def receipt(state: State, actor: Caller, instance_id: InstanceId, body: ReceiptBatch) -> Position:
    """Take an instance's receipts, or its sign of life. Answers where the store is. Nobody confirms what isn't there yet."""
    if body.receipts:
        await at_least(state, f"{body.epoch}:{max(item.revision for item in body.receipts)}")
    state.book.report(id_under(instance_id, actor.tenant_id), body, await state.now())
    ruleset = state.projection.ruleset
    return Position(epoch=ruleset.epoch, revision=ruleset.revision)


@router.get("/api/tenants", summary="The known tenants", responses=problems(), response_model_exclude_none=True)
async def tenants(state: State, actor: Caller) -> TenantList:
    """All tenants by id."""
    return await state.operations.tenants(actor)


@router.put(
    "/api/tenants", summary="Add or update tenants", responses=problems(413, 415), response_model_exclude_none=True
)
async def put_tenants(state: State, actor: Caller, body: ask.TenantsPut, dry_run: DryRun = False) -> TenantList:
    """Add these tenants, all or none. Of those that exist, the fields that are left out keep their value."""
    result = await state.operations.put_tenants(actor, body, dry_run=dry_run)
    if not dry_run:
        await state.follower.follow_people()
    return result


@router.get("/api/audit/verify", summary="Check the audit chain", responses=problems())
async def verify_audit(state: State, actor: Caller) -> AuditReport:
    """Read the whole log, of changes and of acts, and check both hash chains."""
    return await state.operations.verify_audit(actor)


@router.get("/api/audit/log", summary="The log of acts", responses=problems())
async def audit_log(
    state: State,
    actor: Caller,
    before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=ACTS_LIMIT)] = 50,
) -> ActPage:
    """What was done to keys, rights, approvals, schedules, plans and environments, newest first."""
    return await state.operations.audit_log(actor, before=before, limit=limit)


@router.get("/api/keys", summary="API keys", responses=problems())
async def keys(state: State, actor: Caller) -> KeyList:
    """All keys, without their secrets."""
    return await state.operations.keys(actor)


@router.post("/api/keys", status_code=201, summary="Make an API key", responses=problems(413, 415))
async def create_key(state: State, actor: Caller, body: ask.KeyCreate) -> NewKey:
    """Make a key. The answer is the only place that shows its secret."""
    result = await state.operations.create_key(actor, body)
    await state.follower.follow_people()
    return result


@router.post(
    "/api/keys/{key_id}/rotate", status_code=201, summary="Rotate an API key", responses=problems(404, 409, 413, 415)
)
async def rotate_key(state: State, actor: Caller, key_id: KeyId, body: ask.KeyRotate) -> NewKey:
    """Make the key that takes this one's place. The old one is valid until ``overlap_seconds`` are over, then it dies."""
    result = await state.operations.rotate_key(actor, key_id, body)
    await state.follower.follow_people()
    return result


@router.delete("/api/keys/{key_id}", summary="Revoke an API key", responses=problems(404, 409))
async def revoke_key(state: State, actor: Caller, key_id: KeyId) -> ApiKey:
    """Make a key invalid, and end the streams that use it."""
    result = await state.operations.revoke_key(actor, key_id)
    await state.follower.follow_people()
    return result
