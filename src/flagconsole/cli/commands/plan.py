"""``plan``: what applying a file would change; and checking rollout plans, and the schema that they follow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.output import print_json, say, say_whole
from flagconsole.cli.parameters import FILE, PLAN
from flagconsole.domain.errors import ExitCode
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.environment import EnvironmentPlan
    from flagconsole.domain.plan import Phase


class PlanGroup(click.Group):
    """Takes what is no command of its own for a file of an environment."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """``check``, ``schema``, or the command that plans a file."""
        if args and args[0] in {"check", "schema"}:
            return super().resolve_command(ctx, args)
        return "FILE", self.commands["FILE"], args

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Both uses."""
        formatter.write_usage(ctx.command_path, "[--prune] [--detailed-exitcode] FILE | check … | schema")


@click.group("plan", cls=PlanGroup, context_settings={"ignore_unknown_options": True})
def plan() -> None:
    """Show what applying a FILE would change; or check a rollout plan.

    FILE is YAML or JSON as export writes it. The plan's hash is what apply asks for. With --prune, flags and overrides that
    the file's lists don't name go too. With --detailed-exitcode it ends with 14 where something would change.
    """


@plan.command("FILE", hidden=True)
@click.argument("file", type=FILE, metavar="FILE")
@click.option("--prune", is_flag=True, help="Also remove what the file's lists don't name.")
@click.option("--detailed-exitcode", is_flag=True, help="End with 14 where something would change.")
@prints
def plan_of_file(invocation: Invocation, file: str, prune: bool, detailed_exitcode: bool) -> None:
    """Show what applying FILE would change (- for standard input). Changes nothing."""
    from flagconsole.cli.environment_report import apply_command, read_request, show

    request = read_request(file, prune=prune)

    async def work(backend: Backend, target: Target) -> EnvironmentPlan:
        return await backend.plan(request)

    found = invocation.run(work)
    if invocation.as_json:
        print_json(found)
    else:
        show(found)
        if found.changed:
            say(f"To do exactly this: {apply_command(file, prune, found.plan_hash)}")
    click.get_current_context().exit(ExitCode.DIFFERS if detailed_exitcode and found.changed else ExitCode.OK)


@plan.command("check")
@click.argument("source", type=PLAN, metavar="NAME|FILE")
@click.option("--flag", metavar="FLAG", help="Show the plan as it applies to this flag.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def check(source: str, flag: str | None, as_json: bool) -> None:
    """Check a plan and show its phases. A mistake is named by line, field and value; exit code 2."""
    from flagconsole.cli.plan_option import read_text
    from flagconsole.domain.against_control import OF_ONE_PHASE
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
        for compared in phase.against_control[:OF_ONE_PHASE]:
            say(f"    besides, against control: {compared}")
    for compared in next((phase.against_control[OF_ONE_PHASE:] for phase in meant.phases if phase.against_control), ()):
        say(f"  in canaries, against control: {compared}")
    for name, metric in meant.metrics.items():
        say(f"  {name} from Prometheus: {safe_text(' '.join(metric.query.split()), 300)}")
    if flag is None and found.flags:
        say(f"own criteria: {', '.join(sorted(found.flags))}")


def _line(phase: Phase) -> str:
    least = f"{phase.min_hours:g} h" if phase.min_hours >= 1 else f"{phase.min_hours * 60:g} min"
    by_default = "" if phase.model_fields_set & {"min_operations", "min_tenants"} else " (by default)"
    return (
        f"  {safe_text(phase.name)}: {phase.kind.value} {phase.percentage} %, {least} at least, "
        f"{phase.min_operations} operations of {phase.min_tenants} tenants{by_default}, a look every {phase.tick_seconds} s"
    )


def _plain(evidence: str) -> str:
    return " (plain threshold)" if evidence == "threshold" else ""


@plan.command("schema")
@click.option("--json", is_flag=True, expose_value=False, help="The same: it is JSON.")
def schema() -> None:
    """Print the JSON Schema of plan files, for editors and CI."""
    from flagconsole.operations.plan_schema import plan_schema

    say_whole(json.dumps(plan_schema(), indent=2))
