"""``override``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, changes
from flagconsole.cli.parameters import FLAG, MOMENT, OVERRIDE_STATE
from flagconsole.cli.reason import NO_REASON, one_reason
from flagconsole.domain.errors import TenantRequired

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.requests import OverrideRemove, OverrideSet
    from flagconsole.domain.views import ChangeResult


@click.command(
    "override", epilog='Example: flagconsole override pos.lite off "till is being replaced" --tenant tenant-0042'
)
@click.argument("flag", type=FLAG)
@click.argument("words", metavar="[STATE] [REASON]", nargs=-1)
@click.option("--reason", metavar="TEXT", help="Why; the same as REASON.")
@click.option("--expires", type=MOMENT, metavar="ISO8601", help="When it ends, such as 2026-12-31T18:00:00Z.")
@click.option("--remove", is_flag=True, help="Take the override away.")
@changes
def override(
    invocation: Invocation,
    flag: str,
    words: tuple[str, ...],
    reason: str | None,
    expires: datetime | None,
    remove: bool,
) -> None:
    """Give one tenant its own STATE of FLAG: off, shadow, canary or on.

    The tenant is the configured one, or --tenant.
    """
    from flagconsole.cli.wording import print_result, warn_unknown
    from flagconsole.domain.requests import OverrideRemove

    request = _removal(words, reason, expires) if remove else _setting(words, reason, expires)

    async def work(backend: Backend, target: Target) -> ChangeResult:
        if target.tenant is None and target.url is None:
            raise TenantRequired("Give --tenant, or run: flagconsole config set-tenant ID")
        now = await backend.flag(flag, target.tenant)
        if not remove:
            warn_unknown(now)
        version, key = now.flag.version, invocation.idempotency_key
        if isinstance(request, OverrideRemove):
            removal = request.model_copy(update={"tenant_id": target.tenant})
            return await backend.remove_override(
                flag, removal, version=version, idempotency_key=key, dry_run=invocation.dry_run
            )
        setting = request.model_copy(update={"tenant_id": target.tenant})
        return await backend.set_override(
            flag, setting, version=version, idempotency_key=key, dry_run=invocation.dry_run
        )

    print_result(invocation, invocation.run(work))


def _setting(words: tuple[str, ...], reason: str | None, expires: datetime | None) -> OverrideSet:
    from flagconsole.cli.asking import ask
    from flagconsole.domain.requests import OverrideSet

    if not words:
        raise click.UsageError("give a STATE, or --remove", click.get_current_context())
    try:
        state = OVERRIDE_STATE.convert(words[0], None, click.get_current_context())
    except click.BadParameter as error:
        error.param_hint = "'STATE'"
        raise
    return ask(
        OverrideSet,
        override_state=state,
        override_reason=one_reason(words[1:], reason, NO_REASON),
        expires_at=expires,
    )


def _removal(words: tuple[str, ...], reason: str | None, expires: datetime | None) -> OverrideRemove:
    from flagconsole.cli.asking import ask
    from flagconsole.domain.requests import OverrideRemove

    if expires is not None:
        raise click.UsageError("--remove takes effect at once: it takes no --expires", click.get_current_context())
    return ask(OverrideRemove, override_reason=one_reason(words, reason, NO_REASON))
