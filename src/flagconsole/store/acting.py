"""For whom the store is used: for one tenant, or on the server's own account, which sees all tenants.

Whoever lets a request in says it once, and it holds for all that is read and written until the request is over. PostgreSQL then
shows nothing else, whatever the statements ask for (``postgres_row_security``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_TENANT: Final[ContextVar[str | None]] = ContextVar("flagconsole_tenant", default=None)


def act_for(tenant_id: str | None) -> None:
    """From now on, in this task and those that it starts, act for this tenant; None for the whole fleet."""
    _TENANT.set(tenant_id)


@contextmanager
def on_own_account() -> Iterator[None]:
    """Act for the whole fleet while the block runs: for what the server does for itself while it answers somebody."""
    token = _TENANT.set(None)
    try:
        yield
    finally:
        _TENANT.reset(token)


def acting_for() -> str | None:
    """The tenant that is acted for; None for the whole fleet."""
    return _TENANT.get()
