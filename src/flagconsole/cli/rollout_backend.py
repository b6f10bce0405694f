"""What commands need of a server or a store about rollouts, and the store's side of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flagconsole.domain import rollout_requests as ask
    from flagconsole.domain.incident_views import IncidentDetail
    from flagconsole.domain.replay import Replay
    from flagconsole.domain.role import Actor
    from flagconsole.domain.rollout_views import RolloutDetail, RolloutList, RolloutResult, VerdictPage
    from flagconsole.operations.rollout_service import RolloutOperations
    from flagconsole.operations.service import Operations


class RolloutBackend(Protocol):
    """The methods mean what ``docs/api.md`` says of the calls."""

    async def rollouts(self, *, active: bool = False, limit: int = 50) -> RolloutList: ...
    async def rollout(self, name: str) -> RolloutDetail: ...
    async def start_rollout(
        self,
        name: str,
        body: ask.RolloutStart,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> RolloutResult: ...
    async def promote(
        self,
        name: str,
        body: ask.Promote,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> RolloutResult: ...
    async def hold(
        self, name: str, body: ask.Hold, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult: ...
    async def resume(
        self, name: str, body: ask.Resume, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult: ...
    async def abort(
        self, name: str, body: ask.Abort, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult: ...
    async def verdicts(self, name: str, *, before: int | None = None, limit: int = 100) -> VerdictPage: ...
    async def replay(self, name: str, body: ask.ReplayAsk) -> Replay: ...
    async def begin_playbook(
        self, name: str, body: ask.PlaybookBegin, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> IncidentDetail: ...


class EmbeddedRollouts:
    """``RolloutBackend`` on the embedded store, for one actor."""

    _operations: Operations
    _actor: Actor

    def _rollouts(self) -> RolloutOperations:
        from flagconsole.operations.rollout_service import RolloutOperations

        return RolloutOperations(self._operations.store)

    async def rollouts(self, *, active: bool = False, limit: int = 50) -> RolloutList:
        from flagconsole.domain.rollout_views import RolloutList

        service = self._rollouts()
        found = await service.active(self._actor) if active else await service.rollouts(self._actor, limit=limit)
        return RolloutList(rollouts=tuple(found))

    async def rollout(self, name: str) -> RolloutDetail:
        return await self._rollouts().detail(self._actor, name)

    async def start_rollout(
        self,
        name: str,
        body: ask.RolloutStart,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> RolloutResult:
        from flagconsole.domain.rollout_views import RolloutResult

        flag = (await self._operations.flag(self._actor, name)).flag
        rollout = await self._rollouts().start(
            self._actor,
            name,
            await self._operations.plan_to_start(flag, body),
            body.start_reason,
            checked=body.checked,
            version=version,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )
        return RolloutResult(rollout=rollout, dry_run=dry_run)

    async def promote(
        self,
        name: str,
        body: ask.Promote,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> RolloutResult:
        from flagconsole.domain.rollout_views import RolloutResult

        rollout = await self._rollouts().promote(
            self._actor,
            name,
            body.promote_reason,
            past_verdict=body.past_verdict,
            checked=body.checked,
            version=version,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )
        return RolloutResult(rollout=rollout, dry_run=dry_run)

    async def hold(
        self, name: str, body: ask.Hold, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult:
        from flagconsole.domain.rollout_views import RolloutResult

        rollout = await self._rollouts().hold(
            self._actor,
            name,
            body.hold_reason,
            freeze_exposure=body.freeze_exposure,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )
        return RolloutResult(rollout=rollout, dry_run=dry_run)

    async def resume(
        self, name: str, body: ask.Resume, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult:
        from flagconsole.domain.rollout_views import RolloutResult

        rollout = await self._rollouts().resume(
            self._actor, name, body.resume_reason, idempotency_key=idempotency_key, dry_run=dry_run
        )
        return RolloutResult(rollout=rollout, dry_run=dry_run)

    async def abort(
        self, name: str, body: ask.Abort, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult:
        from flagconsole.domain.rollout_views import RolloutResult

        rollout = await self._rollouts().abort(
            self._actor, name, body.abort_reason, idempotency_key=idempotency_key, dry_run=dry_run
        )
        return RolloutResult(rollout=rollout, dry_run=dry_run)

    async def verdicts(self, name: str, *, before: int | None = None, limit: int = 100) -> VerdictPage:
        return await self._rollouts().verdicts(self._actor, name, before=before, limit=limit)

    async def replay(self, name: str, body: ask.ReplayAsk) -> Replay:
        from flagconsole.rollout.replay import replay_asked

        rollout = await self._rollouts().past(self._actor, name, body.rollout_id)
        return await replay_asked(self._operations.store, rollout, body)

    async def begin_playbook(
        self, name: str, body: ask.PlaybookBegin, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> IncidentDetail:
        from flagconsole.domain.rollout import asked_playbook
        from flagconsole.rollout.playbook_file import shipped_playbook

        wanted = body.playbook_name or asked_playbook((await self.rollout(name)).rollout)
        return await self._operations.begin_playbook(
            self._actor,
            name,
            shipped_playbook(wanted),
            body.playbook_reason,
            rollout_id=body.rollout_id,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )
