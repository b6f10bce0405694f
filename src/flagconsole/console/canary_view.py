"""What the canary dashboard says above its charts, as rows: the plan's phases, the criteria, the verdict and why.

Pure functions of the state and the server's time, without Textual.
"""

from __future__ import annotations

from typing import Final

from flagconsole.console.ages import age_text, ago_words, quiet_age_role
from flagconsole.console.figures import (
    NOTHING,
    OUTCOME_ROLE,
    OUTCOME_SIGN,
    OUTCOME_WORD,
    control_text,
    delta_text,
    duration_text,
    interval_text,
    metric_label,
    unit_of,
    value_text,
)
from flagconsole.console.glyphs import DONE
from flagconsole.console.line import Line, cell, cut, cut_text, joined, line, line_width, text_of, wrapped
from flagconsole.console.rollouts import RolloutRow
from flagconsole.console.rows import FlagRow
from flagconsole.console.rulings import Ruling, rulings
from flagconsole.console.safe import Span, span
from flagconsole.console.state import ConsoleState
from flagconsole.console.verdicts import FAIL, PASS, VerdictRow, failing_since
from flagconsole.console.widgets.virtual_table import Column, fitted, heading_line, row_line
from flagconsole.domain.duration import length_text, part_of, rest_text
from flagconsole.domain.states import FlagState

#: The group that is judged, by the phase's kind.
_JUDGED: Final = {"shadow": "SHADOW", "canary": "CANARY", "full": "EVERYONE", "cleanup": "EVERYONE"}
#: How a rollout stands, in words.
_STATUS: Final = {
    "running": ("RUNNING", "good"),
    "rolling_back": ("ROLLING BACK", "danger"),
    "completed": ("COMPLETED", "good"),
    "rolled_back": ("ROLLED BACK", "danger"),
    "aborted": ("ABORTED", "warning"),
    "killed": ("KILLED", "danger"),
}
TOP_TENANTS: Final = 3
#: What the tenants that contribute most to a metric have most of.
_COUNTED_OF: Final = {
    "success_rate": "failed operations",
    "error_rate": "errors",
    "critical_errors": "critical errors",
    "latency_p95": "slow operations",
    "latency_p99": "slow operations",
    "p95_regression": "slow operations",
    "ticket_increase": "tickets",
}
#: With fewer tenants than this by chance in the canary, too few other cohorts differ from it for much to be proven.
FEW_BY_CHANCE: Final = 20


def title_line(flag: FlagRow, rollout: RolloutRow | None, width: int) -> Line:
    """Which flag, version, setting, plan, owner: as many of these as there is room for, none of them in part."""
    facts = [f"v{flag.version}", flag.setting]
    if rollout is not None:
        facts += [f"plan {rollout.plan}", f"started by {rollout.started_by}"]
    facts += [f"owner {flag.owner}"] if flag.owner else []
    name = span(f" {flag.name}  ", "strong")
    return line(name, *_whole_facts([line(span(fact, "muted")) for fact in facts], width - line_width((name,))))


def rail_line(rollout: RolloutRow, width: int) -> Line:
    """The plan's phases: done, the one that runs with its fresh time, to come. Where room is short, the times go first."""
    for detail in (2, 1, 0):
        parts = [_phase_part(rollout, index, detail) for index in range(len(rollout.phases))]
        row = line(" ", *joined(parts, " ── " if detail else "  "))
        if line_width(row) <= width:
            return row
    return row


def _phase_part(rollout: RolloutRow, index: int, detail: int) -> Line:
    phase, here = rollout.phases[index], rollout.position
    if index < here or (index == here and rollout.status == "completed"):
        return line(span(phase.name, "muted"), span(f" {DONE}", "good"))
    least = length_text(phase.min_seconds)
    if index > here:
        return line(
            span(phase.name, "muted"), span(f" · {least}" if detail == 2 and phase.min_seconds else "", "faint")
        )
    judged = rollout.judged
    role = "strong" if judged is None or judged.kind != FAIL else "danger"
    sign = "●" if rollout.active else "■"
    # As the judge tells it: one number in one unit on the whole screen.
    fresh = f" {part_of(rollout.fresh_seconds, phase.min_seconds)}" if detail and phase.min_seconds else ""
    return line(span(f"{sign} {phase.name}", role), span(fresh, "plain"), span(" fresh" if fresh else "", "muted"))


def standing_line(rollout: RolloutRow, now: float, flag: FlagRow | None = None) -> Line:
    """Whether it goes on: its status, the two pauses by their two names and why, who promotes, who rolls back. One that has ended
    says when, which for a rollback is when the ``flag`` was changed."""
    return line(" ", *joined(_standing_parts(rollout, now, flag)))


