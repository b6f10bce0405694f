"""Reading an environment as a whole from a store, comparing it, and carrying out what was planned in one transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from flagconsole.domain.bulk import BulkOutcome
from flagconsole.domain.change import Change
from flagconsole.domain.environment import (
    Apply,
    Environment,
    EnvironmentExport,
    EnvironmentPlan,
    OverrideEntry,
    PlanAction,
    PlanHash,
    PlannedChange,
    PlanRequest,
    definition_of,
    entry_of,
    plan_hash,
)
from flagconsole.domain.errors import FlagNameRetired, PlanMoved
from flagconsole.domain.flag import Setting
from flagconsole.domain.requests import Archive, FlagUpdate, Kill, OverrideRemove, OverrideSet
from flagconsole.domain.states import FlagState
from flagconsole.domain.stored_plan import StoredPlan
from flagconsole.operations import creation, override, setting
from flagconsole.operations.bulk import outcome_of
from flagconsole.operations.context import Context, Outcome, existing
from flagconsole.operations.environment_plan import Present, difference, setting_of_new
from flagconsole.operations.kill import kill
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.operations.stored_plans import difference_of_plans, told_moved, write_plan
from flagconsole.store.protocol import Head, Reader, Transaction

#: How many changes a refusal names.
_NAMED: Final = 5


async def exported(reader: Reader) -> EnvironmentExport:
    """The environment that the store holds, by name."""
    head, present = await reader.head(), await _present(reader)
    overrides = [
        OverrideEntry(
            flag_name=known.flag_name,
            tenant_id=known.tenant_id,
            override_state=known.override_state,
            override_reason=known.override_reason,
            expires_at=known.expires_at,
        )
        for _, known in sorted(present.overrides.items())
    ]
    plans = [stored.entry for _, stored in sorted(present.plans.items()) if stored.entry is not None]
    environment = Environment(
        flags=tuple(entry_of(flag) for _, flag in sorted(present.flags.items())),
        overrides=tuple(overrides),
        plans=tuple(plans),
    )
    return EnvironmentExport(epoch=head.epoch, revision=head.revision, environment=environment)


async def planned(reader: Reader, request: PlanRequest) -> EnvironmentPlan:
    """What applying the environment would change, and the hash under which it can be applied."""
    head, present = await reader.head(), await _present(reader)
    items, plans = difference(request, present), difference_of_plans(request, present.plans)
    for item in items:
        if item.action is PlanAction.ADD and item.tenant_id is None and await reader.is_retired(item.flag_name):
            raise FlagNameRetired("Choose another name in the file.", flag=item.flag_name)
    return EnvironmentPlan(
        plan_hash=str(_hash_now(request, head, present)),
        epoch=head.epoch,
        revision=head.revision,
        changed=sum(item.action is not PlanAction.KEEP for item in items) + len(plans),
        items=tuple(items),
        plans=tuple(plans),
    )


async def carry_out(tx: Transaction, context: Context, request: Apply, written: list[str]) -> list[BulkOutcome]:
    """Do what was planned, in its order; ``written`` is given the plans' names. Raises ``PlanMoved``."""
    shown = PlanHash.parse(request.plan_hash)
    head, present = await tx.head(), await _present(tx)
    await _refuse_moved(tx, request, shown, _hash_now(request, head, present), present)
    written.clear()
    for plan in difference_of_plans(request, present.plans):
        known = present.plans.get(plan.plan_name)
        await write_plan(tx, context, request, plan, known, request.change_reason)
        written.append(plan.plan_name)
    outcomes = []
    for item in difference(request, present):
        if item.action is PlanAction.KEEP:
            outcomes.append(_kept(item, present))
        else:
            outcomes.append(outcome_of(await _carry_out(tx, context, request, item)))
    return outcomes


async def _present(reader: Reader) -> Present:
    now = await reader.now()
    return Present(
        flags={view.flag_name: view for view in await reader.flag_views()},
        overrides={
            (known.flag_name, known.tenant_id): known
            for known in await reader.overrides()
            if known.expires_at is None or now < known.expires_at
        },
        rollouts={rollout.flag_name: rollout.phase for rollout in await reader.active_rollouts()},
        now=now,
        plans={stored.plan_name: stored for stored in await reader.stored_plans()},
    )


def _hash_now(request: PlanRequest, head: Head, present: Present) -> PlanHash:
    versions = {name: flag.version for name, flag in present.flags.items() if name in _concerned(request, present)}
    plans = {
        f"plan {name}": 0 if stored is None else stored.version for name, stored in _plans(request, present).items()
    }
    concerned = dict.fromkeys(_concerned(request, present), 0)
    return plan_hash(request, head.epoch, head.revision, concerned | versions | plans)


