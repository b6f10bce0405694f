"""``keys``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import moment, print_json, print_table, say, talk, when
from flagconsole.cli.parameters import MOMENT, OneOf
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from datetime import datetime

    from flagconsole.cli.backend import Backend
    from flagconsole.cli.table import Cell
    from flagconsole.cli.target import Target
    from flagconsole.domain.role import ApiKey
    from flagconsole.domain.views import KeyList, NewKey

_ROLES = ("sdk", "viewer", "operator", "admin")


@click.group("keys", cls=SuggestingGroup)
def keys() -> None:
    """Make, list, rotate and revoke API keys.

    A viewer looks, an operator also kills and lowers exposure, an admin does everything; services use sdk keys.
    """


@keys.command("create")
@click.argument("name")
@click.option("--role", type=OneOf(_ROLES), required=True, help="What the key may do.")
@click.option("--for-tenant", metavar="ID", help="Bind the key to this tenant.")
@click.option("--expires", type=MOMENT, metavar="ISO8601", help="When the key stops working by itself.")
@prints
def create(invocation: Invocation, name: str, role: str, for_tenant: str | None, expires: datetime | None) -> None:
    """Make a key called NAME and print it, this once."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.requests import KeyCreate

    request = ask(KeyCreate, name=name, role=role, tenant_id=for_tenant, expires_at=expires)

    async def work(backend: Backend, target: Target) -> NewKey:
        return await backend.create_key(request)

    _show(invocation, invocation.run(work, create=True))


def _show(invocation: Invocation, made: NewKey) -> None:
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
        print_table(["ID", "NAME", "ROLE", "TENANT", "CREATED", "BY", "ENDS"], [_row(key) for key in found.keys])
    else:
        talk("there are no keys")


def _row(key: ApiKey) -> list[Cell | str]:
    ends = "" if key.expires_at is None else moment(key.expires_at)
    if key.replaced_by is not None:
        ends += f" (rotated to {key.replaced_by})"
    if key.revoked_at is not None:
        ends = f"revoked {moment(key.revoked_at)}" + ("" if key.revoked_by is None else f" by {key.revoked_by}")
    return [
        key.key_id,
        key.name,
        key.role.value,
        key.tenant_id or "",
        when(key.created_at),
        key.created_by,
        ends,
    ]


@keys.command("rotate")
@click.argument("key_id", metavar="ID")
@click.option(
    "--overlap", default="1h", show_default=True, metavar="DURATION", help="How long the old key still works."
)
@prints
def rotate(invocation: Invocation, key_id: str, overlap: str) -> None:
    """Make the key that takes the place of this one and print it, this once. The old one works until the overlap is over."""
    from flagconsole.domain.duration import parse_duration
    from flagconsole.domain.requests import LONGEST_OVERLAP, KeyRotate

    request = KeyRotate(overlap_seconds=parse_duration(overlap, "overlap", least=0, most=LONGEST_OVERLAP))

    async def work(backend: Backend, target: Target) -> NewKey:
        return await backend.rotate_key(key_id, request)

    _show(invocation, invocation.run(work))


@keys.command("revoke")
@click.argument("key_id", metavar="ID")
@prints
def revoke(invocation: Invocation, key_id: str) -> None:
    """Make a key invalid, at once and for ever; its open streams end. Never the last admin's."""

    async def work(backend: Backend, target: Target) -> ApiKey:
        return await backend.revoke_key(key_id)

    key = invocation.run(work)
    if invocation.as_json:
        print_json(key)
    else:
        say(f"{key.key_id} ({safe_text(key.name, 200)}) is revoked")
