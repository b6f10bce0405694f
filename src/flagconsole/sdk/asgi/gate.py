"""``FlagGate``: what an application's routes have in common, the client and where the tenant comes from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from flagconsole.sdk.asgi.refusal import Refused, answer_refusal
from flagconsole.sdk.asgi.requirement import Requirement
from flagconsole.sdk.flag_client import FlagClient

#: Finds the tenant of a request (``HTTPConnection``), at once or asynchronously; None or an empty text where there is none.
TenantOf = Callable[..., str | Awaitable[str | None] | None]


class FlagGate:
    """Lets requests through by flags that ``client`` evaluates, for the tenant that ``tenant(connection)`` finds. What ``tenant``
    raises is the service's own answer."""

    def __init__(self, client: FlagClient, *, tenant: TenantOf) -> None:
        self.client = client
        self.tenant = tenant

    def require_flag(self, flag: str, *, shadow_ok: bool = False, tenant: TenantOf | None = None) -> Requirement:
        """What lets only requests through for whose tenant ``flag`` is enabled; with ``shadow_ok`` in shadow as well.

        It is a FastAPI dependency (``Depends(require_flag(…))``, whose value is the mode), a middleware for one route or
        application (``Middleware(require_flag(…))``), and a decorator. ``tenant`` takes the place of the gate's; a decorated
        function's gets the call's arguments.
        """
        return Requirement(self.client, flag, shadow_ok, self.tenant, tenant)

    def install(self, app: Any) -> None:
        """Let a Starlette or FastAPI application answer refusals: 403 ``FEATURE_DISABLED`` and 401 ``TENANT_REQUIRED``. Without
        it they are refused all the same, in the application's own words."""
        app.add_exception_handler(Refused, answer_refusal)
