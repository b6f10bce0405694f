"""The contents of the flag detail's tabs, a function for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from flagconsole.console.ages import age_role, ago, moment_text
from flagconsole.console.arrival import arrival
from flagconsole.console.flag_facts import FlagFacts
from flagconsole.console.glyphs import ARROW, CURSOR
from flagconsole.console.line import BLANK, Line, cell, line, wrapped
from flagconsole.console.safe import span
from flagconsole.console.tabs import Tab
from flagconsole.console.widgets import cohort_tab, rules_tab
from flagconsole.console.widgets.change_table import verb_of, what_of
from flagconsole.console.widgets.detail import dependency_lines, evaluation_words, state_span
from flagconsole.console.widgets.virtual_table import Column, fitted, heading_line, row_line
from flagconsole.domain.blast import DependentChange
from flagconsole.domain.bucketing import bucket
from flagconsole.domain.states import FlagState


def overrides_tab(facts: FlagFacts, width: int) -> list[Line]:
    """The tenants that have a state of their own."""
    own = sorted(facts.state.overrides.get(facts.row.name, {}).values(), key=lambda item: item.tenant_id)
    if not own:
        return [
            line(span("no tenant has a state of its own for this flag", "muted")),
            BLANK,
            line(span(f"flagconsole override {facts.row.name} off --tenant ID --reason “why”", "key")),
        ]
    rows = [line(cell("TENANT", 18, "header"), cell("STATE", 10, "header"), cell("UNTIL", 13, "header"),
                 cell("WHO", 12, "header"), span("WHY", "header"))]  # fmt: skip
    for item in own:
        expired = item.expires_at is not None and item.expires_at <= facts.now
        until = "never ends" if item.expires_at is None else f"{moment_text(item.expires_at, facts.now)}Z"
        name = facts.state.tenant_names.get(item.tenant_id, "")
        rows.append(
            line(
                cell(item.tenant_id, 17, "faint" if expired else "strong"),
                " ",
                cell(state_span(item.state).text, 9, "faint" if expired else state_span(item.state).role),
                " ",
                cell("expired" if expired else until, 12, "warning" if expired else "plain"),
                " ",
                cell(item.who, 11),
                " ",
                span(item.reason, "muted"),
                span(f"  ({name})" if name else "", "faint"),
            )
        )
    return rows


def dependents_tab(facts: FlagFacts, width: int) -> list[Line]:
    """What the flag needs, who needs it, and what becomes of those if it is off."""
    state, row = facts.state, facts.row
    needs = dependency_lines(state, row) or [line(span("nothing", "muted"))]
    rows = [line(span("NEEDS", "header"), span("  each caps this flag", "muted")), *needs, BLANK]
    rows.append(line(span("NEEDED BY", "header"), span("  what becomes of each if this one is off", "muted")))
    names = state.ruleset.dependents(row.name)
    if not names:
        return [*rows, line(span("no flag", "muted"))]
    blast = None if facts.impact is None else {item.flag_name: item for item in facts.impact.blast.dependents}
    for name in names:
        known = state.flags.get(name)
        now_is = span("?") if known is None else state_span(known.state, known.setting)
        rows.append(
            line(cell(name, min(34, width // 2), "link"), " ", cell(now_is.text, 20, now_is.role), *_after(blast, name))
        )
    return rows


def _after(blast: Mapping[str, DependentChange] | None, name: str) -> Line:
    if blast is None:
        return line(span(" counting …", "faint"))
    change = blast.get(name)
    if change is None or not change.tenants:
        return line(span(f" {ARROW} stays as it is for every known tenant", "muted"))
    return line(f" {ARROW} ", state_span(change.after), span(f" for {change.tenants} tenants", "warning"))


def instances_tab(facts: FlagFacts, width: int) -> list[Line]:
    """Which running SDKs have the flag's newest change."""
    state, now, row = facts.state, facts.now, facts.row
    revision = row.last.change_id if row.last is not None else state.revision
    found = arrival(state.instances.values(), state.epoch, revision)
    if not any(found):
        return [line(span("no running SDK is known, so nobody can confirm a change", "warning"))]
    head = line(
        span(f"{len(found.confirmed)} of {found.able}", "warning" if found.behind else "good"),
        span(f" have v{row.version} (rev {revision})"),
        span(f", {len(found.told)} more were told and can't confirm" if found.told else "", "warning"),
        span("; those behind may still serve what was before" if found.behind else "", "warning"),
    )
    shape = fitted(
        [
            Column("has", "", 10),
            Column("id", "INSTANCE", max(14, *(len(item.instance_id) for item in state.expected)), grows=True),
            Column("service", "SERVICE", 14, spare=1),
            Column("revision", "REV", 6, right=True),
            Column("presence", "PRESENCE", 8),
            Column("seen", "HEARD", 5, right=True),
            Column("via", "VIA", 7, spare=2),
        ],
        width,
    )
    lines = [head, BLANK, heading_line(shape)]
    marks = (
        (found.behind, "! behind", "danger"),
        (found.told, "~ told", "warning"),
        (found.confirmed, "✓ has it", "good"),
    )
    for rows, mark, role in marks:
        for item in sorted(rows, key=lambda item: (item.service, item.instance_id)):
            seen = now - item.last_seen
            shown = {
                "has": (mark, role),
                "id": (item.instance_id, "strong"),
                "service": (item.service, "plain"),
                "revision": (item.newest, "plain"),
                "presence": (item.presence, "plain" if item.presence == "live" else "warning"),
                "seen": (ago(seen), age_role(seen)),
                "via": (item.transport, "muted"),
            }
            cells = [
                cell(shown[column.id][0], column.width, shown[column.id][1], right=column.right) for column in shape
            ]
            lines.append(row_line(cells, cursor=False))
    return lines