def standing_rows(rollout: RolloutRow, now: float, flag: FlagRow | None, width: int, most: int = 4) -> list[Line]:
    """The same in as many rows as it needs, at most ``most``: what is to come, and why it waits, is never cut off in mid word."""
    rows: list[Line] = []
    for part in _standing_parts(rollout, now, flag):
        longer = joined([rows[-1], part]) if rows else part
        if rows and line_width(longer) < width:
            rows[-1] = longer
        elif line_width(part) < width:
            rows.append(part)
        else:
            role = part[0].role
            first, *others = wrapped(text_of(part), width - 1, role, most=max(1, most - len(rows)))
            rows += [first, *others]
    return [line(" ", *row) for row in rows[:most]]


def _standing_parts(rollout: RolloutRow, now: float, flag: FlagRow | None) -> list[Line]:
    word, role = _STATUS.get(rollout.status, (rollout.status.upper() or "UNKNOWN", "warning"))
    parts = [line(span(word, role))]
    if not rollout.active:
        at = rollout.took_effect_at(flag)
        ended = "" if at is None else ago_words(now - at)
        return [part for part in (*parts, line(span(ended, "muted")), line(span(rollout.end_reason))) if text_of(part)]
    if rollout.progression_paused:
        parts.append(line(span("‖ PROGRESSION PAUSED", "warning")))
    if rollout.exposure_frozen:
        parts.append(line(span("‖ EXPOSURE FROZEN", "warning")))
    if rollout.status == "running" and not rollout.progression_paused:
        parts.append(line(span(_next_words(rollout))))
    back = "rolls back by itself" if rollout.auto_rollback else "! rollback is left to people"
    if rollout.status == "running":
        parts.append(line(span(back, "muted" if rollout.auto_rollback else "warning")))
    if rollout.pause_reason:
        parts.append(line(span(f"“{rollout.pause_reason}”", "muted")))
    return parts


def _next_words(rollout: RolloutRow) -> str:
    following, phase = rollout.following, rollout.current
    if following is None or phase is None:
        return "the last phase"
    left = "" if rollout.enough else rest_text(rollout.fresh_seconds, phase.min_seconds)
    when = f" after {left} more of fresh data" if left else ""
    if rollout.auto_promote:
        return f"promotes itself to {following.name}{when or ' as soon as it passes'}"
    passes = rollout.judged is not None and rollout.judged.kind == PASS
    return f"P promotes it to {following.name}{when or ('' if passes else ' once it passes')}"


def criteria_rows(
    state: ConsoleState, rollout: RolloutRow, now: float, width: int, most: int | None = None
) -> list[Line]:
    """The heading and a row for each metric of the phase, what fails first; beyond ``most`` they share the last row."""
    found = rulings(rollout)
    kind = rollout.current.kind if rollout.current is not None else "canary"
    if not found:
        return [line(span(" this phase has no criteria: it is not judged", "muted"))]
    shape = fitted(
        [
            Column("metric", "CRITERION", 22 if width >= 100 else 19),
            Column(
                "value",
                _JUDGED.get(kind, "CANARY"),
                7 if width < 100 and kind in {"shadow", "canary"} else 8,
                right=True,
            ),
            Column("control", "CONTROL", 7, right=True, spare=1 if kind == "canary" else 9),
            Column("delta", "DELTA", 7, right=True, spare=5 if kind == "canary" else 9),
            Column("passes", "PASSES", 7, right=True),
            Column("fails", "FAILS", 7, right=True, spare=2),
            Column("interval", "INTERVAL", 17, right=True, spare=6),
            Column("operations", "OPERATIONS", 10, right=True, spare=7),
            Column("tenants", "TENANTS", 7, right=True, spare=8),
            Column("state", "STATE", 13 if width >= 100 else 10),
            Column("note", "NOTE", 20, spare=9, grows=True),
        ],
        width,
    )
    looks = state.verdicts.get(rollout.flag_name, ())
    until = now if rollout.ended_at is None else rollout.ended_at
    rows = [heading_line(shape)]
    surplus = found[most - 1 :] if most is not None and len(found) > most else []
    for ruling in found[: len(found) - len(surplus)]:
        since = failing_since(looks, ruling.metric) if ruling.outcome == FAIL else None
        rows.append(row_line([_ruling_cell(ruling, column, since, until) for column in shape], cursor=False))
    if surplus:
        parts = [
            line(
                span(f"{OUTCOME_SIGN[one.outcome]} ", OUTCOME_ROLE[one.outcome]),
                span(metric_label(one.metric, unit=False)),
            )
            for one in surplus
        ]
        rows.append(cut(line("  ", *joined(parts)), width))
    return rows


