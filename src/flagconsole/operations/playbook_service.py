"""Beginning a playbook by name; a part of ``Operations``."""

from __future__ import annotations

import json

from flagconsole.domain.errors import (
    FlagKilled,
    IdempotencyKeyReused,
    NothingToRollBack,
    PlaybookUnderWay,
    RolloutNotFound,
)
from flagconsole.domain.incident import Incident
from flagconsole.domain.incident_views import IncidentDetail
from flagconsole.domain.playbook import KILL_SWITCH, Playbook
from flagconsole.domain.role import Actor
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.states import FlagState
from flagconsole.operations import playbook_flag, rollouts
from flagconsole.operations.context import Context, existing
from flagconsole.operations.fence import Fence
from flagconsole.operations.incident_reading import detail_of, existing_incident
from flagconsole.operations.once import fingerprint_of_parts
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.store.protocol import Remembered, Store, Transaction


class PlaybookOperations:
    """Playbooks on one store. Whoever tends runs does what comes after their first steps."""

    store: Store

    async def begin_playbook(
        self,
        actor: Actor,
        flag_name: str,
        playbook: Playbook,
        reason: str,
        *,
        rollout_id: str | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
        fence: Fence | None = None,
    ) -> IncidentDetail:
        """Do the flag steps that the playbook begins with and open its incident, in one transaction; a rollout that is
        under way is being rolled back from then on. With a ``rollout_id`` only that one, while it is running: else
        ``RolloutNotFound``, or ``PlaybookUnderWay`` where it is being rolled back already.

        Raises ``FlagKilled`` and ``NothingToRollBack`` where the flag is off already, and ``LeaseLost`` where the fence
        says so.
        """
        authorize(actor, Operation.KILL if playbook.name == KILL_SWITCH else Operation.ROLLBACK)
        fingerprint = fingerprint_of_parts(actor, "playbook", flag_name, playbook.name, reason, rollout_id or "")
        async with self.store.write(urgent=True) as tx:
            if fence is not None:
                await fence.check(tx)
            context = Context(actor, await tx.now())
            known = None if idempotency_key is None or dry_run else await tx.remembered(idempotency_key)
            if known is not None:
                if known.fingerprint != fingerprint:
                    raise IdempotencyKeyReused("Use a new key for a new request.")
                incident_id = str(json.loads(known.body)["incident_id"])
            else:
                incident = await _begun(tx, context, flag_name, playbook, reason, rollout_id)
                incident_id = incident.incident_id
                if dry_run:
                    tx.discard()
                    return await detail_of(tx, incident, context.now)
                if idempotency_key is not None:
                    told = json.dumps({"incident_id": incident_id})
                    await tx.remember(idempotency_key, Remembered(fingerprint, told))
        # From a view of its own: the answer names every tenant, and no other writer should wait for that.
        async with self.store.read() as reader:
            return await detail_of(reader, await existing_incident(reader, incident_id), await reader.now())


async def _begun(
    tx: Transaction, context: Context, flag_name: str, playbook: Playbook, reason: str, rollout_id: str | None
) -> Incident:
    flag = await existing(tx, flag_name)
    rollout = await tx.active_rollout(flag_name)
    if rollout_id is not None:
        if rollout is None or rollout.rollout_id != rollout_id:
            raise RolloutNotFound(flag=flag_name)
        if rollout.status is not RolloutStatus.RUNNING:
            raise PlaybookUnderWay(flag=flag_name)
    if playbook.name != KILL_SWITCH:
        if flag.current_state is FlagState.KILL:
            raise FlagKilled("No playbook does more than that.", flag=flag_name)
        if flag.current_state is FlagState.OFF:
            raise NothingToRollBack("It is off.", flag=flag_name)
    if rollout is None:
        return await playbook_flag.begin(tx, context, flag_name, playbook, reason)
    begun = rollout.status is RolloutStatus.RUNNING and await rollouts.begin_rollback(
        tx, context, rollout, playbook, reason
    )
    if not begun:
        await rollouts.roll_back_by(tx, context, rollout, playbook, reason)
    under_way = await tx.incident_under_way(flag_name)
    assert under_way is not None, "a rollback opens an incident"
    return under_way
