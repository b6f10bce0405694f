"""The environment as a whole: exported, compared with what a file asks for, and brought there in one transaction. Commands that
don't ask for it don't load how it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagconsole.operations.bulk import BulkOperations
from flagconsole.operations.permissions import Operation, authorize

if TYPE_CHECKING:
    from flagconsole.domain.bulk import BulkOutcome, BulkResult
    from flagconsole.domain.environment import Apply, EnvironmentExport, EnvironmentPlan, PlanRequest
    from flagconsole.domain.flag import Flag
    from flagconsole.domain.plan import Plan
    from flagconsole.domain.role import Actor
    from flagconsole.domain.rollout_requests import RolloutStart
    from flagconsole.operations.context import Context
    from flagconsole.store.protocol import Transaction


class EnvironmentOperations(BulkOperations):
    """Exporting, planning and applying on one store."""

    async def export(self, actor: Actor) -> EnvironmentExport:
        """Every flag with all its properties, every override in force and every plan, by name."""
        from flagconsole.operations.environment_work import exported

        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            return await exported(reader)

    async def plan(self, actor: Actor, request: PlanRequest) -> EnvironmentPlan:
        """What applying the environment would change, and the hash under which it can be applied."""
        from flagconsole.operations.environment_work import planned

        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            return await planned(reader, request)

    async def apply(
        self, actor: Actor, request: Apply, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> BulkResult:
        """Carry out the plan of that hash, all of it or nothing, as one correlated set in the log.

        Raises ``PlanMoved`` where the file or what it speaks of isn't what the plan was made of.
        """
        from flagconsole.operations.environment_work import carry_out

        authorize(actor, Operation.UPDATE)
        written: list[str] = []

        async def work(tx: Transaction, context: Context) -> list[BulkOutcome]:
            return await carry_out(tx, context, request, written)

        return await self._set_of(Operation.UPDATE, work, actor, request, idempotency_key, dry_run, False, written)

    async def plan_to_start(self, flag: Flag, asked: RolloutStart) -> Plan:
        """The plan that a rollout is to begin by. Raises ``InvalidInput`` for a name that isn't known."""
        from flagconsole.operations.stored_plans import plan_to_start

        async with self.store.read() as reader:
            return await plan_to_start(reader, flag, asked)
