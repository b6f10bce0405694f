"""Drawing cohorts from the store's tenants, and explaining those that were drawn; a part of ``Operations``."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from flagconsole.domain.bucketing import bucket
from flagconsole.domain.cohort import MAX_SEED, CohortSelection, Explanation, Placement
from flagconsole.domain.cohort_draw import select_cohort
from flagconsole.domain.cohort_views import AnyCohort, CohortResult, CohortTenant, CohortView, StratumView, TimezoneView
from flagconsole.domain.errors import (
    CohortNotFound,
    FlagConsoleError,
    FlagKilled,
    FlagNotFound,
    InvalidInput,
    NobodyEligible,
    TenantNotFound,
    VersionConflict,
)
from flagconsole.domain.flag import Flag
from flagconsole.domain.requests import CohortDraw, FlagUpdate
from flagconsole.domain.role import Actor
from flagconsole.domain.states import FlagState
from flagconsole.domain.tenant import TenantProfile
from flagconsole.domain.views import ChangeResult
from flagconsole.operations import approvals, setting
from flagconsole.operations.approvals import Asked, put_to_somebody
from flagconsole.operations.context import Context, Outcome
from flagconsole.operations.once import fingerprint_of, once
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.operations.undrawn_cohort import undrawn
from flagconsole.store.cohort_protocol import DrawnCohort
from flagconsole.store.protocol import Head, Store, Transaction

COHORT_LIMIT: Final = 1000
_TRIES: Final = 3


class _MovedMeanwhile(VersionConflict):
    """{flag!r} moved to version {current} meanwhile ({changed_by}, {changed_at}); you decided on version {given}."""


class _Draw(NamedTuple):
    """A draw, and what it was made from."""

    flag: Flag
    tenants: Sequence[TenantProfile]
    now: datetime
    selection: CohortSelection


class CohortOperations:
    """Cohorts on one store."""

    store: Store
    requires_versions: bool
    requires_approvals: bool

    async def draw_cohort(
        self,
        actor: Actor,
        flag_name: str,
        request: CohortDraw,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> CohortResult:
        """Draw a cohort and give it to the flag. A canary keeps the tenants that it reaches, or, at a lower percentage,
        some of them. The draw is computed beside the event loop and outside the transaction, so that no kill waits."""
        authorize(actor, Operation.DRAW_COHORT)
        fingerprint = fingerprint_of(Operation.DRAW_COHORT, actor, flag_name, request)
        asked = Asked(actor, fingerprint, Operation.DRAW_COHORT, flag_name, request.model_dump_json(exclude_unset=True))
        for last in (*[False] * (_TRIES - 1), True):
            draw = await self._drawn(flag_name, request)

            async def work(tx: Transaction, draw: _Draw | FlagConsoleError = draw) -> CohortResult:
                if isinstance(draw, FlagConsoleError):
                    raise draw
                _refuse_moved(draw.flag, await tx.flag(flag_name))
                approval = await approvals.given(tx, fingerprint) if self.requires_approvals else None
                context = Context(
                    actor,
                    draw.now,
                    version,
                    self.requires_versions,
                    needs_approval=self.requires_approvals,
                    approved_by=None if approval is None else approval.approved_by,
                )
                result = await self._give(tx, context, draw.selection, request, draw.tenants, dry_run)
                await approvals.use(tx, approval)
                return result

            try:
                async with put_to_somebody(self.store, asked, dry_run=dry_run):
                    return await once(
                        self.store,
                        work,
                        CohortResult,
                        idempotency_key,
                        fingerprint,
                        version,
                        dry_run=dry_run,
                        tried_again=() if last else (_MovedMeanwhile,),
                        mark=_marked,
                    )
            except _MovedMeanwhile:
                if last:
                    raise
        raise AssertionError("the last try answers or raises")

    async def _drawn(self, flag_name: str, request: CohortDraw) -> _Draw | FlagConsoleError:
        """The draw for the flag as it is now, or why there is none: that is an answer too, and given in the transaction that
        remembers it."""
        async with self.store.read() as reader:
            flag, tenants, now = await reader.flag(flag_name), await reader.tenants(), await reader.now()
        if flag is None:
            return FlagNotFound(flag=flag_name)
        if flag.current_state is FlagState.KILL:
            return FlagKilled("Revive it first.", flag=flag_name)
        try:
            return _Draw(flag, tenants, now, await asyncio.to_thread(drawn_for, flag, tenants, request, now))
        except FlagConsoleError as error:
            return error

    async def _give(
        self,
        tx: Transaction,
        context: Context,
        selection: CohortSelection,
        request: CohortDraw,
        tenants: Sequence[TenantProfile],
        dry_run: bool,
    ) -> CohortResult:
        update = FlagUpdate(
            change_reason=request.change_reason,
            current_state=FlagState.CANARY if request.start else None,
            canary_percentage=selection.percentage,
            canary_tenant_ids=selection.member_ids,
            canary_holdout_ids=selection.holdout_ids,
        )
        outcome = await setting.update(tx, context, selection.flag_name, update)
        drawn = DrawnCohort(
            selection=selection,
            drawn_at=context.now,
            drawn_by=context.actor.name,
            change_id=outcome.change.change_id if outcome.changed and outcome.change is not None else None,
        )
        await tx.save_cohort(drawn)
        head = await tx.head()
        result = _change_result(head, outcome, dry_run)
        view = view_of(head, drawn, outcome.flag, tenants, limit=COHORT_LIMIT)
        return CohortResult(epoch=head.epoch, revision=head.revision, result=result, cohort=view)

    async def cohort(
        self,
        actor: Actor,
        flag_name: str,
        *,
        tenant_id: str | None = None,
        inside: bool | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> AnyCohort:
        """The draw that the flag goes by, with a page of its tenants: of all, of those inside or outside, or the one named.

        A canary that goes by none answers with the tenants that it has all the same; any other flag with its newest draw.
        """
        authorize(actor, Operation.READ_FLEET)
        if not 1 <= limit <= COHORT_LIMIT:
            raise InvalidInput(field="limit", problem=f"must be from 1 to {COHORT_LIMIT}", value=limit)
        async with self.store.read() as reader:
            flag = await reader.flag(flag_name)
            if flag is None:
                raise FlagNotFound(flag=flag_name)
            drawn, is_canary = await reader.cohort_in_force(flag), flag.current_state is FlagState.CANARY
            if drawn is None and not is_canary:
                drawn = await reader.newest_cohort(flag_name)
            head, tenants = await reader.head(), await reader.tenants()
        view: AnyCohort
        if drawn is not None:
            view = view_of(head, drawn, flag, tenants, tenant_id=tenant_id, inside=inside, after=after, limit=limit)
        elif is_canary:
            view = undrawn(head, flag, tenants, tenant_id=tenant_id, inside=inside, after=after, limit=limit)
        else:
            hint = "A canary that went by the hash left none behind."
            raise CohortNotFound(
                f"{hint} Draw one with: flagconsole cohort {flag_name} --percentage 10", flag=flag_name
            )
        if tenant_id is not None and not view.tenants:
            raise TenantNotFound(tenant=tenant_id)
        return view


def drawn_for(flag: Flag, tenants: Sequence[TenantProfile], request: CohortDraw, now: datetime) -> CohortSelection:
    """The cohort that ``request`` asks for, for the flag as it is. Raises ``NobodyEligible`` for one without members: its
    flag would go by the hash alone."""
    hours = request.lasts_hours if request.lasts_hours is not None else usual_hours(request.percentage)
    selection = select_cohort(
        flag.flag_name,
        tenants,
        percentage=request.percentage,
        seed=secrets.randbelow(MAX_SEED + 1) if request.seed is None else request.seed,
        at=now,
        lasts=timedelta(hours=hours),
        previous=flag.rule() if flag.current_state is FlagState.CANARY else None,
    )
    if not selection.member_ids:
        counts = Counter(selection.placements)
        why = ", ".join(f"{count} {placement.value}" for placement, count in counts.most_common(4))
        hint = f"Of {len(tenants)} tenants: {why}." if why else "The store knows no tenants: flagconsole tenants import"
        raise NobodyEligible(hint, flag=flag.flag_name, percentage=request.percentage)
    return selection


def usual_hours(percentage: int) -> float:
    """How long the default plan stays at this percentage at least."""
    # Here, since a command that draws nothing shouldn't pay for reading YAML.
    from flagconsole.operations.plan_file import SHIPPED, shipped_plan

    phases = [phase for phase in shipped_plan(SHIPPED[0]).plan.phases if phase.percentage]
    return next((phase.min_hours for phase in phases if phase.percentage >= percentage), 0.0)


def explained(selection: CohortSelection, tenants: Sequence[TenantProfile]) -> list[Explanation]:
    """All tenants of the draw, and those that joined after it, by id."""
    known = set(selection.tenant_ids)
    later = [_joined(selection, tenant) for tenant in tenants if tenant.active and tenant.tenant_id not in known]
    return sorted([*selection.explanations(), *later])


def _joined(selection: CohortSelection, tenant: TenantProfile) -> Explanation:
    number = bucket(selection.flag_name, tenant.tenant_id)
    placement = Placement.JOINED_IN if number <= selection.percentage else Placement.JOINED_OUT
    return Explanation(
        tenant.tenant_id, placement, f"joined after the draw, is no part of it; its hash is bucket {number} of 100"
    )


def view_of(
    head: Head,
    drawn: DrawnCohort,
    flag: Flag,
    tenants: Sequence[TenantProfile],
    *,
    tenant_id: str | None = None,
    inside: bool | None = None,
    after: str | None = None,
    limit: int,
) -> CohortView:
    """A draw with the page of its tenants that is asked for."""
    selection, names = drawn.selection, {tenant.tenant_id: tenant.name for tenant in tenants}
    everyone = explained(selection, tenants)
    counts = Counter(explanation.placement for explanation in everyone)
    wanted = [
        item
        for item in everyone
        if (tenant_id is None or item.tenant_id == tenant_id)
        and (inside is None or item.inside is inside)
        and (after is None or item.tenant_id > after)
    ]
    page = wanted[:limit]
    return CohortView(
        epoch=head.epoch,
        revision=head.revision,
        flag_name=flag.flag_name,
        current_state=flag.current_state,
        in_force=selection.is_cohort_of(flag.setting),
        **selection.model_dump(
            include={"percentage", "seed", "algorithm", "population_digest", "at", "until", "population", "target"}
        ),
        drawn_at=drawn.drawn_at,
        drawn_by=drawn.drawn_by,
        change_id=drawn.change_id,
        actual=selection.actual,
        shortfall=selection.shortfall,
        members=len(selection.member_ids),
        by_hash=selection.by_hash,
        by_chance=selection.design.by_chance,
        joined_later=counts[Placement.JOINED_IN] + counts[Placement.JOINED_OUT],
        joined_inside=counts[Placement.JOINED_IN],
        by_placement=dict(counts),
        strata=tuple(StratumView.of(share) for share in selection.shares),
        timezones=TimezoneView.of(selection.timezones),
        tenants=tuple(CohortTenant.of(item, names.get(item.tenant_id, "")) for item in page),
        next_after=page[-1].tenant_id if len(wanted) > limit else None,
    )


def _marked(answer: CohortResult) -> CohortResult:
    return answer.model_copy(update={"result": answer.result.model_copy(update={"replayed": True})})


def _change_result(head: Head, outcome: Outcome, dry_run: bool) -> ChangeResult:
    return ChangeResult(
        changed=outcome.changed,
        dry_run=dry_run,
        epoch=head.epoch,
        revision=head.revision,
        flag=outcome.flag,
        change=outcome.change,
    )


def _refuse_moved(read: Flag, present: Flag | None) -> None:
    """Refuse to give a flag a cohort that was drawn for another setting of it."""
    if present is None:
        raise FlagNotFound(flag=read.flag_name)
    if present.setting != read.setting:
        raise _MovedMeanwhile(
            "It keeps changing while the cohort is drawn; try again.",
            flag=read.flag_name,
            given=read.version,
            current=present.version,
            changed_by=present.updated_by,
            changed_at=present.updated_at.isoformat(),
        )
