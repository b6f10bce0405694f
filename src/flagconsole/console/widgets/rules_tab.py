"""The first tab of the flag detail: the rules in the order in which they are asked, who gets what, what changed last."""

from __future__ import annotations

from flagconsole.console.ages import moment_text
from flagconsole.console.arrival import CANT_CONFIRM, arrival, names
from flagconsole.console.flag_facts import FlagFacts, ReasonCount, counted_reasons
from flagconsole.console.glyphs import ARROW, CURSOR, EMPTY, FULL
from flagconsole.console.line import BLANK, Line, cell, line
from flagconsole.console.safe import Span, span
from flagconsole.console.widgets.detail import (
    columns_of,
    impact_heading,
    impact_lines,
    schedule_lines,
    section,
    state_span,
)
from flagconsole.domain.evaluation import Reason
from flagconsole.domain.states import FlagState

#: Two columns from this width on.
BESIDE = 110


def lines(facts: FlagFacts, width: int) -> list[Line]:
    """The whole tab."""
    beside = width >= BESIDE
    half = (width - 3) // 2 if beside else width
    left = [*rule_lines(facts, half), BLANK, *who_lines(facts, half)]
    left += section("SCHEDULED", schedule_lines(facts.state, facts.row, facts.now, half))
    right: list[Line] = []
    if facts.row.state is not FlagState.KILL:
        right += section(impact_heading(facts.impact, facts.state), impact_lines(facts.impact))[1:]
    right += section("INSTANCES", behind_lines(facts))[0 if right else 1 :]
    recent = section("RECENT CHANGES", recent_lines(facts, 12 if beside else 5, 20 if beside else 10))
    both = columns_of(left, right, width) if beside else [*left, *recent, BLANK, *right]
    return [*both, *recent] if beside else both


def rule_lines(facts: FlagFacts, width: int) -> list[Line]:
    """Each rule with what it gives and how many known tenants it decides about; the first that holds wins."""
    state, row = facts.state, facts.row
    counted = counted_reasons(state, row.name, facts.now)
    own = len(state.overrides.get(row.name, {}))
    killed = row.state is FlagState.KILL
    rules: list[tuple[str, Span, tuple[Reason, ...]]] = [
        ("killed", state_span(FlagState.KILL), (Reason.KILLED,)),
        (f"has an override ({own})", span("its own state"), (Reason.OVERRIDE,)),
    ]
    if row.state is FlagState.CANARY:
        cohort = f"{row.cohort} chosen tenants" if row.cohort else f"{row.percentage} % by hash"
        rules.append((f"in cohort: {cohort}", state_span(FlagState.CANARY), (Reason.COHORT,)))
        rules.append(("otherwise", state_span(FlagState.OFF), (Reason.OUTSIDE_COHORT,)))
    elif not killed:
        rules.append(("otherwise", state_span(row.state), (Reason.STATE,)))
    if row.dependencies:
        rules.append(("at most what it needs", span("its cap"), (Reason.DEPENDENCY,)))
    size = max(24, min(44, width - 30))
    rows = [
        line(cell("  #  IF", size + 5, "header"), cell("THEN", 15, "header"), cell("TENANTS", 8, "header", right=True))
    ]
    for number, (condition, then, reasons) in enumerate(rules, start=1):
        count = _count(counted, reasons)
        holds = killed if Reason.KILLED in reasons else count not in {"", "0"}
        rows.append(
            line(
                span(CURSOR if holds else " ", "key"),
                cell(f" {number}", 3, "muted"),
                " ",
                cell(condition, size, "strong" if holds else "muted"),
                cell(then.text, 15, then.role if holds else "muted"),
                cell(count, 8, "strong" if holds else "faint", right=True),
            )
        )
    return rows


def _count(counted: ReasonCount | None, reasons: tuple[Reason, ...]) -> str:
    if counted is None or not counted.tenants:
        return ""
    return str(sum(counted.by_reason[reason] for reason in reasons))


def who_lines(facts: FlagFacts, width: int) -> list[Line]:
    """How many known tenants have the feature, run it in shadow, or don't have it, as a bar each."""
    reach = facts.state.reach.get(facts.row.name)
    heading = line(span("WHO HAS IT NOW", "header"), span("  y copies them by name", "faint"))
    if reach is None or not reach.tenants:
        return [heading, line(span("no tenants are known, so nobody can be counted or named", "muted"))]
    counts = [("enabled", reach.enabled, "good"), ("shadow", reach.shadow, "state_shadow"),
              ("neither", reach.tenants - reach.enabled - reach.shadow, "muted")]  # fmt: skip
    cells = max(5, min(20, width - 40))
    rows = [heading]
    for name, count, role in counts:
        # One tenant is never drawn as nobody.
        filled = 0 if not count else max(1, count * cells // reach.tenants)
        share = f"{count * 100 / reach.tenants:.1f} %"
        bar = FULL * filled + EMPTY * (cells - filled)
        rows.append(
            line(cell(name, 9), cell(count, 7, "strong", right=True), cell(share, 9, right=True), " ", span(bar, role))
        )
    return rows


def behind_lines(facts: FlagFacts) -> list[Line]:
    """Whether the flag's newest change is with every running SDK."""
    state, row = facts.state, facts.row
    revision = row.last.change_id if row.last is not None else state.revision
    found = arrival(state.instances.values(), state.epoch, revision)
    if not any(found):
        return [line(span("no running SDK is known", "muted"))]
    count = span(f"{len(found.confirmed)} of {found.able}", "warning" if found.behind else "good")
    rows = [line(count, f" have v{row.version}")]
    if found.told:
        rows.append(line(span(f"+ {len(found.told)} {CANT_CONFIRM}", "warning")))
    if found.behind:
        rows.append(line(span(f"! behind: {names(found.behind)}", "warning")))
    return rows


def recent_lines(facts: FlagFacts, most: int, who: int) -> list[Line]:
    """The flag's newest changes; ``who`` is the width of that column."""
    return [
        line(
            cell(moment_text(change.at, facts.now), 11, "muted"),
            " ",
            cell(change.who, who),
            " ",
            span(f"{change.before} {ARROW} {change.after}"),
            span(f"  {change.tenant_id}" if change.tenant_id is not None else "", "strong"),
            span(f"  “{change.reason}”", "muted"),
        )
        for change in facts.changes[:most]
    ]
