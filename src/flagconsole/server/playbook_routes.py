"""Playbooks over HTTP: what they are, and beginning one."""

from __future__ import annotations

from fastapi import APIRouter

from flagconsole.domain.incident_views import IncidentDetail
from flagconsole.domain.playbook_views import PlaybookList, PlaybookView
from flagconsole.domain.rollout import asked_playbook
from flagconsole.domain.rollout_requests import PlaybookBegin
from flagconsole.server.change_routes import DryRun, Key
from flagconsole.server.flag_routes import Name
from flagconsole.server.state import Caller, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)


@router.get("/api/playbooks", summary="Playbooks", responses=problems())
async def playbooks(state: State, actor: Caller) -> PlaybookList:
    """The playbooks that rollbacks go by here, with their steps and estimates."""
    return PlaybookList(playbooks=tuple(PlaybookView.of(playbook) for playbook in state.playbooks.values()))


@router.post("/api/flags/{name}/playbook", summary="Begin a playbook", responses=problems(404, 409, 413, 415))
async def begin(
    state: State, actor: Caller, name: Name, body: PlaybookBegin, key: Key = None, dry_run: DryRun = False
) -> IncidentDetail:
    """Roll the flag back by a playbook: its first steps at once, the rest under the incident that is answered."""
    wanted: str | None = body.playbook_name
    if wanted is None:
        async with state.operations.store.read() as reader:
            wanted = asked_playbook(await reader.active_rollout(name))
    detail = await state.operations.begin_playbook(
        actor,
        name,
        state.playbooks[wanted],
        body.playbook_reason,
        rollout_id=body.rollout_id,
        idempotency_key=key,
        dry_run=dry_run,
    )
    if not dry_run:
        await state.follower.committed()
    return detail
