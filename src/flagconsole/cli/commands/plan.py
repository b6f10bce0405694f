"""``plan``: checking plan files, and the schema that they follow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import say
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.domain.plan import Phase


@click.group("plan", cls=SuggestingGroup)
def plan() -> None:
    """Check plans, and print their schema."""


@plan.command("check")
@click.argument("source", metavar="NAME|FILE")
@click.option("--flag", metavar="FLAG", help="Show the plan as it applies to this flag.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def check(source: str, flag: str | None, as_json: bool) -> None:
    """Check a plan and show its phases. A mistake is named by line, field and value; exit code 2."""
    from flagconsole.cli.output import print_json
    from flagconsole.cli.plan_option import read_text
    from flagconsole.operations.plan_file import SHIPPED, parse_plan, shipped_plan

    found = shipped_plan(source) if source in SHIPPED else parse_plan(read_text(source), source)
    meant = found.plan if flag is None else found.for_flag(flag)
    if as_json:
        print_json(meant)
        return
    promotes = "promotes by itself" if meant.auto_promote else "people promote"
    rolls_back = "rolls back by itself" if meant.auto_rollback else "people roll back"
    say(f"{safe_text(meant.name)}: {len(meant.phases)} phase{'s' * (len(meant.phases) != 1)}, {promotes}, {rolls_back}")
    for phase in meant.phases:
        say(_line(phase))
        for word, limits in (("success", phase.success), ("rollback", phase.rollback)):
            if limits:
                said = ", ".join(limit.describe() + _plain(limit.evidence.value) for limit in limits)
                say(f"    {word}: {said}")
    for name, metric in meant.metrics.items():
        say(f"  {name} from Prometheus: {safe_text(' '.join(metric.query.split()), 300)}")
    if flag is None and found.flags:
        say(f"own criteria: {', '.join(sorted(found.flags))}")


def _line(phase: Phase) -> str:
    least = f"{phase.min_hours:g} h" if phase.min_hours >= 1 else f"{phase.min_hours * 60:g} min"
    return (
        f"  {safe_text(phase.name)}: {phase.kind.value} {phase.percentage} %, {least} at least, "
        f"{phase.min_operations} operations of {phase.min_tenants} tenants, a look every {phase.tick_seconds} s"
    )


def _plain(evidence: str) -> str:
    return " (plain threshold)" if evidence == "threshold" else ""


@plan.command("schema")
@click.option("--json", is_flag=True, expose_value=False, help="The same: it is JSON.")
def schema() -> None:
    """Print the JSON Schema of plan files, for editors and CI."""
    from flagconsole.operations.plan_schema import plan_schema

    say(json.dumps(plan_schema(), indent=2))
