"""Which role each operation needs: the one table that routes, command line and docs go by."""

from __future__ import annotations

from enum import StrEnum

from flagconsole.domain.errors import NotAllowed
from flagconsole.domain.role import Actor, Role, may


class Operation(StrEnum):
    """Everything that can be asked of the system."""

    READ_RULES = "read_rules"
    READ = "read"
    REPORT = "report"
    CREATE = "create"
    UPDATE = "update"
    ARCHIVE = "archive"
    KILL = "kill"
    REVIVE = "revive"
    ROLLBACK = "rollback"
    RAISE = "raise"
    OVERRIDE = "override"
    START = "start"
    PROMOTE = "promote"
    HOLD = "hold"
    INCIDENT = "incident"
    DRAW_COHORT = "draw_cohort"
    PUT_TENANTS = "put_tenants"
    KEYS = "keys"


#: ``RAISE`` is asked in addition where an operator's operation would raise exposure.
LEAST_ROLE: dict[Operation, Role] = {
    Operation.READ_RULES: Role.SDK,
    Operation.READ: Role.VIEWER,
    Operation.REPORT: Role.SDK,
    Operation.KILL: Role.OPERATOR,
    Operation.ROLLBACK: Role.OPERATOR,
    Operation.OVERRIDE: Role.OPERATOR,
    Operation.INCIDENT: Role.OPERATOR,
    Operation.RAISE: Role.ADMIN,
    Operation.CREATE: Role.ADMIN,
    Operation.UPDATE: Role.ADMIN,
    Operation.ARCHIVE: Role.ADMIN,
    Operation.REVIVE: Role.ADMIN,
    Operation.START: Role.ADMIN,
    Operation.PROMOTE: Role.OPERATOR,
    Operation.HOLD: Role.OPERATOR,
    Operation.DRAW_COHORT: Role.ADMIN,
    Operation.PUT_TENANTS: Role.ADMIN,
    Operation.KEYS: Role.ADMIN,
}


def authorize(actor: Actor, operation: Operation) -> None:
    """Raise ``NotAllowed`` unless the actor may do ``operation``."""
    required = LEAST_ROLE[operation]
    if not may(actor.role, required):
        raise NotAllowed(required=required.value, role=actor.role.value, operation=operation.value)
