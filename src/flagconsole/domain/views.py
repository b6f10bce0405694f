"""What the system answers: the bodies of HTTP responses, which the embedded command line gets as objects as well."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, Field

from flagconsole.domain.blast import BlastRadius
from flagconsole.domain.change import Change
from flagconsole.domain.evaluation import Evaluation, Reason
from flagconsole.domain.flag import Flag, Frozen, Override
from flagconsole.domain.instance import Instance
from flagconsole.domain.role import ApiKey, Role
from flagconsole.domain.states import FlagState
from flagconsole.domain.tenant import TenantProfile


class LastChange(Frozen):
    """The newest change of a flag, in short. ``previous_setting`` and ``new_setting`` are what it was and is in words, with the
    percentage: ``canary 10 %``."""

    change_id: int
    action: str
    change_type: str
    change_reason: str
    changed_by: str
    changed_at: AwareDatetime
    tenant_id: str | None = None
    previous_state: str | None = None
    new_state: str | None = None
    previous_setting: str | None = None
    new_setting: str | None = None


class FlagView(Flag):
    """A flag with its newest change."""

    last_change: LastChange | None = None


class EvaluationView(Frozen):
    """An evaluation with its reason."""

    state: FlagState
    reason: Reason
    enabled: bool
    dependency: str | None = None

    @property
    def because(self) -> str:
        """Why, in a word: the dependency that decided, else the reason."""
        return self.dependency or self.reason.value

    @classmethod
    def of(cls, evaluation: Evaluation) -> EvaluationView:
        """The view of an evaluation."""
        return cls(
            state=evaluation.state,
            reason=evaluation.reason,
            enabled=evaluation.enabled,
            dependency=evaluation.dependency,
        )


class FlagListing(Frozen):
    """``GET /api/flags``. Without a tenant ``effective_states`` and ``evaluations`` are empty."""

    epoch: str
    revision: int
    now: AwareDatetime
    tenant_id: str | None = None
    flags: tuple[FlagView, ...]
    overrides: tuple[Override, ...]
    effective_states: dict[str, FlagState] = Field(default_factory=dict)
    evaluations: dict[str, EvaluationView] = Field(default_factory=dict)


class FlagDetail(Frozen):
    """``GET /api/flags/{name}``. Without a tenant there is no effective state and no override. ``tenant_known`` is false where
    the store knows tenants and not this one: a mistyped id gets an answer as well."""

    epoch: str
    revision: int
    tenant_id: str | None = None
    flag: FlagView
    effective_state: FlagState | None = None
    evaluation: EvaluationView | None = None
    override: Override | None = None
    tenant_known: bool | None = None
    dependents: tuple[str, ...] = ()


class ChangeResult(Frozen):
    """What a mutation answers. ``changed`` is false where nothing had to be done (a second kill); then ``change`` is the
    change that brought the state about. A dry run answers what would happen and does nothing. ``replayed`` marks the
    answer to a repeated request, which did nothing more."""

    changed: bool
    dry_run: bool = False
    replayed: bool = False
    epoch: str
    revision: int
    flag: Flag
    override: Override | None = None
    change: Change | None = None


class HistoryPage(Frozen):
    """Changes, newest first. ``next_before`` asks for the next page; null on the last one."""

    epoch: str
    revision: int
    changes: tuple[Change, ...]
    next_before: int | None = None


class InstanceList(Frozen):
    """``GET /api/instances``: who runs, and how many of those expected have confirmed ``at_revision``. ``told`` counts those
    expected that can't confirm and were sent it; they are not among ``confirmed``."""

    epoch: str
    revision: int
    at_revision: int
    now: AwareDatetime
    expected: int
    confirmed: int
    told: int = 0
    instances: tuple[Instance, ...]


class TenantList(Frozen):
    """``GET /api/tenants``."""

    tenants: tuple[TenantProfile, ...]


class KeyList(Frozen):
    """``GET /api/keys``."""

    keys: tuple[ApiKey, ...]


class NewKey(Frozen):
    """``POST /api/keys``: the only time that the key itself is shown."""

    api_key: ApiKey
    secret: str


class DependentView(Frozen):
    """What a change would do to one dependent flag."""

    flag_name: str
    tenants: int
    after: FlagState


class BlastView(Frozen):
    """``GET /api/flags/{name}/blast-radius``: what setting the flag to ``after`` would do to the known tenants."""

    flag_name: str
    after: FlagState
    revision: int
    tenants: int
    losing: int
    gaining: int
    shadow_losing: int
    dependents: tuple[DependentView, ...]
    instances_expected: int

    @classmethod
    def of(cls, blast: BlastRadius, after: FlagState, revision: int, instances_expected: int) -> BlastView:
        """The view of a blast radius."""
        return cls(
            flag_name=blast.flag_name,
            after=after,
            revision=revision,
            tenants=blast.tenants,
            losing=blast.losing,
            gaining=blast.gaining,
            shadow_losing=blast.shadow_losing,
            dependents=tuple(
                DependentView(flag_name=d.flag_name, tenants=d.tenants, after=d.after) for d in blast.dependents
            ),
            instances_expected=instances_expected,
        )


class You(Frozen):
    """Whom the server takes the caller for."""

    name: str
    role: Role
    tenant_id: str | None = None


class Status(Frozen):
    """``GET /api/status``."""

    server_version: str
    environment: str
    epoch: str
    revision: int
    audit_hash: str
    now: AwareDatetime
    you: You
    requires_versions: bool
    flags: int
    by_state: dict[FlagState, int]
    killed: tuple[str, ...]
    overrides: int
    tenants: int
    instances_expected: int
    instances_live: int
    instances_behind: int
    instances_told: int = 0
    last_change_at: AwareDatetime | None = None


class Problem(Frozen):
    """An error as problem+json (RFC 9457), with our stable ``code``, a ``hint`` and what the message is made of."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str = ""
    details: dict[str, Any] = Field(default_factory=dict)
