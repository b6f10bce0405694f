"""The request that each kind of action makes, and what its answer means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from flagconsole.console.actions import Action, Kind
from flagconsole.console.rollouts import RolloutRow, rollout_row
from flagconsole.console.rows import flag_row

if TYPE_CHECKING:
    from flagconsole.domain import requests as ask
    from flagconsole.domain import rollout_requests as ask_rollout
    from flagconsole.domain.bulk import BulkResult, BulkRollback
    from flagconsole.domain.incident_views import IncidentDetail
    from flagconsole.domain.rollout_views import RolloutResult
    from flagconsole.domain.views import ChangeResult, FlagDetail


class Answer(NamedTuple):
    """What the server has done: ``revision`` is the change that instances have to confirm."""

    epoch: str
    revision: int
    changed: bool
    after: str


class FlagChanger(Protocol):
    """The calls that change flags."""

    async def bulk_rollback(
        self, body: BulkRollback, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> BulkResult:
        """Undo several changes as one set."""
        ...

    async def kill(self, name: str, body: ask.Kill, *, idempotency_key: str | None = None) -> ChangeResult:
        """Kill a flag."""
        ...

    async def revive(
        self, name: str, body: ask.Revive, *, version: int | None = None, idempotency_key: str | None = None
    ) -> ChangeResult:
        """Clear a kill, decided on ``version``."""
        ...

    async def rollback(
        self,
        name: str,
        body: ask.Rollback,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Undo a change; only said, not done, with ``dry_run``."""
        ...

    async def update(
        self,
        name: str,
        body: ask.FlagUpdate,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Set a flag's state."""
        ...

    async def set_override(
        self,
        name: str,
        body: ask.OverrideSet,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Give one tenant its own state."""
        ...

    async def remove_override(
        self,
        name: str,
        body: ask.OverrideRemove,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Take one tenant's own state away."""
        ...

    async def flag(self, name: str) -> FlagDetail:
        """One flag."""
        ...


class RolloutChanger(Protocol):
    """The calls that change rollouts."""

    async def start_rollout(
        self,
        name: str,
        body: ask_rollout.RolloutStart,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> RolloutResult:
        """Begin a rollout."""
        ...

    async def promote(
        self,
        name: str,
        body: ask_rollout.Promote,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> RolloutResult:
        """Go to the next phase."""
        ...

    async def hold(
        self, name: str, body: ask_rollout.Hold, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult:
        """Pause its progression, and with ``freeze_exposure`` its exposure."""
        ...

    async def resume(
        self, name: str, body: ask_rollout.Resume, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult:
        """End both pauses."""
        ...

    async def abort(
        self, name: str, body: ask_rollout.Abort, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> RolloutResult:
        """End it and leave the flag as it is."""
        ...

    async def begin_playbook(
        self, name: str, body: ask_rollout.PlaybookBegin, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> IncidentDetail:
        """Roll a flag back by a playbook."""
        ...


class Changer(FlagChanger, RolloutChanger, Protocol):
    """All calls that actions make."""


async def send(client: Changer, action: Action) -> Answer:
    """Make an action's request, always with its own idempotency key."""
    match action.kind:
        case Kind.START | Kind.PROMOTE | Kind.PLAYBOOK:
            await _send_rollout(client, action)
            return await _answer_of_flag(client, action)
        case Kind.HOLD | Kind.RESUME | Kind.ABORT:
            result = await _send_pause(client, action)
            return Answer("", 0, True, standing_words(rollout_row(result.rollout.model_dump(mode="json"))))
        case Kind.REVERT:
            return answer_of_set(await client.bulk_rollback(revert_of(action), idempotency_key=action.key))
        case _:
            return answer_of(await _send_change(client, action))


def revert_of(action: Action) -> BulkRollback:
    """The body that undoes exactly the chosen changes."""
    from flagconsole.domain.bulk import BulkRollback

    asked = action.asked
    return BulkRollback(
        rollback_reason=action.reason,
        change_ids=asked.changes,
        allow_raise=asked.allow_raise,
        leave_raising=asked.leave_raising,
    )


def answer_of_set(result: BulkResult) -> Answer:
    """What undoing a set came to. Instances have to confirm its last change, and so all of them."""
    left = sum(outcome.left_out is not None for outcome in result.outcomes)
    after = f"{result.changed} undone" + (f", {left} left out" if left else "")
    return Answer(result.epoch, result.revision, result.changed > 0, after)


def answer_of(result: ChangeResult) -> Answer:
    """What a flag's mutation came to."""
    revision = result.revision
    if not result.changed and result.change is not None:
        revision = result.change.change_id
    after = flag_row(result.flag.model_dump(mode="json")).setting
    if result.override is not None:
        after = f"{result.override.override_state.value} for {result.override.tenant_id}"
    return Answer(result.epoch, revision, result.changed, after)


def standing_words(row: RolloutRow) -> str:
    """How a rollout stands, in words."""
    paused = "progression paused" if row.progression_paused else ""
    frozen = "exposure frozen" if row.exposure_frozen else ""
    return ", ".join(filter(None, (row.status.replace("_", " "), paused, frozen)))


async def _answer_of_flag(client: Changer, action: Action) -> Answer:
    """What a rollout's mutation did to the flag: its newest change, if that is newer than what was known before."""
    detail = await client.flag(action.flag_name)
    row = flag_row(detail.flag.model_dump(mode="json"))
    newest = 0 if row.last is None else row.last.change_id
    return Answer(detail.epoch, newest, newest > action.base_revision, row.setting)


async def _send_change(client: Changer, action: Action) -> ChangeResult:
    from flagconsole.domain import requests as ask
    from flagconsole.domain.states import FlagState

    name, key, version, reason, asked = (
        action.flag_name,
        action.key,
        action.version,
        action.reason,
        action.asked,
    )
    match action.kind:
        case Kind.KILL:
            return await client.kill(name, ask.Kill(kill_reason=reason), idempotency_key=key)
        case Kind.REVIVE:
            return await client.revive(name, ask.Revive(revive_reason=reason), version=version, idempotency_key=key)
        case Kind.ROLLBACK:
            back = ask.Rollback(rollback_reason=reason, target_change_id=asked.target, allow_raise=asked.allow_raise)
            return await client.rollback(name, back, version=version, idempotency_key=key)
        case Kind.OVERRIDE if asked.remove:
            gone = ask.OverrideRemove(override_reason=reason, tenant_id=asked.tenant_id)
            return await client.remove_override(name, gone, version=version, idempotency_key=key)
        case Kind.OVERRIDE:
            until = None if asked.expires_at is None else datetime.fromtimestamp(asked.expires_at, UTC)
            own = ask.OverrideSet(
                override_state=FlagState(asked.state),
                override_reason=reason,
                expires_at=until,
                tenant_id=asked.tenant_id,
            )
            return await client.set_override(name, own, version=version, idempotency_key=key)
        case _:
            return await client.update(name, flag_update(action), version=version, idempotency_key=key)


def flag_update(action: Action) -> ask.FlagUpdate:
    """The body that sets a flag's state. A canary of so many per cent is drawn by hash: no cohort is kept."""
    from flagconsole.domain import requests as ask
    from flagconsole.domain.states import FlagState

    fields: dict[str, object] = {"change_reason": action.reason, "current_state": FlagState(action.asked.state)}
    if action.asked.percentage is not None:
        fields["canary_percentage"] = action.asked.percentage
    return ask.FlagUpdate.model_validate(fields)


async def _send_rollout(client: Changer, action: Action) -> None:
    from flagconsole.domain import rollout_requests as ask

    name, key, asked = action.flag_name, action.key, action.asked
    match action.kind:
        case Kind.START:
            start = ask.RolloutStart(start_reason=action.reason, plan_name=asked.plan or None, checked=asked.checked)
            await client.start_rollout(name, start, version=action.version, idempotency_key=key)
        case Kind.PROMOTE:
            promote = ask.Promote(promote_reason=action.reason, past_verdict=asked.past_verdict, checked=asked.checked)
            await client.promote(name, promote, version=action.version, idempotency_key=key)
        case _:
            begin = ask.PlaybookBegin(
                playbook_reason=action.reason, playbook_name=asked.playbook, rollout_id=asked.rollout_id
            )
            await client.begin_playbook(name, begin, idempotency_key=key)


async def _send_pause(client: Changer, action: Action) -> RolloutResult:
    from flagconsole.domain import rollout_requests as ask

    name, key, reason = action.flag_name, action.key, action.reason
    match action.kind:
        case Kind.HOLD:
            hold = ask.Hold(hold_reason=reason, freeze_exposure=action.asked.freeze)
            return await client.hold(name, hold, idempotency_key=key)
        case Kind.RESUME:
            return await client.resume(name, ask.Resume(resume_reason=reason), idempotency_key=key)
        case _:
            return await client.abort(name, ask.Abort(abort_reason=reason), idempotency_key=key)
