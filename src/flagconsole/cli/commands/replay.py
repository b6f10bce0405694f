"""``replay``: what another plan would have said of a rollout, beside what really happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.output import moment, print_json, say, talk
from flagconsole.cli.parameters import FLAG, PLAN
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.replay import Looks, PhaseReplay, Replay, RollbackMade


@click.command("replay")
@click.argument("flag", type=FLAG)
@click.option("--rollout", "rollout_id", metavar="ID", help="This rollout [the newest].")
@click.option("--plan", type=PLAN, metavar="NAME|FILE", help="Judge by this plan [the rollout's own].")
@prints
def replay(invocation: Invocation, flag: str, rollout_id: str | None, plan: str | None) -> None:
    """Judge the past of a rollout of FLAG by another plan. Changes nothing."""
    from flagconsole.cli.asking import ask
    from flagconsole.cli.plan_option import asked_plan
    from flagconsole.domain.rollout_requests import ReplayAsk

    body = ask(ReplayAsk, rollout_id=rollout_id, **asked_plan(flag, plan))

    async def work(backend: Backend, target: Target) -> Replay:
        return await backend.replay(flag, body)

    found = invocation.run(work)
    if invocation.as_json:
        print_json(found)
        return
    for line in _lines(found):
        say(line)
    if not found.complete:
        talk("not all of it was judged: the time for it was over")


def _lines(found: Replay) -> Iterator[str]:
    ended = (
        "under way" if found.ended_at is None else f"{found.status.value.replace('_', ' ')} {moment(found.ended_at)}"
    )
    yield f"{found.flag_name}: rollout {found.rollout_id} by {safe_text(found.plan_name)}, {moment(found.started_at)}, {ended}"
    yield f"judged again by {safe_text(found.replayed_with)}"
    for phase in found.phases:
        yield ""
        yield from _phase(phase)


def _phase(phase: PhaseReplay) -> Iterator[str]:
    yield f"{safe_text(phase.phase)}  {moment(phase.since)} to {moment(phase.until)}"
    yield f"  really  {_looks(phase.really)}"
    yield from _because(phase.really)
    yield f"          {_done(phase.promoted_at, phase.rolled_back)}"
    if phase.would is None:
        yield f"  would   not judged: {safe_text(phase.unjudged)}"
        return
    other = "" if phase.judged_as in {None, phase.phase} else f" (as {safe_text(phase.judged_as)})"
    yield f"  would   {_looks(phase.would)}{other}"
    yield from _because(phase.would)
    if phase.would_roll_back is None and phase.would_pass_at is not None and not phase.would_promote:
        yield f"          could have been promoted by hand from {moment(phase.would_pass_at)} on"
    else:
        yield f"          {_done(phase.would_pass_at, phase.would_roll_back)}"
    for note in phase.notes:
        yield f"          note: {safe_text(note)}"


def _looks(looks: Looks) -> str:
    if not looks.counts:
        return "no looks"
    return ", ".join(
        f"{kind.value.replace('_', ' ')} {times}× from {moment(looks.first[kind])}"
        for kind, times in looks.counts.items()
    )


def _because(looks: Looks) -> Iterator[str]:
    if looks.first_fail_because:
        yield f"          first fail: {safe_text(looks.first_fail_because)}"


def _done(promoted_at: datetime | None, rolled_back: RollbackMade | None) -> str:
    if rolled_back is not None:
        return f"rolled back {moment(rolled_back.at)} by {safe_text(rolled_back.playbook)}"
    return "neither promoted nor rolled back" if promoted_at is None else f"promoted {moment(promoted_at)}"