def _ruling_cell(ruling: Ruling, column: Column, since: float | None, now: float) -> Span:
    seen, width = ruling.seen, column.width
    role = OUTCOME_ROLE[ruling.outcome]
    match column.id:
        case "metric":
            # Of a name that is too long the end gives way, never its unit.
            unit = unit_of(ruling.kind)
            name = f"{OUTCOME_SIGN[ruling.outcome]} {metric_label(ruling.metric, unit=False)}"
            name = cut_text(name, width - len(unit) - 1) + f" {unit}" if unit else name
            return cell(name, width, role if ruling.outcome == FAIL else "plain")
        case "state":
            word = OUTCOME_WORD[ruling.outcome] if seen is not None else "not yet"
            return cell(word + (f" {duration_text(now - since)}" if since is not None else ""), width, role)
        case "passes":
            return cell(ruling.pass_text, width, "muted", right=True)
        case "fails":
            # What fails below its limit is worse than its control, and must not seem to be beyond the limit.
            by_control = ruling.outcome == FAIL and seen is not None and not seen.beyond
            return cell(
                "control" if by_control else ruling.fail_text, width, role if by_control else "muted", right=True
            )
        case "note":
            return cell(seen.note if seen is not None else "", width, "muted")
    if seen is None or (seen.value is None and not seen.operations):
        return cell(NOTHING, width, "faint", right=True)
    shown = {
        "value": (value_text(seen.value, ruling.kind), "danger" if ruling.outcome == FAIL else "strong"),
        "control": (control_text(seen), "plain"),
        "delta": (delta_text(seen), "plain"),
        "interval": (interval_text(seen), "muted"),
        "operations": (f"{seen.operations:,}", "muted"),
        "tenants": (f"{seen.tenants:,}", "muted"),
    }[column.id]
    return cell(shown[0], width, shown[1], right=True)


def verdict_rows(state: ConsoleState, rollout: RolloutRow, now: float, width: int, most: int = 3) -> list[Line]:
    """What the judge says, why (in at most ``most`` rows), what it would lead to, from how much; and the tenants that contribute
    most."""
    judged = rollout.judged
    if judged is None:
        tick = rollout.current.tick_seconds if rollout.current is not None else 0
        said = "not judged in this phase yet" if rollout.active else "this phase was not judged"
        return [
            line(
                span(f" ○ {said}", "warning"),
                span(f"   looked at every {tick:.0f} s" if rollout.active else "", "muted"),
            )
        ]
    head = line(
        span(f" {OUTCOME_SIGN[judged.shown]} {OUTCOME_WORD[judged.shown]}", OUTCOME_ROLE[judged.shown]),
        "  ",
        *_asked_for(judged, rollout),
    )
    because = span(judged.because or "no reason was given", "plain")
    facts = _whole_facts(_facts(rollout, judged, now), width - 3)
    watched = _watch_rows(state, rollout, now, width)
    if width >= 110:
        top = _top_rows(state, judged, width)
        return [cut(line(*head, because), width), line("   ", *facts), *watched, *top]
    room = width - 1 - line_width(head)
    first, *others = wrapped(judged.because or "no reason was given", room, most=min(2, most))
    rest = wrapped(_rest_of(judged.because, text_of(first)), width - 3, most=most - 1) if others else []
    return [line(*head, *first), *(line("   ", *row) for row in rest), line("   ", *facts), *watched]


def _rest_of(words: str, first: str) -> str:
    """What follows the first row."""
    return " ".join(words.split(" ")[len(first.split(" ")) :])


def _whole_facts(facts: list[Line], width: int) -> Line:
    """As many of the facts as there is room for: a number that is cut off is another number."""
    row: Line = ()
    for fact in facts:
        longer = joined([row, fact], " · ") if row else fact
        if line_width(longer) <= width:
            row = longer
    return row or cut(facts[0], width)


def _watch_rows(state: ConsoleState, rollout: RolloutRow, now: float, width: int) -> list[Line]:
    """What a rollback's own watch says of those who kept the feature: whether it helped."""
    if rollout.status != "rolling_back":
        return []
    looks = state.verdicts.get(rollout.flag_name, ())
    newest = next((look for look in looks if look.watched_since is not None), None)
    if newest is None or newest.rollout_id != rollout.rollout_id:
        return []
    said = f"{OUTCOME_SIGN[newest.kind]} {OUTCOME_WORD[newest.kind]}"
    row = line(
        span(" watch ", "muted"),
        span(said, OUTCOME_ROLE[newest.kind]),
        span(f"  looked {ago_words(max(0.0, now - newest.at))}: ", "muted"),
        span(newest.because),
    )
    return [cut(row, width)]


