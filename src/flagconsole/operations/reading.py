"""Questions about the store, each answered from one consistent view."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from flagconsole import __version__
from flagconsole.domain.blast import blast_radius
from flagconsole.domain.errors import FlagNotFound
from flagconsole.domain.evaluation import OverrideRule, Ruleset
from flagconsole.domain.flag import Flag, Override
from flagconsole.domain.instance import EXPECTED, Instance, Presence, presence_of
from flagconsole.domain.role import Actor
from flagconsole.domain.states import FlagState
from flagconsole.domain.tenant_view import view_of_tenant
from flagconsole.domain.views import (
    BlastView,
    EvaluationView,
    FlagDetail,
    FlagListing,
    FlagView,
    HistoryPage,
    InstanceList,
    Status,
    You,
)
from flagconsole.store.protocol import Head, Reader


def ruleset_of(head: Head, flags: Sequence[Flag], overrides: Sequence[Override]) -> Ruleset:
    """The ruleset of these flags and overrides."""
    tenants: dict[str, dict[str, OverrideRule]] = {}
    for override in overrides:
        tenants.setdefault(override.flag_name, {})[override.tenant_id] = override_rule(override)
    return Ruleset(head.epoch, head.revision, {flag.flag_name: flag.rule() for flag in flags}, tenants)


def override_rule(override: Override) -> OverrideRule:
    """What evaluation needs of an override."""
    if override.expires_at is None:
        return OverrideRule(override.override_state)
    return OverrideRule(override.override_state, override.expires_at.timestamp())


def listing(
    ruleset: Ruleset,
    flags: Sequence[FlagView],
    overrides: Sequence[Override],
    tenant: str | None,
    now: datetime,
    *,
    actor: Actor,
) -> FlagListing:
    """All flags as the actor's key sees them, the overrides in force (of one tenant, if named) and what the tenant gets."""
    evaluations = {}
    if tenant is not None:
        at = now.timestamp()
        evaluations = {f.flag_name: EvaluationView.of(ruleset.evaluate(f.flag_name, tenant, at)) for f in flags}
    return FlagListing(
        epoch=ruleset.epoch,
        revision=ruleset.revision,
        now=now,
        tenant_id=tenant,
        flags=tuple(seen_by(actor, flag) for flag in flags),
        overrides=in_force(overrides, tenant, now),
        effective_states={name: evaluation.state for name, evaluation in evaluations.items()},
        evaluations=evaluations,
    )


def in_force(overrides: Iterable[Override], tenant: str | None, now: datetime) -> tuple[Override, ...]:
    """The overrides that aren't over (of one tenant, if named)."""
    return tuple(
        override
        for override in overrides
        if (tenant is None or override.tenant_id == tenant)
        and (override.expires_at is None or now < override.expires_at)
    )


def seen_by(actor: Actor, flag: FlagView) -> FlagView:
    """The flag as the actor's key sees it."""
    return flag if actor.tenant_id is None else view_of_tenant(flag, actor.tenant_id)


def detail(
    ruleset: Ruleset,
    flag: FlagView,
    override: Override | None,
    tenant: str | None,
    now: datetime,
    *,
    actor: Actor,
    tenant_known: bool | None = None,
) -> FlagDetail:
    """One flag as the actor's key sees it, and what the tenant gets."""
    evaluation = None
    if tenant is not None:
        evaluation = EvaluationView.of(ruleset.evaluate(flag.flag_name, tenant, now.timestamp()))
    if override is not None and override.expires_at is not None and override.expires_at <= now:
        override = None
    return FlagDetail(
        epoch=ruleset.epoch,
        revision=ruleset.revision,
        tenant_id=tenant,
        flag=seen_by(actor, flag),
        effective_state=None if evaluation is None else evaluation.state,
        evaluation=evaluation,
        override=override,
        tenant_known=tenant_known,
        dependents=tuple(ruleset.dependents(flag.flag_name)),
    )


