"""``demo``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from flagconsole.cli.output import print_json, say
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.demo.talk import Talk

#: ``demo.scenario.Scenario``, which must not be imported to answer ``--help``.
SCENARIOS: Final = ("healthy", "errors", "latency", "criticals", "tickets", "incident-for-all", "no-data")

#: Seconds that the whole demo gets to end once its terminal was taken away, or it was told to: services, server and folder go with it.
_GRACE: Final = 30.0


@click.command("demo")
@click.option(
    "--scenario",
    type=click.Choice(SCENARIOS),
    help="What happens to the canary of invoices.payment_links  [errors in the console]",
)
@click.option(
    "--auto-rollback/--no-auto-rollback", default=True, help="Whether a failing canary is rolled back, or left to you."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed simulates the same fleet.")
@click.option("--headless", is_flag=True, help="No console: run a scenario, or kill one flag halfway; report.")
@click.option(
    "--seconds",
    type=click.FloatRange(1, 3600),
    help="How long, headless: in all [10], or after the scenario's fault [until its outcome is known].",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--mouse", is_flag=True, help="Use the mouse in the console.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters only.")
@click.option("--theme", metavar="NAME", help="The console's theme.")
def demo(
    scenario: str | None,
    auto_rollback: bool,
    seed: int,
    headless: bool,
    seconds: float | None,
    as_json: bool,
    mouse: bool,
    ascii_only: bool,
    theme: str | None,
) -> None:
    """Start a store, a server, 12 instances of 4 services and the console, all temporary.

    Three rollouts go by a plan, and three more canaries were set by hand. With the scenario errors (the console's
    default) one of the canaries begins to fail twenty seconds after the console opens; the others are latency,
    criticals, tickets, incident-for-all (not the canary's fault), no-data and healthy. With --no-auto-rollback
    stopping it is up to you.

    Without a terminal it runs headless for 10 seconds, kills one flag halfway and reports what came of it; with --scenario
    it runs until the outcome is known. Exits with 8 when not every instance confirmed that kill, or the scenario did not
    do what it should. While it runs, every other command reaches its store from another terminal with --store demo:
    flagconsole history --store demo
    """
    manners: dict[str, Any] = {"mouse": mouse, "ascii_only": ascii_only, "theme": theme}
    if headless or not _has_terminal():
        code = _headless(seconds, seed, scenario, auto_rollback=auto_rollback, as_json=as_json)
    elif seconds is not None:
        raise click.UsageError("--seconds is for --headless: in the terminal the demo runs until you quit")
    else:
        from flagconsole.console.guardian import stand_guard
        from flagconsole.console.quiet_terminal import quiet_terminal

        stand_guard(_GRACE, interrupts=False)
        with quiet_terminal():
            code = _in_terminal(seed, scenario, auto_rollback=auto_rollback, manners=manners)
    click.get_current_context().exit(code)


def _in_terminal(seed: int, scenario: str | None, *, auto_rollback: bool, manners: dict[str, Any]) -> int:
    talk = _beginning()
    from flagconsole.demo import run
    from flagconsole.demo.scenario import Scenario

    shown = Scenario(scenario or "errors")
    return run.in_terminal(seed, shown, auto_rollback=auto_rollback, tell=talk, **manners)


def _headless(seconds: float | None, seed: int, scenario: str | None, *, auto_rollback: bool, as_json: bool) -> int:
    talk = _beginning()
    from flagconsole.demo import run
    from flagconsole.demo.scenario import Scenario

    if not auto_rollback:
        raise click.UsageError("--no-auto-rollback leaves the rollback to somebody at the console: not headless")
    summary = run.headless(seconds, seed, None if scenario is None else Scenario(scenario), tell=talk)
    if as_json:
        print_json(summary)
    else:
        _print(summary)
    return run.exit_code_of(summary)


def _beginning() -> Talk:
    from flagconsole.demo.talk import Talk

    talk = Talk()
    talk("flagconsole demo: everything is temporary, and goes when it ends")
    return talk


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _print(summary: dict[str, Any]) -> None:
    say(f"{summary['flags']} flags, {summary['tenants']} tenants, {summary['instances']} instances")
    if summary["scenario"] is None:
        say(
            f"{summary['operations']} operations; {summary['killed_flag']} killed at revision {summary['kill_revision']}"
        )
    else:
        _print_scenario(summary)
    receipts: dict[str, float] = summary["receipts_ms"]
    if receipts:
        slowest = max(receipts.values())
        say(f"confirmed by {len(receipts)} of {summary['instances']} instances, the slowest after {slowest:.0f} ms")
    for name, milliseconds in sorted(receipts.items(), key=lambda item: item[1]):
        say(f"  {safe_text(name, 80)}  {milliseconds:.1f} ms")
    if summary["operations_after_last_receipt"] is not None:
        say(f"{summary['operations_after_last_receipt']} operations of it after the last confirmation")
    say("the log's hash chain holds" if summary["audit_verified"] else "the log's hash chain is BROKEN")


def _print_scenario(summary: dict[str, Any]) -> None:
    from flagconsole.demo.trial import misbehaved

    say(f"{summary['operations']} operations; scenario {summary['scenario']}")
    if summary["fault_at_s"] is not None:
        say(f"fault at {summary['fault_at_s']:.0f} s; {summary['operations_affected'] or 0} operations met it")
    if summary["verdict_failed_at_s"] is not None:
        say(f"verdict fail at {summary['verdict_failed_at_s']:.0f} s: {safe_text(summary['because'], 300)}")
    else:
        say(f"verdict {summary['verdict']}, {summary['phase']} {summary['rollout']}")
    if summary["rolled_back"]:
        took = (
            "not restored" if summary["restoration_s"] is None else f"restored after {summary['restoration_s']:.0f} s"
        )
        say(f"rolled back by {summary['playbook']}, incident {summary['incident_id']}, {took}")
    wrong = misbehaved(summary)
    for problem in wrong:
        say(f"MISBEHAVED: {safe_text(problem, 300)}")
    if not wrong:
        say("as it should")
