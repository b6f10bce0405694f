"""The calls about rollouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from flagconsole.client.caller import Caller
from flagconsole.domain import rollout_requests as ask

if TYPE_CHECKING:
    from flagconsole.domain.incident_views import IncidentDetail
    from flagconsole.domain.playbook_views import PlaybookList
    from flagconsole.domain.replay import Replay
    from flagconsole.domain.rollout_views import Checklist, RolloutDetail, RolloutList, RolloutResult, VerdictPage

#: A replay may wait for another one before it runs.
REPLAY_SECONDS: Final = 90.0


class RolloutCalls:
    """Mixed into ``Client``. Mutations answer the rollout as it is afterwards."""

    _caller: Caller

    async def rollouts(self, *, active: bool = False, limit: int = 50) -> RolloutList:
        """Rollouts, newest first; or those under way."""
        from flagconsole.domain.rollout_views import RolloutList

        return await self._caller.get("/api/rollouts", RolloutList, active=active, limit=limit)

    async def rollout(self, name: str) -> RolloutDetail:
        """A flag's newest rollout, its steps, and the checklist."""
        from flagconsole.domain.rollout_views import RolloutDetail

        return await self._caller.get(_path(name), RolloutDetail)

    async def verdicts(self, name: str, *, before: int | None = None, limit: int = 100) -> VerdictPage:
        """What the judge said, newest first."""
        from flagconsole.domain.rollout_views import VerdictPage

        path = f"/api/flags/{quote(name, safe='')}/verdicts"
        return await self._caller.get(path, VerdictPage, before=before, limit=limit)

    async def start_rollout(
        self,
        name: str,
        body: ask.RolloutStart,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> RolloutResult:
        """Begin a rollout in its plan's first phase."""
        from flagconsole.domain.rollout_views import RolloutResult

        return await self._caller.change(
            "POST",
            _path(name),
            RolloutResult,
            body,
            version=version,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )

    async def promote(
        self,
        name: str,
        body: ask.Promote,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> RolloutResult:
        """Go to the next phase."""
        from flagconsole.domain.rollout_views import RolloutResult

        return await self._caller.change(
            "POST",
            _path(name, "/promote"),
            RolloutResult,
            body,
            version=version,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )

    async def hold(
        self, name: str, body: ask.Hold, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult:
        """Keep it from promoting."""
        from flagconsole.domain.rollout_views import RolloutResult

        path = _path(name, "/hold")
        return await self._caller.change(
            "POST", path, RolloutResult, body, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def resume(
        self, name: str, body: ask.Resume, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult:
        """End both pauses."""
        from flagconsole.domain.rollout_views import RolloutResult

        path = _path(name, "/resume")
        return await self._caller.change(
            "POST", path, RolloutResult, body, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def abort(
        self, name: str, body: ask.Abort, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult:
        """End it and leave the flag as it is."""
        from flagconsole.domain.rollout_views import RolloutResult

        path = _path(name, "/abort")
        return await self._caller.change(
            "POST", path, RolloutResult, body, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def replay(self, name: str, body: ask.ReplayAsk) -> Replay:
        """A rollout's past judged by another plan."""
        from flagconsole.domain.replay import Replay

        path = f"/api/flags/{quote(name, safe='')}/replay"
        return await self._caller.compute(path, Replay, body, seconds=REPLAY_SECONDS)

    async def playbooks(self) -> PlaybookList:
        """The playbooks that rollbacks go by there."""
        from flagconsole.domain.playbook_views import PlaybookList

        return await self._caller.get("/api/playbooks", PlaybookList)

    async def begin_playbook(
        self, name: str, body: ask.PlaybookBegin, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> IncidentDetail:
        """Roll a flag back by a playbook."""
        from flagconsole.domain.incident_views import IncidentDetail

        path = f"/api/flags/{quote(name, safe='')}/playbook"
        return await self._caller.change(
            "POST", path, IncidentDetail, body, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def tick_checklist(self, name: str, body: ask.ChecklistTick) -> Checklist:
        """Tick items of the pre-canary checklist."""
        from flagconsole.domain.rollout_views import Checklist

        return await self._caller.change("PUT", f"/api/flags/{quote(name, safe='')}/checklist", Checklist, body)


def _path(name: str, rest: str = "") -> str:
    return f"/api/flags/{quote(name, safe='')}/rollout{rest}"
