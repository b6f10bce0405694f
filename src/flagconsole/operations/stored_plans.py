"""The rollout plans that an environment keeps: looked up by name, compared with a file's, written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flagconsole.domain.act import ActKind
from flagconsole.domain.environment import FieldChange, PlanAction, PlannedPlan, PlanRequest
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.flag import Flag
from flagconsole.domain.plan import Plan
from flagconsole.domain.rollout_requests import RolloutStart
from flagconsole.domain.stored_plan import PlanEntry, StoredPlan
from flagconsole.operations.acts import digest, record
from flagconsole.operations.context import Context
from flagconsole.operations.plan_document import document_of, flattened
from flagconsole.store.protocol import Reader, Transaction


async def known_plan(reader: Reader, plan_name: str, flag_name: str) -> Plan:
    """The plan of that name as it applies to the flag: the environment's own, or one that ships. Raises ``InvalidInput``."""
    from flagconsole.operations.plan_file import named_plan

    own = {stored.plan_name: stored.entry for stored in await reader.stored_plans() if stored.entry is not None}
    entry = own.get(plan_name)
    if entry is not None:
        return entry.for_flag(flag_name)
    return named_plan(plan_name, flag_name, tuple(own))


async def plan_to_start(reader: Reader, flag: Flag, asked: RolloutStart) -> Plan:
    """The plan that is meant: given whole, named, the flag's own, or ``default``. Raises ``InvalidInput``."""
    from flagconsole.operations.plan_file import SHIPPED

    if asked.plan is not None:
        return asked.plan
    return await known_plan(reader, asked.plan_name or flag.plan or SHIPPED[0], flag.flag_name)


def difference_of_plans(request: PlanRequest, present: Mapping[str, StoredPlan]) -> list[PlannedPlan]:
    """Every plan that would be added, changed or removed. Raises ``InvalidInput`` for the name of one that ships."""
    from flagconsole.operations.plan_file import SHIPPED

    found = []
    for index, entry in enumerate(request.environment.plans):
        if entry.name in SHIPPED:
            where = f"environment.plans[{index}].name"
            raise InvalidInput(field=where, problem="is a plan that ships; choose another name", value=entry.name)
        known = present.get(entry.name)
        fields = _fields(None if known is None else known.entry, entry)
        if fields:
            new = known is None or known.entry is None
            action = PlanAction.ADD if new else PlanAction.CHANGE
            found.append(PlannedPlan(action=action, plan_name=entry.name, fields=fields))
    if request.prune and "plans" in request.environment.model_fields_set:
        kept = {entry.name for entry in request.environment.plans}
        gone = [name for name, stored in present.items() if stored.entry is not None and name not in kept]
        found += [PlannedPlan(action=PlanAction.REMOVE, plan_name=name) for name in sorted(gone)]
    return found


async def write_plan(
    tx: Transaction, context: Context, request: PlanRequest, item: PlannedPlan, known: StoredPlan | None, reason: str
) -> None:
    """Keep another version of a plan, or that it is removed."""
    entry = next((entry for entry in request.environment.plans if entry.name == item.plan_name), None)
    stored = StoredPlan(
        plan_name=item.plan_name,
        version=1 if known is None else known.version + 1,
        entry=None if item.action is PlanAction.REMOVE else entry,
        change_reason=reason,
        changed_by=context.actor.name,
        changed_at=context.now,
        revision=(await tx.head()).revision,
        correlation_id=context.correlation_id,
    )
    await tx.save_plan(stored)
    details: dict[str, object] = {"version": stored.version, "correlation_id": stored.correlation_id}
    if stored.entry is None:
        kind = ActKind.PLAN_REMOVED
    else:
        kind, details["entry_sha256"] = ActKind.PLAN_WRITTEN, digest(stored.entry.model_dump_json())
    await record(tx, context.actor, context.now, kind, stored.plan_name, reason=reason, details=details)


def told_moved(plans: Sequence[StoredPlan], revision: int) -> list[str]:
    """Which plans were written at or after a revision, and by whom."""
    return [
        f"the plan {item.plan_name} was written by {item.changed_by}" for item in plans if item.revision >= revision
    ]


def _fields(before: PlanEntry | None, after: PlanEntry) -> tuple[FieldChange, ...]:
    old = {} if before is None else flattened(document_of(before))
    new = flattened(document_of(after))
    paths = [*new, *(path for path in old if path not in new)]
    return tuple(
        FieldChange(field=path, old=old.get(path), new=new.get(path))
        for path in paths
        if path != "name" and old.get(path) != new.get(path)
    )