def _asked_for(judged: VerdictRow, rollout: RolloutRow) -> Line:
    if judged.kind != FAIL:
        return ()
    asks = f"{judged.urgency or 'high'} → {judged.playbook}"
    return line(span(asks, "danger" if rollout.status == "running" else "muted"), "  ")


def _facts(rollout: RolloutRow, judged: VerdictRow, now: float) -> list[Line]:
    facts: list[Line] = [line(*looked_span(rollout, judged, now))]
    age = None if judged.data_age is None else judged.data_age + max(0.0, now - judged.at)
    shown = "no data ever" if age is None else f"data {age_text(age)} old"
    if rollout.active:
        facts.append(line(span(shown, "danger" if age is None else quiet_age_role(age))))
    cohort = cohort_words(judged, "" if rollout.current is None else rollout.current.kind)
    if judged.cohort != "everyone":
        facts.append(cohort)
    if judged.operations is not None:
        facts.append(line(span(f"{judged.operations:,} operations of {judged.tenants or 0:,} tenants", "muted")))
    if judged.budget_spent is not None:
        # How much of the chance to accuse a healthy canary its looks have used: nothing of how near it is to failing.
        spent, budget = judged.budget_spent, judged.budget
        used = f"{spent * 100:.0f} % of what is allowed"
        used = used if budget is None else f"{spent * budget * 100:.2g} of at most {budget * 100:.3g} %"
        facts.append(line(span(f"chance of a false alarm so far {used}", "muted")))
    if judged.cohort == "everyone":
        facts.append(cohort)
    return [fact for fact in facts if fact]


def cohort_words(judged: VerdictRow, kind: str) -> Line:
    """How many of the cohort chance put there: what the comparison with the control proves rests on them. Where there is no
    cohort, who has the feature in a phase of this ``kind``: there is no control then."""
    size, drawn = judged.cohort_size, judged.by_chance
    match judged.cohort:
        case "hand_picked":
            return line(span("picked by hand: chance proves nothing", "warning"))
        case "everyone":
            return line(span("nobody has it in shadow" if kind == "shadow" else "everyone has it", "muted"))
        case "drawn" if size is not None and drawn is not None:
            few = drawn < FEW_BY_CHANCE
            words = f"{'only ' if few else ''}{drawn:,} of {size:,} drawn at random"
            return line(span(words, "warning" if few else "muted"))
        case "drawn":
            return line(span("cohort drawn", "muted"))
    return ()


def looked_span(rollout: RolloutRow, judged: VerdictRow, now: float) -> Line:
    """When the judge last looked: a look that is overdue is no fresh verdict."""
    age = max(0.0, now - judged.at)
    tick = rollout.current.tick_seconds if rollout.current is not None else 60.0
    late = rollout.active and age > 3 * tick
    return line(span(f"looked {ago_words(age)}" + (", OVERDUE" if late else ""), "danger" if late else "muted"))


def _top_rows(state: ConsoleState, judged: VerdictRow, width: int) -> list[Line]:
    failing = judged.failing
    candidates = [failing] if failing is not None else list(judged.criteria)
    row = next((row for row in candidates if row is not None and row.top_tenants), None)
    if row is None:
        return []
    parts = [
        line(span(f"   most {_COUNTED_OF.get(row.metric, 'of ' + metric_label(row.metric, unit=False))}", "muted"))
    ]
    for share in row.top_tenants[:TOP_TENANTS]:
        name = state.tenant_names.get(share.tenant_id, "")
        past = "" if share.expected is None else f", {share.expected:.0f} expected"
        parts.append(
            line(
                span(share.tenant_id, "strong"),
                span(f" {name}" if name else "", "muted"),
                span(f"  {share.events:,} of {share.operations:,}{past}"),
            )
        )
    return [cut(joined(parts, "   "), width)]


def _way(key: str, does: str, may: bool) -> Line:
    return line(span(key, "key"), f" {does}") if may else line(span(f"an admin's key ({key}) {does}", "muted"))


def no_rollout_rows(flag: FlagRow, may_start: bool) -> list[Line]:
    """What the dashboard says of a flag without a rollout, and what to press: for a killed one what clears the kill."""
    if flag.state is FlagState.KILL:
        how = [line("   ", *_way("V", "revives it, to off: only then can a rollout begin", may_start))]
    elif may_start:
        how = [line("   ", *_way("B", "begins one: a plan, its phases and limits are shown first", may_start))]
    else:
        how = [line(span('   an admin\'s key can begin one (B), or: flagconsole start FLAG "reason"', "muted"))]
    return [
        (),
        line(span(f"   {flag.name} has no rollout", "strong"), span(f"   it is {flag.standing}", "muted")),
        (),
        *how,
        line("   ", span("d", "key"), " shows the flag   ", span("-", "key"), " goes back"),
    ]
