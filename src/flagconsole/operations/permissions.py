"""Which role each operation needs, and whether a tenant's key may ask for it: the one table that the routes, the OpenAPI
document and ``docs/roles.md`` go by."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from flagconsole.domain.errors import BeyondTenant, NotAllowed
from flagconsole.domain.role import Actor, Role, may


class Operation(StrEnum):
    """Everything that can be asked of the system."""

    READ_RULES = "read_rules"
    REPORT = "report"
    READ = "read"
    READ_FLEET = "read_fleet"
    OVERRIDE = "override"
    RAISE = "raise"
    KILL = "kill"
    ROLLBACK = "rollback"
    HOLD = "hold"
    PROMOTE = "promote"
    INCIDENT = "incident"
    CREATE = "create"
    UPDATE = "update"
    ARCHIVE = "archive"
    REVIVE = "revive"
    START = "start"
    SCHEDULE = "schedule"
    NOTIFY = "notify"
    DRAW_COHORT = "draw_cohort"
    PUT_TENANTS = "put_tenants"
    KEYS = "keys"
    BREAK_GLASS = "break_glass"
    REVIEW = "review"
    APPROVE = "approve"


class Scope(StrEnum):
    """Whom an operation concerns. ``own``: a key that is bound to a tenant may ask for it too, sees its tenant's part and
    changes nothing else. ``fleet``: all tenants, so that no tenant's key may ask for it."""

    OWN = "own"
    FLEET = "fleet"


class Permission(NamedTuple):
    """What one operation needs. ``meaning`` says in the docs what it is."""

    least_role: Role
    scope: Scope
    meaning: str


PERMISSIONS: dict[Operation, Permission] = {
    Operation.READ_RULES: Permission(Role.SDK, Scope.OWN, "the flags, their rules and what a tenant gets"),
    Operation.REPORT: Permission(Role.SDK, Scope.OWN, "report receipts, measurements and shadow executions"),
    Operation.READ: Permission(Role.VIEWER, Scope.OWN, "status, the log and shadow reports"),
    Operation.READ_FLEET: Permission(Role.VIEWER, Scope.FLEET, "what tells of many tenants or of instances"),
    Operation.OVERRIDE: Permission(Role.OPERATOR, Scope.OWN, "set or remove one tenant's own state"),
    Operation.RAISE: Permission(
        Role.ADMIN, Scope.OWN, "asked besides, where an override, a rollback or a promotion raises exposure"
    ),
    Operation.KILL: Permission(Role.OPERATOR, Scope.FLEET, "kill a flag, also by playbook"),
    Operation.ROLLBACK: Permission(Role.OPERATOR, Scope.FLEET, "roll back, one flag or many, also by playbook"),
    Operation.HOLD: Permission(
        Role.OPERATOR, Scope.FLEET, "hold, resume and abort rollouts; tick checklists; cancel scheduled changes"
    ),
    Operation.PROMOTE: Permission(Role.OPERATOR, Scope.FLEET, "take a rollout to its next phase on a pass"),
    Operation.INCIDENT: Permission(Role.OPERATOR, Scope.FLEET, "write incidents up, confirm their steps, close them"),
    Operation.CREATE: Permission(Role.ADMIN, Scope.FLEET, "create flags"),
    Operation.UPDATE: Permission(Role.ADMIN, Scope.FLEET, "set a flag's state, percentage, cohort or description"),
    Operation.ARCHIVE: Permission(Role.ADMIN, Scope.FLEET, "archive flags"),
    Operation.REVIVE: Permission(Role.ADMIN, Scope.FLEET, "clear a kill"),
    Operation.START: Permission(Role.ADMIN, Scope.FLEET, "start rollouts"),
    Operation.SCHEDULE: Permission(Role.ADMIN, Scope.FLEET, "schedule changes of a flag"),
    Operation.NOTIFY: Permission(Role.ADMIN, Scope.FLEET, "send test messages, and those that were given up again"),
    Operation.DRAW_COHORT: Permission(Role.ADMIN, Scope.FLEET, "draw cohorts"),
    Operation.PUT_TENANTS: Permission(Role.ADMIN, Scope.FLEET, "add and change tenants' profiles"),
    Operation.KEYS: Permission(Role.ADMIN, Scope.FLEET, "list, make, rotate and revoke keys"),
    Operation.BREAK_GLASS: Permission(Role.OPERATOR, Scope.FLEET, "take admin's rights for a time, and give them back"),
    Operation.APPROVE: Permission(
        Role.ADMIN, Scope.FLEET, "allow or decline what somebody else asked for that raises exposure"
    ),
    Operation.REVIEW: Permission(Role.ADMIN, Scope.FLEET, "review what others did with rights that they took"),
}


#: What stops a fault. No limit on how much somebody asks holds it up.
URGENT: Final = frozenset({Operation.KILL, Operation.ROLLBACK, Operation.HOLD})


def authorize(actor: Actor, operation: Operation) -> None:
    """Raise ``NotAllowed`` unless the actor's role may do ``operation``, and ``BeyondTenant`` for a tenant's key where that
    concerns all tenants."""
    required = PERMISSIONS[operation]
    if not may(actor.role, required.least_role):
        raise NotAllowed(required=required.least_role.value, role=actor.role.value, operation=operation.value)
    if actor.tenant_id is not None and required.scope is Scope.FLEET:
        raise BeyondTenant("Use a key that isn't bound to a tenant.", operation=operation.value)
