"""Changing many flags in one transaction: all of it, or nothing; a part of ``Operations``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import uuid4

from pydantic import BaseModel

from flagconsole.domain.bulk import BulkItem, BulkOutcome, BulkResult, BulkRollback, BulkSet
from flagconsole.domain.errors import (
    ChangeNotFound,
    FlagConsoleError,
    FlagKilled,
    InvalidInput,
    NothingToRollBack,
    RaiseRefused,
)
from flagconsole.domain.flag import Setting
from flagconsole.domain.names import domain_of
from flagconsole.domain.requests import FlagUpdate, Rollback
from flagconsole.domain.role import Actor
from flagconsole.domain.states import FlagState
from flagconsole.operations import approvals, rollback, setting
from flagconsole.operations.approvals import Asked, put_to_somebody
from flagconsole.operations.context import Context, Outcome, existing
from flagconsole.operations.once import fingerprint_of_parts, once
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.store.protocol import Store, Transaction

Work = Callable[[Transaction, Context], Awaitable[list[BulkOutcome]]]


class BulkOperations:
    """Sets of changes on one store."""

    store: Store
    requires_versions: bool
    requires_approvals: bool

    async def bulk_set(
        self, actor: Actor, request: BulkSet, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> BulkResult:
        """Change every flag that the request names. The first that can't be changed is named, and none is."""
        authorize(actor, Operation.UPDATE)

        async def work(tx: Transaction, context: Context) -> list[BulkOutcome]:
            return [await _set(tx, context, request, index) for index in range(len(request.changes))]

        urgent = any(item.current_state is FlagState.KILL for item in request.changes)
        return await self._set_of(Operation.UPDATE, work, actor, request, idempotency_key, dry_run, urgent)

    async def bulk_rollback(
        self, actor: Actor, request: BulkRollback, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> BulkResult:
        """Undo the newest standing change of each flag of a domain, or exactly the named changes.

        Flags of the domain that are killed or have nothing to undo are left out, and so are, where that is asked for, those
        whose rollback would raise exposure. Of changes that were named nothing is ever left out.
        """
        authorize(actor, Operation.ROLLBACK)

        async def work(tx: Transaction, context: Context) -> list[BulkOutcome]:
            if request.domain is None:
                return await _revert(tx, context, request)
            return await _roll_back_domain(tx, context, request, request.domain)

        return await self._set_of(Operation.ROLLBACK, work, actor, request, idempotency_key, dry_run, True)

    async def _set_of(
        self,
        operation: Operation,
        work: Work,
        actor: Actor,
        request: BaseModel,
        idempotency_key: str | None,
        dry_run: bool,
        urgent: bool,
        plans: list[str] | None = None,
    ) -> BulkResult:
        """Do the work in one transaction. It may name ``plans`` that it wrote."""
        fingerprint = fingerprint_of_parts(actor, type(request).__name__, request.model_dump_json())
        asked = Asked(actor, fingerprint, operation, "(many)", request.model_dump_json(exclude_unset=True))

        async def whole(tx: Transaction) -> BulkResult:
            correlation_id = uuid4().hex
            approval = await approvals.given(tx, fingerprint) if self.requires_approvals else None
            context = Context(
                actor,
                await tx.now(),
                requires_versions=self.requires_versions,
                correlation_id=correlation_id,
                needs_approval=self.requires_approvals,
                approved_by=None if approval is None else approval.approved_by,
            )
            outcomes = await work(tx, context)
            head = await tx.head()
            changed = sum(outcome.changed for outcome in outcomes) + len(plans or ())
            result = BulkResult(
                changed=changed,
                dry_run=dry_run,
                epoch=head.epoch,
                revision=head.revision,
                correlation_id=correlation_id if changed else None,
                outcomes=tuple(outcomes),
                plans=tuple(plans or ()),
            )
            await approvals.use(tx, approval)
            return result

        async with put_to_somebody(self.store, asked, dry_run=dry_run):
            return await once(
                self.store, whole, BulkResult, idempotency_key, fingerprint, dry_run=dry_run, urgent=urgent
            )


async def _set(tx: Transaction, context: Context, request: BulkSet, index: int) -> BulkOutcome:
    item = request.changes[index]
    own = replace(context, version=item.version)
    try:
        outcome = await setting.update(tx, own, item.flag_name, _update_of(item, request.change_reason))
    except InvalidInput as error:
        named = {**error.details, "field": f"changes[{index}].{error.details['field']}"}
        raise InvalidInput(error.hint, **named) from None
    return outcome_of(outcome)


def _update_of(item: BulkItem, reason: str) -> FlagUpdate:
    given = item.model_dump(include=item.model_fields_set & set(FlagUpdate.model_fields))
    return FlagUpdate.model_validate({**given, "change_reason": item.change_reason or reason})


async def _roll_back_domain(tx: Transaction, context: Context, request: BulkRollback, domain: str) -> list[BulkOutcome]:
    names = [view.flag_name for view in await tx.flag_views() if domain_of(view.flag_name) == domain]
    if not names:
        raise InvalidInput(
            "Domains are what flag names begin with; see: flagconsole list",
            field="domain",
            problem="has no flags",
            value=domain,
        )
    body = Rollback(rollback_reason=request.rollback_reason, allow_raise=request.allow_raise)
    refusals = (FlagKilled, NothingToRollBack, *([RaiseRefused] if request.leave_raising else []))
    outcomes = []
    for name in names:
        flag = await existing(tx, name)
        # A bulk rollback may be given no versions: what raises is asked for explicitly, on the flag as it is now.
        own = Context(context.actor, context.now, flag.version, correlation_id=context.correlation_id)
        try:
            outcomes.append(outcome_of(await rollback.rollback(tx, own, name, body)))
        except refusals as error:
            outcomes.append(left_out_of(name, flag.setting, error))
    return outcomes


async def _revert(tx: Transaction, context: Context, request: BulkRollback) -> list[BulkOutcome]:
    wanted: dict[tuple[str, str | None], list[int]] = {}
    for change_id in sorted(set(request.change_ids), reverse=True):
        change = await tx.change(change_id)
        if change is None:
            raise ChangeNotFound(flag="the log", change_id=change_id)
        wanted.setdefault((change.flag_name, change.tenant_id), []).append(change_id)
    outcomes = []
    for (flag_name, tenant_id), change_ids in wanted.items():
        flag = await existing(tx, flag_name)
        own = Context(context.actor, context.now, flag.version, correlation_id=context.correlation_id)
        try:
            outcome = await rollback.revert(
                tx,
                own,
                flag_name,
                tenant_id,
                change_ids,
                Rollback(rollback_reason=request.rollback_reason, allow_raise=request.allow_raise),
            )
        except RaiseRefused as error:
            if not request.leave_raising:
                raise
            outcomes.append(left_out_of(flag_name, flag.setting, error, tenant_id))
        else:
            outcomes.append(outcome_of(outcome))
    return outcomes


def outcome_of(outcome: Outcome) -> BulkOutcome:
    """What became of a flag, as the set's answer tells it."""
    return BulkOutcome(
        flag_name=outcome.flag.flag_name,
        tenant_id=None if outcome.change is None else outcome.change.tenant_id,
        changed=outcome.changed,
        setting=outcome.flag.setting,
        change=outcome.change if outcome.changed else None,
        left_out=None if outcome.changed else "it is so already",
    )


def left_out_of(flag_name: str, present: Setting, error: FlagConsoleError, tenant_id: str | None = None) -> BulkOutcome:
    return BulkOutcome(flag_name=flag_name, tenant_id=tenant_id, changed=False, setting=present, left_out=error.message)
