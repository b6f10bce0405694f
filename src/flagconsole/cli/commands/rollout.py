"""``start``, ``promote``, ``hold``, ``resume``, ``abort``, ``canary-status``: rollouts by plan."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from flagconsole.cli.invocation import Invocation, changes, prints
from flagconsole.cli.output import age, moment, print_json, print_table, say
from flagconsole.cli.parameters import FLAG, PLAN
from flagconsole.cli.reason import with_reason
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.table import Cell
    from flagconsole.cli.target import Target
    from flagconsole.domain.rollout import Rollout
    from flagconsole.domain.rollout_requests import RolloutStart
    from flagconsole.domain.rollout_views import RolloutResult

#: Seconds between two prints of ``canary-status --watch``.
_WATCH_SECONDS: Final = 5.0


@click.command("start", epilog='Example: flagconsole start pos.lite "shadow tests are green" --plan default')
@click.argument("flag", type=FLAG)
@click.option(
    "--plan", "plan", type=PLAN, metavar="NAME|FILE", help="A shipped plan (default, demo) or a file [the flag's own]."
)
@click.option("--checked", is_flag=True, help="Tick what is missing of the pre-canary checklist, in your name.")
@with_reason
@changes
def start(invocation: Invocation, flag: str, plan: str | None, checked: bool, reason: str) -> None:
    """Begin a rollout of FLAG in the first phase of its plan."""
    body = _start_body(flag, plan, checked, reason)

    async def work(backend: Backend, target: Target) -> RolloutResult:
        seen = await backend.flag(flag)
        return await backend.start_rollout(
            flag,
            body,
            version=seen.flag.version,
            idempotency_key=invocation.idempotency_key,
            dry_run=invocation.dry_run,
        )

    result = invocation.run(work)
    _print(invocation, result)
    if not invocation.as_json:
        _print_comparisons(result.rollout)


def _print_comparisons(rollout: Rollout) -> None:
    """What the plan's limits don't tell: that its canaries are compared with their control besides."""
    phase = next((phase for phase in rollout.plan.phases if phase.against_control), None)
    if phase is not None:
        say(f"besides its limits, {safe_text(phase.name)} will be compared with its control:")
        for compared in phase.against_control:
            say(f"  {compared}")


def _start_body(flag: str, plan: str | None, checked: bool, reason: str) -> RolloutStart:
    from flagconsole.cli.asking import ask
    from flagconsole.cli.plan_option import asked_plan
    from flagconsole.domain.rollout_requests import RolloutStart

    return ask(RolloutStart, start_reason=reason, checked=checked, **asked_plan(flag, plan))


@click.command("promote", epilog='Example: flagconsole promote pos.lite "it passes, as planned" --checked')
@click.argument("flag", type=FLAG)
@click.option("--past-verdict", is_flag=True, help="Also where the phase doesn't pass (admins; the log says so).")
@click.option("--checked", is_flag=True, help="Tick what is missing of the pre-canary checklist, in your name.")
@with_reason
@changes
def promote(invocation: Invocation, flag: str, past_verdict: bool, checked: bool, reason: str) -> None:
    """Take the rollout of FLAG to its next phase."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.rollout_requests import Promote

    body = ask(Promote, promote_reason=reason, past_verdict=past_verdict, checked=checked)

    async def work(backend: Backend, target: Target) -> RolloutResult:
        seen = await backend.flag(flag)
        return await backend.promote(
            flag,
            body,
            version=seen.flag.version,
            idempotency_key=invocation.idempotency_key,
            dry_run=invocation.dry_run,
        )

    _print(invocation, invocation.run(work))