def versions_tab(facts: FlagFacts, width: int) -> list[Line]:
    """The flag's changes, each with what it made different."""
    if not facts.changes:
        return [line(span("no change of this flag is known here yet", "muted"))]
    rows: list[Line] = []
    for change in facts.changes:
        rows.append(
            line(
                cell(f"v{change.version}", 6, "strong"),
                cell(f"{moment_text(change.at, facts.now)}Z", 13, "muted"),
                cell(change.who, 12 if width < 110 else 20),
                " ",
                cell(verb_of(change), 13, "state_kill" if change.action == "killed" else "plain"),
                span(what_of(change)),
                span(f"  “{change.reason}”", "muted"),
            )
        )
        rows += [
            line(span("      "), cell(name, 22, "faint"), span(was, "muted"), f" {ARROW} ", span(is_now))
            for name, was, is_now in change.fields
            if name != "current_state"
        ]
    return rows


def json_tab(facts: FlagFacts, width: int) -> list[Line]:
    """The flag as the API gives it."""
    if facts.json is None:
        return [line(span("asking …", "muted"))]
    if isinstance(facts.json, str):
        return [line(span(f"can't be had: {facts.json}", "warning"))]
    return [line(span(row)) for row in json.dumps(facts.json, indent=2, ensure_ascii=False).split("\n")]


def test_tab(facts: FlagFacts, width: int) -> list[Line]:
    """What one tenant gets of the flag, and every step of why."""
    state, row, tenant = facts.state, facts.row, facts.state.tenant
    if tenant is None:
        return [line(span("t", "key"), " chooses a tenant: an id, or a part of a name"), *_answer_made_of()]
    outcome = state.ruleset.evaluate(row.name, tenant, facts.now)
    name = state.tenant_names.get(tenant)
    rows = [
        line(
            span(tenant, "strong"),
            span(f"  {name}" if name else "  not a known tenant" if name is None else "", "muted"),
            f"  {ARROW} ",
            state_span(outcome.state),
            span("  enabled" if outcome.enabled else "  read-only" if outcome.shadow else "  not enabled", "strong"),
        ),
        *wrapped(evaluation_words(outcome, row.percentage, row.cohort), width, "plain", most=2),
        line(span(f"evaluated here on rev {outcome.revision}; t another tenant", "faint")),
        BLANK,
        line(span("STEPS", "header")),
    ]
    for number, (text, counts) in enumerate(_steps(facts, tenant), start=1):
        mark = span(f"{CURSOR} " if counts else "  ", "key")
        rows.append(line(mark, span(f"{number}  ", "muted"), span(text, "strong" if counts else "muted")))
    placement = facts.placement
    if isinstance(placement, str):
        rows += [BLANK, line(span("COHORT  ", "header"), span(placement, "muted"))]
    elif placement is not None:
        side = "inside" if placement.inside else "outside"
        rows += [BLANK, line(span("COHORT  ", "header"), span(side, "strong"), span(f": {placement.text}"))]
    return rows


def _answer_made_of() -> list[Line]:
    return [BLANK, line(span("Shown are the state that it gets, and each step that leads there.", "muted"))]


def _steps(facts: FlagFacts, tenant: str) -> list[tuple[str, bool]]:
    """Each step of the evaluation in words, and whether it decided."""
    state, row = facts.state, facts.row
    outcome = state.ruleset.evaluate(row.name, tenant, facts.now)
    reason = outcome.reason.value
    own = state.overrides.get(row.name, {}).get(tenant)
    expired = own is not None and own.expires_at is not None and own.expires_at <= facts.now
    override = (
        "no override" if own is None else f"override {own.state.value}" + (", expired: not counted" if expired else "")
    )
    rule = state.ruleset.rules.get(row.name)
    steps = [
        ("killed for everyone" if row.state is FlagState.KILL else "not killed", reason == "killed"),
        (override, reason == "override"),
    ]
    if row.state is FlagState.CANARY and rule is not None:
        number = bucket(row.name, tenant)
        if rule.cohort:
            where = "in" if tenant in rule.cohort else "not in"
            joined = rule.holdout is not None and tenant not in rule.cohort and tenant not in rule.holdout
            text = f"{where} the {len(rule.cohort)} chosen tenants" + (
                f"; joined later, bucket {number}" if joined else ""
            )
        else:
            sign = "≤" if number <= row.percentage else ">"
            text = f"by hash: bucket {number} {sign} {row.percentage}"
        steps.append((text, reason in {"cohort", "outside_cohort"}))
    else:
        steps.append((f"the flag's state is {row.state.value}", reason == "state"))
    for name in state.ruleset.closure(row.name):
        other = state.ruleset.evaluate(name, tenant, facts.now)
        steps.append((f"needs {name}, which is {other.state.value} for it", outcome.dependency == name))
    return steps


TAB_LINES: Mapping[Tab, Callable[[FlagFacts, int], Sequence[Line]]] = {
    Tab.RULES: rules_tab.lines,
    Tab.COHORT: cohort_tab.lines,
    Tab.OVERRIDES: overrides_tab,
    Tab.DEPENDENTS: dependents_tab,
    Tab.INSTANCES: instances_tab,
    Tab.VERSIONS: versions_tab,
    Tab.JSON: json_tab,
    Tab.TEST: test_tab,
}


def tab_counts(facts: FlagFacts) -> dict[Tab, int]:
    """How much there is in the tabs that have a number."""
    state, row = facts.state, facts.row
    return {
        Tab.OVERRIDES: len(state.overrides.get(row.name, {})),
        Tab.DEPENDENTS: len(state.ruleset.dependents(row.name)),
        Tab.INSTANCES: len(state.expected),
        Tab.VERSIONS: row.version,
    }
