"""``keys``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import moment, print_json, print_table, say, talk
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.role import ApiKey
    from flagconsole.domain.views import KeyList, NewKey

_ROLES = ("sdk", "viewer", "operator", "admin")


@click.group("keys", cls=SuggestingGroup)
def keys() -> None:
    """Make, list and revoke API keys.

    A viewer looks, an operator also kills and lowers exposure, an admin does everything; services use sdk keys.
    """


@keys.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), required=True, help="What the key may do.")
@click.option("--for-tenant", metavar="ID", help="Bind the key to this tenant.")
@prints
def create(invocation: Invocation, name: str, role: str, for_tenant: str | None) -> None:
    """Make a key called NAME and print it, this once."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.requests import KeyCreate

    request = ask(KeyCreate, name=name, role=role, tenant_id=for_tenant)

    async def work(backend: Backend, target: Target) -> NewKey:
        return await backend.create_key(request)

    made = invocation.run(work, create=True)
    if invocation.as_json:
        print_json(made)
        return
    say(made.secret)
    talk(f"this is the only time the key is shown; its id is {made.api_key.key_id}")


@keys.command("list")
@prints
def list_keys(invocation: Invocation) -> None:
    """List the keys; what they are is never shown."""

    async def work(backend: Backend, target: Target) -> KeyList:
        return await backend.keys()

    found = invocation.run(work)
    if invocation.as_json:
        print_json(found)
    elif found.keys:
        print_table(["ID", "NAME", "ROLE", "TENANT", "CREATED", "BY", "REVOKED"], [_row(key) for key in found.keys])
    else:
        talk("there are no keys")


def _row(key: ApiKey) -> list[str]:
    revoked = "" if key.revoked_at is None else moment(key.revoked_at)
    return [
        key.key_id,
        key.name,
        key.role.value,
        key.tenant_id or "",
        moment(key.created_at),
        key.created_by,
        revoked,
    ]


@keys.command("revoke")
@click.argument("key_id", metavar="ID")
@prints
def revoke(invocation: Invocation, key_id: str) -> None:
    """Make a key invalid, at once and for ever."""

    async def work(backend: Backend, target: Target) -> ApiKey:
        return await backend.revoke_key(key_id)

    key = invocation.run(work)
    if invocation.as_json:
        print_json(key)
    else:
        say(f"{key.key_id} ({safe_text(key.name, 200)}) is revoked")