@click.command("hold")
@click.argument("flag", type=FLAG)
@click.option("--freeze-exposure", is_flag=True, help="Also keep everyone from raising its exposure.")
@with_reason
@changes
def hold(invocation: Invocation, flag: str, freeze_exposure: bool, reason: str) -> None:
    """Keep the rollout of FLAG from promoting. It is still judged, and rolled back if it fails."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.rollout_requests import Hold

    body = ask(Hold, hold_reason=reason, freeze_exposure=freeze_exposure)

    async def work(backend: Backend, target: Target) -> RolloutResult:
        return await backend.hold(flag, body, idempotency_key=invocation.idempotency_key, dry_run=invocation.dry_run)

    _print(invocation, invocation.run(work))


@click.command("resume")
@click.argument("flag", type=FLAG)
@with_reason
@changes
def resume(invocation: Invocation, flag: str, reason: str) -> None:
    """Let the rollout of FLAG go on."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.rollout_requests import Resume

    body = ask(Resume, resume_reason=reason)

    async def work(backend: Backend, target: Target) -> RolloutResult:
        return await backend.resume(flag, body, idempotency_key=invocation.idempotency_key, dry_run=invocation.dry_run)

    _print(invocation, invocation.run(work))


@click.command("abort")
@click.argument("flag", type=FLAG)
@with_reason
@changes
def abort(invocation: Invocation, flag: str, reason: str) -> None:
    """End the rollout of FLAG and leave the flag as it is."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.rollout_requests import Abort

    body = ask(Abort, abort_reason=reason)

    async def work(backend: Backend, target: Target) -> RolloutResult:
        return await backend.abort(flag, body, idempotency_key=invocation.idempotency_key, dry_run=invocation.dry_run)

    _print(invocation, invocation.run(work))


@click.command("canary-status")
@click.option("--watch", is_flag=True, help="Print it again every few seconds, until interrupted.")
@prints
def canary_status(invocation: Invocation, watch: bool) -> None:
    """Show the rollouts that are under way: phase, time left, verdict, the criterion nearest to failing, and why."""

    async def work(backend: Backend, target: Target) -> None:
        while True:
            rollouts = (await backend.rollouts(active=True)).rollouts
            if watch and not invocation.as_json:
                if sys.stdout.isatty():
                    click.clear()
                say(moment(datetime.now(UTC)))
            _print_rollouts(invocation, rollouts)
            if not watch:
                return
            await asyncio.sleep(_WATCH_SECONDS)

    invocation.run(work)


def _print_rollouts(invocation: Invocation, rollouts: tuple[Rollout, ...]) -> None:
    if invocation.as_json:
        print_json({"rollouts": [rollout.model_dump(mode="json") for rollout in rollouts]})
    elif not rollouts:
        say('no rollout is under way; start one with: flagconsole start FLAG "reason"')
    else:
        header = ("FLAG", "PHASE", "%", "LEFT", "VERDICT", "LOOKED AT", "NEAREST TO FAILING", "WHY")
        print_table(header, [_row(rollout) for rollout in rollouts])


def _row(rollout: Rollout) -> list[Cell | str]:
    from flagconsole.cli.monitor_report import GLYPHS, criterion_line
    from flagconsole.domain.nearness import nearest_to_failing

    verdict, phase = rollout.verdict, rollout.current_phase
    said = "╌ not judged yet" if verdict is None else GLYPHS[verdict.kind]
    nearest = None if verdict is None else nearest_to_failing(verdict.criteria)
    near = "–" if nearest is None else criterion_line(nearest)
    # A verdict without its time could be of an hour ago.
    looked = "–" if rollout.looked_at is None else f"{age(rollout.looked_at, datetime.now(UTC))} ago"
    why = rollout.pause_reason or ("" if verdict is None else verdict.because)
    if rollout.status.value == "rolling_back":
        said, left = f"{said}, rolling back", "–"  # no time is left that it could pass in
    else:
        said += ", held" if rollout.progression_paused else ""
        left = _duration(max(0.0, phase.min_seconds - rollout.fresh_seconds))
    return [rollout.flag_name, rollout.phase, f"{phase.percentage} %", left, said, looked, near, why]


def _duration(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _print(invocation: Invocation, result: RolloutResult) -> None:
    if invocation.as_json:
        print_json(result)
        return
    rollout = result.rollout
    would = "would be " if result.dry_run else ""
    held = f", held: {safe_text(rollout.pause_reason)}" if rollout.progression_paused else ""
    say(
        f"{rollout.flag_name}: {would}{rollout.status.value} in {safe_text(rollout.phase)} of {rollout.plan.name}{held}"
    )
