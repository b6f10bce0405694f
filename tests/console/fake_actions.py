"""The part of the console's fake server that changes states, overrides, rollouts and incidents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flagconsole.domain import requests as ask
from flagconsole.domain import rollout_requests as ask_rollout
from flagconsole.domain.bulk import BulkOutcome, BulkResult, BulkRollback
from flagconsole.domain.change import Action, Change
from flagconsole.domain.errors import ChecklistIncomplete, NotPassing, RaiseRefused, RolloutUnderWay, VersionConflict
from flagconsole.domain.exposure import raises
from flagconsole.domain.flag import Flag, Override, Setting
from flagconsole.domain.incident_views import IncidentClose, IncidentDetail, StepConfirm
from flagconsole.domain.plan import PhaseKind
from flagconsole.domain.playbook_run import StepStatus
from flagconsole.domain.rollout import Rollout, RolloutStatus, RolloutStep
from flagconsole.domain.rollout_views import RolloutResult
from flagconsole.domain.verdict import VerdictKind
from flagconsole.domain.views import ChangeResult
from flagconsole.operations.checklist import checklist_of
from flagconsole.operations.plan_file import shipped_plan
from flagconsole.store.rollout_protocol import Tick

from .fake_rollouts import FakeRollouts


class FakeActions(FakeRollouts):
    """What people do, as a store would take it as far as the console can tell."""

    flags_by_name: dict[str, Flag]
    changes: list[Change]
    overrides: list[Override]
    change: Callable[..., Change]
    _mutate: Callable[..., Any]
    _result: Callable[..., ChangeResult]
    _failing: Callable[[], None]
    kept_plans: tuple[str, ...]

    def _check(self, name: str, version: int | None) -> None:
        current = self.flags_by_name[name].version
        if version is not None and version != current:
            raise VersionConflict(flag=name, current=current, given=version, changed_by="ci", changed_at="now")

    async def update(
        self,
        name: str,
        body: ask.FlagUpdate,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        state = body.current_state or self.flags_by_name[name].current_state
        if dry_run:
            self._failing()
            self._check(name, version)
            flag = self.flags_by_name[name]
            return ChangeResult(changed=True, dry_run=True, epoch="e1", revision=0, flag=flag)

        async def act() -> ChangeResult:
            self._check(name, version)
            share = body.canary_percentage or 0
            return self._result(
                name, self.change(name, state.value, percentage=share, reason=body.change_reason, who="ops1")
            )

        return await self._mutate("update", name, body, idempotency_key, act)  # type: ignore[no-any-return]

    async def set_override(
        self,
        name: str,
        body: ask.OverrideSet,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        async def act() -> ChangeResult:
            self._check(name, version)
            assert body.tenant_id is not None
            own = Override(
                flag_name=name,
                tenant_id=body.tenant_id,
                override_state=body.override_state,
                override_reason=body.override_reason,
                expires_at=body.expires_at,
                created_at=self._now,
                created_by="ops1",
            )
            self.overrides.append(own)
            state = self.flags_by_name[name]
            change = self.change(
                name,
                state.current_state.value,
                action=Action.OVERRIDE_SET,
                reason=body.override_reason,
                who="ops1",
                percentage=state.canary_percentage,
                tenant_id=body.tenant_id,
            )
            return self._result(name, change).model_copy(update={"override": own})

        return await self._mutate("override", name, body, idempotency_key, act)  # type: ignore[no-any-return]

    async def remove_override(
        self,
        name: str,
        body: ask.OverrideRemove,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        async def act() -> ChangeResult:
            self.overrides = [own for own in self.overrides if (own.flag_name, own.tenant_id) != (name, body.tenant_id)]
            flag = self.flags_by_name[name]
            change = self.change(
                name,
                flag.current_state.value,
                action=Action.OVERRIDE_REMOVED,
                reason=body.override_reason,
                who="ops1",
                percentage=flag.canary_percentage,
                tenant_id=body.tenant_id,
            )
            return self._result(name, change)

        return await self._mutate("remove_override", name, body, idempotency_key, act)  # type: ignore[no-any-return]

    async def bulk_rollback(
        self, body: BulkRollback, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> BulkResult:
        """Undo changes of flags (none of overrides), each flag to where it was before the oldest that is named."""
        if dry_run:
            self._failing()
            return self._undone(body, dry_run=True)

        async def act() -> BulkResult:
            return self._undone(body, dry_run=False)

        return await self._mutate("bulk_rollback", "", body, idempotency_key, act)  # type: ignore[no-any-return]

    def _undone(self, body: BulkRollback, *, dry_run: bool) -> BulkResult:
        wanted: dict[str, list[Change]] = {}
        for change in self.changes:
            if change.change_id in body.change_ids:
                wanted.setdefault(change.flag_name, []).append(change)
        outcomes = []
        for name, changes in wanted.items():
            flag, before = self.flags_by_name[name], Setting.model_validate(changes[0].previous)
            if raises(flag.setting, before) and not body.allow_raise:
                refused = RaiseRefused(flag=name, before=flag.setting.describe(), after=before.describe())
                if not body.leave_raising:
                    raise refused
                outcomes.append(
                    BulkOutcome(flag_name=name, changed=False, setting=flag.setting, left_out=refused.message)
                )
                continue
            reverts = tuple(change.change_id for change in changes)
            told = {"action": Action.ROLLED_BACK, "reason": body.rollback_reason, "who": "ops1", "reverts": reverts}
            if dry_run:
                update = {
                    "action": Action.ROLLED_BACK,
                    "reverts": reverts,
                    "previous": flag.setting.model_dump(mode="json"),
                    "new": before.model_dump(mode="json"),
                }
                done = changes[0].model_copy(update=update)
            else:
                done = self.change(name, before.current_state.value, percentage=before.canary_percentage, **told)
            outcomes.append(BulkOutcome(flag_name=name, changed=True, setting=before, change=done))
        return BulkResult(
            changed=sum(outcome.changed for outcome in outcomes),
            dry_run=dry_run,
            epoch="e1",
            revision=self.changes[-1].change_id,
            outcomes=tuple(outcomes),
        )

    async def start_rollout(
        self,
        name: str,
        body: ask_rollout.RolloutStart,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> RolloutResult:
        known = self.rollouts_by_flag.get(name)
        if known is not None and known.status.active:
            raise RolloutUnderWay(flag=name)
        asked = body.plan_name or "default"
        plan = shipped_plan("demo" if asked in self.kept_plans else asked).plan
        rollout = Rollout(
            rollout_id=f"new-{name}",
            flag_name=name,
            plan=plan,
            phase=plan.phases[0].name,
            seed=1,
            started_at=self._now,
            started_by="ops1",
            phase_started_at=self._now,
            expected_version=self.flags_by_name[name].version + 1,
        )
        if dry_run:
            self._failing()
            return RolloutResult(rollout=rollout, dry_run=True)

        async def act() -> RolloutResult:
            self._check(name, version)
            self.change(name, "shadow", reason=body.start_reason, who="ops1")
            self.rollouts_by_flag[name] = rollout
            self.tell_rollout(name)
            return RolloutResult(rollout=rollout)

        return await self._mutate("start", name, body, idempotency_key, act)  # type: ignore[no-any-return]

    async def promote(
        self,
        name: str,
        body: ask_rollout.Promote,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> RolloutResult:
        rollout = self.rollouts_by_flag[name]
        following = rollout.next_phase
        assert following is not None

        def checked() -> None:
            passes = rollout.verdict is not None and rollout.verdict.kind is VerdictKind.PASS
            if not passes and not body.past_verdict:
                raise NotPassing("An admin can promote past it.", flag=name, phase=rollout.phase, because="no verdict")
            ticks = [Tick(item, "rel", self._now, "") for item in self.ticked.get(name, ())]
            missing = [item.item for item in checklist_of(ticks, rollout.plan).items if item.missing]
            if missing and following.kind is PhaseKind.CANARY:
                if not body.checked:
                    raise ChecklistIncomplete(flag=name, missing=", ".join(missing))
                if not dry_run:
                    self.ticked.setdefault(name, set()).update(missing)

        moved = rollout.entered(following, self.flags_by_name[name].version + 1, self._now)
        if dry_run:
            self._failing()
            checked()
            return RolloutResult(rollout=moved, dry_run=True)

        async def act() -> RolloutResult:
            self._check(name, version)
            checked()
            state = following.state_of_flag.value
            self.change(name, state, percentage=following.percentage, reason=body.promote_reason, who="ops1")
            self.rollouts_by_flag[name] = moved
            self.tell_rollout(name)
            return RolloutResult(rollout=moved)

        return await self._mutate("promote", name, body, idempotency_key, act)  # type: ignore[no-any-return]

    async def hold(
        self, name: str, body: ask_rollout.Hold, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult:
        fields = {
            "progression_paused": True,
            "exposure_frozen": body.freeze_exposure,
            "pause_reason": body.hold_reason,
        }
        return await self._standing("hold", name, body, body.hold_reason, idempotency_key, fields)

    async def resume(
        self, name: str, body: ask_rollout.Resume, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult:
        fields = {"progression_paused": False, "exposure_frozen": False, "pause_reason": ""}
        return await self._standing("resume", name, body, body.resume_reason, idempotency_key, fields)

    async def abort(
        self, name: str, body: ask_rollout.Abort, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult:
        fields = {"status": RolloutStatus.ABORTED, "end_reason": body.abort_reason, "ended_at": self._now}
        return await self._standing("abort", name, body, body.abort_reason, idempotency_key, fields)

    async def _standing(
        self, verb: str, name: str, body: Any, reason: str, key: str | None, fields: dict[str, Any]
    ) -> RolloutResult:
        async def act() -> RolloutResult:
            rollout = self.rollouts_by_flag[name]
            step = RolloutStep(
                rollout_id=rollout.rollout_id, step=f"{verb} {self._now}", at=self._now, by="ops1", note=reason
            )
            self.steps.setdefault(name, []).append(step)
            return RolloutResult(rollout=self.tell_rollout(name, **fields))

        return await self._mutate(verb, name, body, key, act)  # type: ignore[no-any-return]

    async def begin_playbook(
        self, name: str, body: ask_rollout.PlaybookBegin, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> IncidentDetail:
        if dry_run:
            self._failing()
            known = dict(self.incidents_by_id)
            self.incident_of(name, 99)
            detail = await self.incident("inc-99")
            self.incidents_by_id = known
            return detail

        async def act() -> IncidentDetail:
            self.change(name, "off", action=Action.ROLLED_BACK, reason=body.playbook_reason, who="ops1")
            self.incident_of(name, 5, ago=0.0, opened_by="ops1")
            self.tell_incident("inc-5")
            if name in self.rollouts_by_flag:
                self.tell_rollout(name, status=RolloutStatus.ROLLING_BACK)
            return await self.incident("inc-5")

        return await self._mutate("playbook", name, body, idempotency_key, act)  # type: ignore[no-any-return]

    async def confirm_step(
        self, incident_id: str, step: str, body: StepConfirm, *, dry_run: bool = False
    ) -> IncidentDetail:
        self._failing()
        incident = self.incidents_by_id[incident_id]
        assert incident.run is not None
        status = StepStatus.DONE if body.done else StepStatus.SKIPPED
        steps = tuple(
            one.model_copy(update={"status": status, "output": body.note, "by": "ops1", "finished_at": self._now})
            if one.step == step
            else one
            for one in incident.run.steps
        )
        self.tell_incident(incident_id, run=incident.run.model_copy(update={"steps": steps}))
        return await self.incident(incident_id)

    async def close_incident(self, incident_id: str, body: IncidentClose, *, dry_run: bool = False) -> IncidentDetail:
        self._failing()
        fields = {
            "closed_at": self._now,
            "closed_by": "ops1",
            "root_cause": body.root_cause or "",
            "completed_at": self._now - timedelta(seconds=5),
            "restoration_minutes": 2.1,
        }
        self.tell_incident(incident_id, **fields)
        return await self.incident(incident_id)
