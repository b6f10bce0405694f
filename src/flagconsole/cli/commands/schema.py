"""``schema``: what an editor checks files by."""

from __future__ import annotations

import json
from typing import Final

import click

from flagconsole.cli.output import say_whole

KINDS: Final = ("flags", "plan", "playbook", "bulk-set", "tenants", "response")


@click.command("schema")
@click.argument("kind", type=click.Choice(KINDS), metavar="|".join(KINDS))
@click.option("--json", is_flag=True, expose_value=False, help="The same: it is JSON.")
def schema(kind: str) -> None:
    """Print the JSON Schema of a kind of file, for editors and CI."""
    say_whole(json.dumps(_schema_of(kind), indent=2))


def _schema_of(kind: str) -> dict[str, object]:
    if kind == "plan":
        from flagconsole.operations.plan_schema import plan_schema

        return plan_schema()
    if kind == "playbook":
        from flagconsole.operations.playbook_schema import playbook_schema

        return playbook_schema()
    if kind == "bulk-set":
        from flagconsole.operations.bulk_schema import bulk_schema

        return bulk_schema()
    if kind == "tenants":
        from flagconsole.operations.tenant_schema import tenant_schema

        return tenant_schema()
    if kind == "response":
        from flagconsole.rollout.response_schema import response_schema

        return response_schema()
    from flagconsole.operations.environment_schema import environment_schema

    return environment_schema()
