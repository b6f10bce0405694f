"""Roles of API keys and what each operation needs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from flagconsole.domain.flag import Frozen


class Role(StrEnum):
    """``viewer`` looks, ``operator`` also lowers exposure, ``admin`` does everything; ``sdk`` reads rules and reports."""

    SDK = "sdk"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


_RANK = {Role.VIEWER: 1, Role.OPERATOR: 2, Role.ADMIN: 3}


def may(role: Role, required: Role) -> bool:
    """Whether a key with ``role`` may do what ``required`` may. ``sdk`` stands beside the ladder, below viewer."""
    if required is Role.SDK:
        return True
    return _RANK.get(role, 0) >= _RANK[required]


class Actor(Frozen):
    """Who asks: the name and role of an API key, and the tenant that the key is bound to. Under the grant ``break_glass`` the
    role is an admin's, and ``own_role`` the key's."""

    name: str
    role: Role
    tenant_id: str | None = None
    key_id: str | None = None
    break_glass: str | None = None
    own_role: Role | None = None


class ApiKey(Frozen):
    """An API key as it can be shown: never the key itself. ``replaced_by`` is the key that it was rotated to."""

    key_id: str
    name: Annotated[str, Field(max_length=200)]
    role: Role
    tenant_id: str | None = None
    created_at: AwareDatetime
    created_by: str
    expires_at: AwareDatetime | None = None
    replaced_by: str | None = None
    revoked_at: AwareDatetime | None = None
    revoked_by: str | None = None

    def is_valid_at(self, now: datetime) -> bool:
        """Whether the key still works: nobody has revoked it, and its time isn't over."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)
