"""What stands below the canary dashboard's charts: who has confirmed, and what happened last. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flagconsole.console.ages import age_text, moment_text, quiet_age_role
from flagconsole.console.arrival import CANT_CONFIRM, arrival, names
from flagconsole.console.figures import OUTCOME_ROLE, OUTCOME_SIGN, OUTCOME_WORD
from flagconsole.console.glyphs import EMPTY, FULL
from flagconsole.console.line import Line, cut, joined, line
from flagconsole.console.safe import span
from flagconsole.console.state import ConsoleState
from flagconsole.console.verdicts import VerdictRow


def receipts_line(state: ConsoleState, now: float, width: int) -> Line:
    """How many instances have confirmed the newest revision, how old the oldest sign of life is, and who is behind."""
    expected = state.expected
    if not expected:
        return line(span(" SDK  no running instance is known: nobody can confirm a change", "warning"))
    found = arrival(expected, state.epoch, state.revision)
    behind, done = found.behind, len(found.confirmed)
    cells = min(found.able, 24 if width >= 100 else 12)
    filled = done * cells // max(1, found.able)
    oldest = min(expected, key=lambda row: row.last_seen)
    age = max(0.0, now - oldest.last_seen)
    parts = [
        line(span(f" SDK {done}/{found.able} at rev {state.revision}", "good" if not behind else "warning")),
        line(span(FULL * filled + EMPTY * (cells - filled), "good" if not behind else "warning")),
    ]
    if behind:
        longest = sorted(behind, key=lambda row: row.last_seen)
        parts.append(line(span("behind: ", "warning"), span(names(longest))))
    if found.told:
        parts.append(line(span(f"+ {len(found.told)} {CANT_CONFIRM}", "warning")))
    parts.append(
        line(
            span(f"oldest sign of life {age_text(age)}", quiet_age_role(age)), span(f" ({oldest.instance_id})", "muted")
        )
    )
    return cut(joined(parts), width)


def _verdict_events(looks: Sequence[VerdictRow], who: str) -> Iterator[tuple[float, Line]]:
    """The looks, newest first, that say something else than the one before."""
    for index, look in enumerate(looks):
        before = looks[index + 1] if index + 1 < len(looks) else None
        if before is not None and (before.kind, before.phase, before.urgency) == (look.kind, look.phase, look.urgency):
            continue
        if before is None and index:
            continue  # the oldest one that is known may just as well have been so for days
        sign = span(f"{OUTCOME_SIGN[look.shown]} {OUTCOME_WORD[look.shown]}", OUTCOME_ROLE[look.shown])
        yield look.at, line(who, sign, span(f"  {look.because}", "muted"))


def event_rows(state: ConsoleState, flag_name: str, now: float, most: int) -> list[Line]:
    """What happened last to the rollout and its flag, newest first: steps, verdicts that differ from the one before,
    changes."""
    found: list[tuple[float, Line]] = []
    story, rollout = state.stories.get(flag_name), state.rollouts.get(flag_name)
    if story is not None and rollout is not None and story.rollout_id == rollout.rollout_id:
        for step in story.steps:
            what = step.step.split(" ")[0] if step.step.startswith(("hold ", "resume ")) else step.step
            found.append((step.at, line(span(step.by), " ", span(what, "strong"), span(f"  {step.note}", "muted"))))
    known = state.verdicts.get(flag_name, ())
    # A rollback's watch looks beside the judge of the phase: what differs is told of each by itself.
    for since in dict.fromkeys(look.watched_since for look in known):
        looks = [look for look in known if look.watched_since == since]
        found += _verdict_events(looks, "judge " if since is None else "watch ")
    for change in state.history:
        if change.flag_name == flag_name:
            what = f"{change.before} → {change.after}"
            found.append(
                (change.at, line(span(change.who), " ", span(what, "strong"), span(f"  “{change.reason}”", "muted")))
            )
    found.sort(key=lambda item: -item[0])
    rows = [line(span(f" {moment_text(at, now)} ", "muted"), *row) for at, row in found[:most]]
    return rows or [line(span(" nothing has happened to it yet", "muted"))]