def _plans(request: PlanRequest, present: Present) -> dict[str, StoredPlan | None]:
    """The plans that the environment speaks of, as they are in the store."""
    named = {entry.name for entry in request.environment.plans}
    names = named | present.plans.keys() if request.prune else named
    return {name: present.plans.get(name) for name in names}


def _concerned(request: PlanRequest, present: Present) -> set[str]:
    environment = request.environment
    named = {entry.flag_name for entry in environment.flags} | {entry.flag_name for entry in environment.overrides}
    return named | present.flags.keys() if request.prune else named


async def _refuse_moved(
    tx: Transaction, request: PlanRequest, shown: PlanHash, now: PlanHash, present: Present
) -> None:
    """Raise ``PlanMoved``, saying what moved: the file, or which flags since the revision of the plan."""
    if shown.asked != now.asked:
        moved = "the file, or --prune, is not what the plan was made of"
    elif shown.store != now.store:
        concerned = _concerned(request, present)
        changes = [item for item in await tx.changes_after(shown.revision, 1000) if item.flag_name in concerned]
        plans = [stored for stored in _plans(request, present).values() if stored is not None]
        named = [*map(_told, changes[:_NAMED]), *told_moved(plans, shown.revision)]
        moved = "; ".join(named) or "the store is another one, or was put back from a backup"
        moved += f"; and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
    else:
        return
    raise PlanMoved("Look at the plan anew.", moved=moved, planned_at=shown.revision, revision=now.revision)


def _told(change: Change) -> str:
    subject = change.flag_name if change.tenant_id is None else f"{change.flag_name} for {change.tenant_id}"
    return f"{subject} was {change.action.value.replace('_', ' ')} by {change.changed_by} (revision {change.revision})"


def _kept(item: PlannedChange, present: Present) -> BulkOutcome:
    flag = present.flags.get(item.flag_name)
    return BulkOutcome(
        flag_name=item.flag_name,
        tenant_id=item.tenant_id,
        changed=False,
        setting=Setting(current_state=FlagState.OFF) if flag is None else flag.setting,
        left_out="; ".join(item.notes),
    )


async def _carry_out(tx: Transaction, context: Context, request: Apply, item: PlannedChange) -> Outcome:
    if item.tenant_id is not None:
        return await _carry_out_override(tx, context, request, item, item.tenant_id)
    if item.action is PlanAction.REMOVE:
        authorize(context.actor, Operation.ARCHIVE)
        return await creation.archive(tx, context, item.flag_name, Archive(change_reason=request.change_reason))
    entry = next(entry for entry in request.environment.flags if entry.flag_name == item.flag_name)
    if item.action is PlanAction.ADD:
        authorize(context.actor, Operation.CREATE)
        return await creation.create(tx, context, definition_of(entry, request.change_reason), setting_of_new(entry))
    return await _change(tx, context, request, item)


async def _change(tx: Transaction, context: Context, request: Apply, item: PlannedChange) -> Outcome:
    """Make the fields that the plan names what the plan says. A kill and what is described besides are two changes."""
    new = {field.field: field.new for field in item.fields}
    if new.get("current_state") == FlagState.KILL:
        outcome = await kill(tx, context, item.flag_name, Kill(kill_reason=request.change_reason))
        new.pop("current_state")
        if not new:
            return outcome
    if not new.keys().isdisjoint(Setting.model_fields):
        # A cohort is named whole: whoever gives a percentage alone asks the hash.
        present = await existing(tx, item.flag_name)
        whole = present.setting.model_dump(mode="json") | {
            name: value for name, value in new.items() if name in Setting.model_fields
        }
        new |= {name: value for name, value in whole.items() if value is not None}
    flag = await existing(tx, item.flag_name)
    body = FlagUpdate.model_validate({**new, "change_reason": request.change_reason})
    return await setting.update(tx, replace(context, version=flag.version), item.flag_name, body)


async def _carry_out_override(
    tx: Transaction, context: Context, request: Apply, item: PlannedChange, tenant_id: str
) -> Outcome:
    authorize(context.actor, Operation.OVERRIDE)
    flag = await existing(tx, item.flag_name)
    own = replace(context, version=flag.version)
    reason = request.change_reason
    if item.action is PlanAction.REMOVE:
        removal = OverrideRemove(override_reason=reason, tenant_id=tenant_id)
        return await override.remove_override(tx, own, item.flag_name, removal)
    entry = next(
        entry
        for entry in request.environment.overrides
        if (entry.flag_name, entry.tenant_id) == (item.flag_name, tenant_id)
    )
    known = await tx.override(item.flag_name, tenant_id)
    body = OverrideSet(
        override_state=entry.override_state,
        override_reason=entry.override_reason or (reason if known is None else known.override_reason),
        expires_at=entry.expires_at,
        tenant_id=tenant_id,
    )
    return await override.set_override(tx, own, item.flag_name, body, reason=reason)
