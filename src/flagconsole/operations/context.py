"""What every use case gets besides its request, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flagconsole.domain.change import Change, ChangeType
from flagconsole.domain.errors import ApprovalRequired, ExposureFrozen, FlagNotFound, VersionConflict, VersionRequired
from flagconsole.domain.flag import Flag, Override
from flagconsole.domain.role import Actor
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.store.protocol import Transaction


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, when, and for which version of the flag they decided.

    ``requires_versions`` is the environment's demand that whatever raises exposure names the version. ``correlation_id`` is
    shared by the changes of one set. ``needs_approval`` is the environment's demand that a second person, ``approved_by``,
    allows what raises exposure. ``change_type`` is what a change by setting is called in the log.
    """

    actor: Actor
    now: datetime
    version: int | None = None
    requires_versions: bool = False
    correlation_id: str | None = None
    needs_approval: bool = False
    approved_by: str | None = None
    change_type: ChangeType = ChangeType.MANUAL


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a use case did. ``change`` is the change that made the present state, also where nothing had to be done."""

    changed: bool
    flag: Flag
    change: Change | None
    override: Override | None = None


async def existing(tx: Transaction, flag_name: str) -> Flag:
    """The flag, or ``FlagNotFound``."""
    flag = await tx.flag(flag_name)
    if flag is None:
        raise FlagNotFound(flag=flag_name)
    return flag


async def guard_raise(tx: Transaction, context: Context, flag: Flag, *, version_required: bool = False) -> None:
    """Refuse what raises exposure without the right to, while it is frozen, or decided on another version of the flag."""
    authorize(context.actor, Operation.RAISE)
    rollout = await tx.active_rollout(flag.flag_name)
    if rollout is not None and rollout.exposure_frozen:
        raise ExposureFrozen("Resume the rollout first.", flag=flag.flag_name, because=rollout.pause_reason)
    run = await tx.active_run(flag.flag_name)
    if run is not None and run.frozen:
        hint = f"Wait for it, or end it: flagconsole incidents close {run.incident_id}"
        raise ExposureFrozen(hint, flag=flag.flag_name, because=f"the playbook {run.playbook} is under way")
    if context.version is None and (version_required or context.requires_versions or context.needs_approval):
        raise VersionRequired("Read the flag and send its version.", flag=flag.flag_name)
    if context.version is not None:
        await _refuse_moved(tx, context, flag)
    guard_approval(context, flag.flag_name)


def guard_approval(context: Context, flag_name: str) -> None:
    """Raise ``ApprovalRequired`` where the environment asks for a second person and nobody has allowed this."""
    if context.needs_approval and context.approved_by is None:
        raise ApprovalRequired(flag=flag_name)


async def _refuse_moved(tx: Transaction, context: Context, flag: Flag) -> None:
    """Raise ``VersionConflict`` where the decision was made on another version of the flag."""
    if context.version != flag.version:
        # A tenant's key sees no entries of the log but its own, and may find none.
        newest = next(iter(await tx.changes(flag_name=flag.flag_name, limit=1)), None)
        if newest is None or context.actor.tenant_id not in {None, newest.tenant_id}:
            hint, by = "Read the flag again.", "somebody else"
        else:
            hint, by = f"The newest change is {newest.action.value}: {newest.change_reason!r}.", newest.changed_by
        raise VersionConflict(
            hint,
            flag=flag.flag_name,
            given=context.version,
            current=flag.version,
            changed_by=by,
            changed_at=flag.updated_at.isoformat(),
        )
