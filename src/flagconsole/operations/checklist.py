"""The checklist before a flag's first canary: what is on it, what the store knows by itself, and what people ticked.

What is shown and what a promotion is refused for both come from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from flagconsole.domain.act import ActKind
from flagconsole.domain.errors import ChecklistIncomplete
from flagconsole.domain.plan import PhaseKind, Plan
from flagconsole.domain.rollout import Rollout
from flagconsole.domain.rollout_views import Checklist, ChecklistItem
from flagconsole.operations.acts import record
from flagconsole.operations.context import Context, existing
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.store.protocol import Transaction
from flagconsole.store.rollout_protocol import Tick

IN_STORE: Final = "defined in the store"
WITH_CRITERIA: Final = "success and failure criteria set"
CHECKLIST: Final = (
    IN_STORE,
    "shadow mode ready",
    "monitoring configured",
    "rollback tried",
    "cohort criteria set",
    WITH_CRITERIA,
    "emergency contacts set",
)


class Asking(NamedTuple):
    """How somebody asks for a canary: ``checked`` says that they have seen to what is missing, for that ``reason``; ``command``
    is what is typed to ask again."""

    command: str
    reason: str = ""
    checked: bool = False


def checklist_of(ticks: Sequence[Tick], plan: Plan | None) -> Checklist:
    """The checklist of a flag whose rollout goes by ``plan``; None where none is under way, so that nothing is known of its
    criteria."""
    by_item, known = {tick.item: tick for tick in ticks}, _known(plan)
    items = tuple(_item(item, by_item.get(item), known=item in known) for item in CHECKLIST)
    return Checklist(items=items, complete=not any(item.missing for item in items))


def _item(item: str, tick: Tick | None, *, known: bool) -> ChecklistItem:
    if tick is None:
        return ChecklistItem(item=item, known=known)
    return ChecklistItem(item=item, known=known, ticked_by=tick.ticked_by, ticked_at=tick.ticked_at, note=tick.note)


def _known(plan: Plan | None) -> set[str]:
    """What needs nobody's word: the flag is in the store, and the plan says when each canary passes or fails."""
    if plan is None:
        return {IN_STORE}
    canaries = [phase for phase in plan.phases if phase.kind is PhaseKind.CANARY]
    has_criteria = all(phase.success and phase.rollback for phase in canaries)
    return {IN_STORE, WITH_CRITERIA} if has_criteria else {IN_STORE}


async def tick_items(tx: Transaction, context: Context, flag_name: str, items: Sequence[str], note: str) -> list[Tick]:
    """Tick items; who and when is kept. Returns all that are ticked."""
    authorize(context.actor, Operation.HOLD)
    await existing(tx, flag_name)
    for item in items:
        await tx.tick(flag_name, Tick(item, context.actor.name, context.now, note))
    details = {"items": list(items)}
    await record(
        tx, context.actor, context.now, ActKind.CHECKLIST_TICKED, flag_name, reason=note or None, details=details
    )
    return await tx.checklist(flag_name)


async def check(tx: Transaction, context: Context, rollout: Rollout, asked: Asking) -> None:
    """Let a rollout into a canary: tick what is missing where the caller says that it is seen to, or raise
    ``ChecklistIncomplete``."""
    checklist = checklist_of(await tx.checklist(rollout.flag_name), rollout.plan)
    missing = [item.item for item in checklist.items if item.missing]
    if missing and asked.checked:
        await tick_items(tx, context, rollout.flag_name, missing, asked.reason)
    elif missing:
        known = ", ".join(item.item for item in checklist.items if item.known)
        raise ChecklistIncomplete(
            f"The store itself knows: {known}. Whoever has seen to the others says so, in their name, with: "
            f"{asked.command} --checked",
            flag=rollout.flag_name,
            missing=", ".join(missing),
        )