async def history(
    reader: Reader,
    flag_name: str | None,
    *,
    limit: int,
    before: int | None,
    tenant_id: str | None,
    domain: str | None,
) -> HistoryPage:
    """A page of the audit log, newest first. The log of an archived flag can still be read."""
    head = await reader.head()
    found = await reader.changes(
        flag_name=flag_name, tenant_id=tenant_id, domain=domain, before=before, limit=limit + 1
    )
    if not found and flag_name is not None and not await reader.changes(flag_name=flag_name, limit=1):
        raise FlagNotFound(flag=flag_name)
    page = tuple(found[:limit])
    return HistoryPage(
        epoch=head.epoch,
        revision=head.revision,
        changes=page,
        next_before=page[-1].change_id if len(found) > limit else None,
    )


def with_presence(instances: Sequence[Instance], now: datetime) -> list[Instance]:
    """The instances with the presence that follows from when they were last heard from."""
    return [_with_presence(instance, now) for instance in instances]


def _with_presence(instance: Instance, now: datetime) -> Instance:
    seconds = (now - instance.last_seen).total_seconds()
    presence = presence_of(seconds, left=instance.presence is Presence.LEFT)
    # Nearly all of a fleet are as they were: to copy each would cost ten times as much as to look.
    return instance if presence is instance.presence else instance.model_copy(update={"presence": presence})


def instance_list(head: Head, instances: Sequence[Instance], at_revision: int | None, now: datetime) -> InstanceList:
    """Who runs, and how many of those expected have confirmed ``at_revision`` (default: the head)."""
    present = with_presence(instances, now)
    wanted = head.revision if at_revision is None else at_revision
    expected = [instance for instance in present if instance.presence in EXPECTED]
    return InstanceList(
        epoch=head.epoch,
        revision=head.revision,
        at_revision=wanted,
        now=now,
        expected=len(expected),
        confirmed=sum(instance.confirms(head.epoch, wanted) for instance in expected),
        told=sum(instance.told(head.epoch, wanted) for instance in expected),
        instances=tuple(present),
    )


def status_of(
    head: Head,
    flags: Sequence[FlagView],
    overrides: Iterable[Override],
    tenants: int,
    instances: InstanceList,
    *,
    actor: Actor,
    environment: str,
    requires_versions: bool,
    now: datetime,
) -> Status:
    """The system on one screen; of tenants and their overrides what the actor's key sees."""
    by_state = dict.fromkeys(FlagState, 0)
    for flag in flags:
        by_state[flag.current_state] += 1
    changed = [flag.last_change.changed_at for flag in flags if flag.last_change is not None]
    live = sum(instance.presence is Presence.LIVE for instance in instances.instances)
    return Status(
        server_version=__version__,
        environment=environment,
        epoch=head.epoch,
        revision=head.revision,
        audit_hash=head.audit_hash,
        now=now,
        you=You(name=actor.name, role=actor.role, tenant_id=actor.tenant_id),
        requires_versions=requires_versions,
        flags=len(flags),
        by_state=by_state,
        killed=tuple(flag.flag_name for flag in flags if flag.current_state is FlagState.KILL),
        overrides=sum(actor.tenant_id in {None, override.tenant_id} for override in overrides),
        tenants=tenants if actor.tenant_id is None else 1,
        instances_expected=instances.expected,
        instances_live=live,
        instances_behind=instances.expected - instances.confirmed - instances.told,
        instances_told=instances.told,
        last_change_at=max(changed, default=None),
    )


def blast_of(
    ruleset: Ruleset, flag: Flag, after: FlagState, tenants: Sequence[str], instances_expected: int, now: datetime
) -> BlastView:
    """What setting ``flag`` to ``after``, with its present percentage and cohort, would do to the tenants."""
    rule = flag.rule()._replace(state=after)
    blast = blast_radius(ruleset, flag.flag_name, rule, tenants, now.timestamp())
    return BlastView.of(blast, after, ruleset.revision, instances_expected)
