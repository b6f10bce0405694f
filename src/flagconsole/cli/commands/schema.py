"""``schema``: what an editor checks files by."""

from __future__ import annotations

import json

import click

from flagconsole.cli.output import say


@click.command("schema")
@click.argument("kind", type=click.Choice(["flags", "plan", "playbook"]), metavar="flags|plan|playbook")
@click.option("--json", is_flag=True, expose_value=False, help="The same: it is JSON.")
def schema(kind: str) -> None:
    """Print the JSON Schema of a kind of file, for editors and CI."""
    say(json.dumps(_schema_of(kind), indent=2))


def _schema_of(kind: str) -> dict[str, object]:
    if kind == "plan":
        from flagconsole.operations.plan_schema import plan_schema

        return plan_schema()
    if kind == "playbook":
        from flagconsole.operations.playbook_schema import playbook_schema

        return playbook_schema()
    from flagconsole.operations.environment_schema import environment_schema

    return environment_schema()
