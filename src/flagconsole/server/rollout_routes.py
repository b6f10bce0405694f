"""Rollouts over HTTP: start, promote, hold, resume, abort, and what the judge has said."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from flagconsole.domain import rollout_requests as ask
from flagconsole.domain.replay import Replay
from flagconsole.domain.rollout_views import Checklist, RolloutDetail, RolloutList, RolloutResult, VerdictPage
from flagconsole.operations.rollout_service import LIMIT, RolloutOperations
from flagconsole.server.change_routes import DryRun, Key, Version
from flagconsole.server.flag_routes import Before, Name, view_of
from flagconsole.server.state import Caller, Fresh, ServerState, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)

_MUTATION = problems(404, 409, 412, 413, 415, 428)


def _rollouts(state: ServerState) -> RolloutOperations:
    asked = state.operations
    return RolloutOperations(
        asked.store, requires_versions=asked.requires_versions, requires_approvals=asked.requires_approvals
    )


async def _done(state: ServerState, result: RolloutResult) -> RolloutResult:
    """Answer only once this server's own view has what changed."""
    if not result.dry_run:
        await state.follower.committed()
    return result


@router.get("/api/rollouts", summary="Rollouts", dependencies=[Fresh], responses=problems())
async def rollouts(
    state: State,
    actor: Caller,
    active: Annotated[bool, Query(description="Only those that are under way")] = False,
    limit: Annotated[int, Query(ge=1, le=LIMIT)] = 50,
) -> RolloutList:
    """Rollouts of all flags, newest first; those under way by flag."""
    service = _rollouts(state)
    found = await service.active(actor) if active else await service.rollouts(actor, limit=limit)
    return RolloutList(rollouts=tuple(found))


@router.get("/api/flags/{name}/rollout", summary="A flag's rollout", dependencies=[Fresh], responses=problems(404))
async def rollout(state: State, actor: Caller, name: Name) -> RolloutDetail:
    """The flag's newest rollout with its steps, and its checklist."""
    return await _rollouts(state).detail(actor, name)


@router.get("/api/flags/{name}/verdicts", summary="What the judge said", responses=problems())
async def verdicts(
    state: State, actor: Caller, name: Name, before: Before = None, limit: Annotated[int, Query(ge=1, le=LIMIT)] = 100
) -> VerdictPage:
    """The judge's looks at a flag's rollouts, newest first."""
    return await _rollouts(state).verdicts(actor, name, before=before, limit=limit)


@router.post("/api/flags/{name}/rollout", status_code=201, summary="Start a rollout", responses=_MUTATION)
async def start(
    state: State,
    actor: Caller,
    name: Name,
    body: ask.RolloutStart,
    version: Version,
    key: Key = None,
    dry_run: DryRun = False,
) -> RolloutResult:
    """Begin a rollout in its plan's first phase."""
    started = await _rollouts(state).start(
        actor,
        name,
        await state.operations.plan_to_start(view_of(state, name), body),
        body.start_reason,
        checked=body.checked,
        version=version,
        idempotency_key=key,
        dry_run=dry_run,
    )
    return await _done(state, RolloutResult(rollout=started, dry_run=dry_run))


@router.post("/api/flags/{name}/rollout/promote", summary="Promote a rollout", responses=_MUTATION)
async def promote(
    state: State,
    actor: Caller,
    name: Name,
    body: ask.Promote,
    version: Version,
    key: Key = None,
    dry_run: DryRun = False,
) -> RolloutResult:
    """Go to the next phase, where the present one passes, or past its verdict."""
    promoted = await _rollouts(state).promote(
        actor,
        name,
        body.promote_reason,
        past_verdict=body.past_verdict,
        checked=body.checked,
        version=version,
        idempotency_key=key,
        dry_run=dry_run,
    )
    return await _done(state, RolloutResult(rollout=promoted, dry_run=dry_run))


@router.post("/api/flags/{name}/rollout/hold", summary="Hold a rollout", responses=_MUTATION)
async def hold(
    state: State, actor: Caller, name: Name, body: ask.Hold, key: Key = None, dry_run: DryRun = False
) -> RolloutResult:
    """Keep the rollout from promoting; it is still judged, and rolled back."""
    held = await _rollouts(state).hold(
        actor, name, body.hold_reason, freeze_exposure=body.freeze_exposure, idempotency_key=key, dry_run=dry_run
    )
    return await _done(state, RolloutResult(rollout=held, dry_run=dry_run))


@router.post("/api/flags/{name}/rollout/resume", summary="Resume a rollout", responses=_MUTATION)
async def resume(
    state: State, actor: Caller, name: Name, body: ask.Resume, key: Key = None, dry_run: DryRun = False
) -> RolloutResult:
    """End both pauses."""
    resumed = await _rollouts(state).resume(actor, name, body.resume_reason, idempotency_key=key, dry_run=dry_run)
    return await _done(state, RolloutResult(rollout=resumed, dry_run=dry_run))


@router.post("/api/flags/{name}/rollout/abort", summary="Abort a rollout", responses=_MUTATION)
async def abort(
    state: State, actor: Caller, name: Name, body: ask.Abort, key: Key = None, dry_run: DryRun = False
) -> RolloutResult:
    """End the rollout and leave the flag as it is."""
    aborted = await _rollouts(state).abort(actor, name, body.abort_reason, idempotency_key=key, dry_run=dry_run)
    return await _done(state, RolloutResult(rollout=aborted, dry_run=dry_run))


@router.post("/api/flags/{name}/replay", summary="Judge the past by another plan", responses=problems(404, 413, 415))
async def replay(state: State, actor: Caller, name: Name, body: ask.ReplayAsk) -> Replay:
    """What another plan would have said and done of a rollout that ran. Changes nothing; takes up to half a minute."""
    from flagconsole.rollout.prometheus_values import PrometheusValues
    from flagconsole.rollout.replay import replay_asked

    rollout = await _rollouts(state).past(actor, name, body.rollout_id)
    async with state.replaying:
        values = None if state.prometheus is None else PrometheusValues(state.prometheus)
        return await replay_asked(state.operations.store, rollout, body, values)


@router.get("/api/flags/{name}/checklist", summary="The pre-canary checklist", responses=problems())
async def checklist(state: State, actor: Caller, name: Name) -> Checklist:
    """What is ticked, by whom and when."""
    return await _rollouts(state).checklist(actor, name)


@router.put("/api/flags/{name}/checklist", summary="Tick the pre-canary checklist", responses=_MUTATION)
async def tick(state: State, actor: Caller, name: Name, body: ask.ChecklistTick) -> Checklist:
    """Tick items; who and when is kept."""
    return await _rollouts(state).tick(actor, name, body.items, body.note)
