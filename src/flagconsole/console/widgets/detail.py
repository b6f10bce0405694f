"""What is known of one flag: the pane beside the table, the strip below it at 80×24, and the detail screen's sections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from flagconsole.console.ages import ago_words, moment_text
from flagconsole.console.arrival import arrival
from flagconsole.console.attention import KILLED_RANK
from flagconsole.console.glyphs import ARROW, EMPTY, STATE_GLYPH, STATE_ROLE
from flagconsole.console.impact import KillImpact, known_dependencies, stopped_by
from flagconsole.console.line import BLANK, Line, cell, joined, line, pad, wrapped
from flagconsole.console.rows import ChangeRow, FlagRow
from flagconsole.console.safe import Span, span
from flagconsole.console.seen import is_unseen
from flagconsole.console.state import ConsoleState
from flagconsole.console.widgets.painted import Painted
from flagconsole.console.widgets.rollout_pane import (
    course_line,
    course_lines,
    missing_line,
    problem_lines,
    rollout_lines,
)
from flagconsole.domain.evaluation import Evaluation, Reason
from flagconsole.domain.states import FlagState

if TYPE_CHECKING:
    from flagconsole.console.screens.console_screen import ConsoleScreen
    from flagconsole.domain.blast import BlastRadius


def state_span(state: FlagState, text: str = "") -> Span:
    """A state by glyph and word."""
    return span(f"{STATE_GLYPH[state]} {text or state.value}", STATE_ROLE[state])


def evaluation_words(evaluation: Evaluation, percentage: int, cohort: int) -> str:
    """Why a tenant gets what it gets."""
    match evaluation.reason:
        case Reason.KILLED:
            return "the flag is killed for everyone"
        case Reason.OVERRIDE:
            return "this tenant's own override"
        case Reason.COHORT:
            return "in the cohort of " + (f"{cohort} chosen tenants" if cohort else f"{percentage} %")
        case Reason.OUTSIDE_COHORT:
            return "not in the cohort of " + (f"{cohort} chosen tenants" if cohort else f"{percentage} %")
        case Reason.STATE:
            return "the flag's state"
        case Reason.DEPENDENCY:
            return f"capped by its dependency {evaluation.dependency}"
        case Reason.FLAG_NOT_FOUND:
            return "there is no such flag"
        case Reason.STALE:
            return "the data is too old"


def title_lines(row: FlagRow, width: int) -> list[Line]:
    """Name, version, type and owner."""
    facts = [f"v{row.version}", row.flag_type, *([f"owner {row.owner}"] if row.owner else [])]
    expires = [f"expires {row.expires_on}"] if row.expires_on else []
    return [
        line(span(row.name, "strong")),
        line(state_span(row.state, row.setting), "  ", span(" · ".join(facts + expires), "muted")),
        *(wrapped(row.description, width, "muted", most=2) if row.description else []),
    ]


def reach_lines(state: ConsoleState, row: FlagRow) -> list[Line]:
    """How many tenants have the feature."""
    reach = state.reach.get(row.name)
    if reach is None or not reach.tenants:
        return [line(span("no tenants are known", "muted"))]
    share = f"{reach.enabled * 100 / reach.tenants:.0f} %"
    own = len(state.overrides.get(row.name, {}))
    besides = [f"{reach.shadow} in shadow"] if reach.shadow else []
    besides += [f"{own} with an override"] if own else []
    rows = [line(span(reach.enabled, "strong"), span(f" of {reach.tenants} tenants ({share})"))]
    rows += [stopped_line(state, row)] if stopped_by(state, row) is not None else []
    return [*rows, line(span(", ".join(besides), "muted"))] if besides else rows


def stopped_line(state: ConsoleState, row: FlagRow) -> Line:
    """Which flag that it needs keeps it from everybody; empty where none does."""
    found = stopped_by(state, row)
    if found is None:
        return ()
    return line(span("needs ", "warning"), span(found[0], "link"), span(f": {found[1].value}", "warning"))


def tenant_lines(state: ConsoleState, row: FlagRow, now: float, width: int) -> list[Line]:
    """What the chosen tenant gets of this flag, and why; ``now`` is the server's time."""
    if state.tenant is None:
        return []
    outcome = state.ruleset.evaluate(row.name, state.tenant, now)
    name = state.tenant_names.get(state.tenant)
    known = "" if state.tenant in state.tenant_names else "  (not a known tenant)"
    return [
        line(span(state.tenant, "strong"), span(f"  {name}" if name else known, "muted")),
        line(ARROW, " ", state_span(outcome.state)),
        *wrapped(evaluation_words(outcome, row.percentage, row.cohort), width, "muted", most=2),
    ]


def dependency_lines(state: ConsoleState, row: FlagRow) -> list[Line]:
    """What the flag needs, with the state of each."""
    rows = []
    for name, known in known_dependencies(state, row):
        what = span("external", "faint") if known is None else state_span(known)
        rows.append(line(span(name, "link" if known is not None else "muted"), "  ", what))
    return rows


def dependent_lines(state: ConsoleState, row: FlagRow, most: int = 12) -> list[Line]:
    """Which flags need this one, with the state of each."""
    names = state.ruleset.dependents(row.name)
    rows = []
    for name in names[:most]:
        known = state.flags.get(name)
        rows.append(line(span(name, "link"), "  ", state_span(known.state) if known is not None else span("")))
    if len(names) > most:
        rows.append(line(span(f"and {len(names) - most} more", "muted")))
    return rows


def losing_words(blast: BlastRadius) -> Line:
    """How many tenants lose the feature. Where none are known that is said, since it isn't the same as nobody."""
    if not blast.tenants:
        return (span("no tenants are known here, so they can't be counted", "warning"),)
    return line(span(str(blast.losing), "strong"), span(f" of {blast.tenants} tenants lose it"))


def impact_heading(impact: KillImpact | None, state: ConsoleState) -> str:
    """The heading over ``impact_lines``. What was counted before the newest change says so until it is counted again."""
    return "IF KILLED" if impact is None or impact.revision == state.revision else "IF KILLED  counting again …"


def impact_lines(impact: KillImpact | None) -> list[Line]:
    """What a kill would do."""
    if impact is None:
        return [line(span("counting …", "faint"))]
    blast = impact.blast
    rows = [line(*losing_words(blast))]
    if blast.shadow_losing:
        rows.append(line(span(f"{blast.shadow_losing} stop running it in shadow")))
    hit = [dependent for dependent in blast.dependents if dependent.tenants]
    rows.extend(
        line(span(dependent.flag_name, "link"), f" {ARROW} {dependent.after.value} for {dependent.tenants}")
        for dependent in hit[:6]
    )
    if len(hit) > 6:
        rows.append(line(span(f"and {len(hit) - 6} more flags", "muted")))
    return rows


def change_lines(change: ChangeRow | None, now: float, width: int) -> list[Line]:
    """A change: when, who, what, why. ``now`` is the server's time."""
    if change is None:
        return [line(span("none is known", "muted"))]
    whose = f" for {change.tenant_id}" if change.tenant_id is not None else ""
    return [
        line(
            span(f"{moment_text(change.at, now)}Z  " if width >= 40 else "", "muted"),
            span(f"{ago_words(now - change.at)}  ", "muted"),
            span(change.who, "strong"),
        ),
        line(span(f"{change.action.replace('_', ' ')}{whose}  {change.before} {ARROW} {change.after}")),
        *wrapped(f"“{change.reason}”", width, "plain", most=3),
    ]


def schedule_lines(state: ConsoleState, row: FlagRow, now: float, width: int) -> list[Line]:
    """What is scheduled for the flag: to what and when, and how it stands where it doesn't just wait."""
    rows: list[Line] = []
    for item in state.oversight.scheduled(row.name):
        when = f"after {item.after}" if item.at is None else f"at {moment_text(item.at, now)}Z"
        rows.append(line(span(item.wanted, "strong"), span(f"  {when}"), span(f"  by {item.who}", "muted")))
        if item.status != "waiting":
            role = "danger" if item.status == "needs_decision" else "warning"
            rows += wrapped(f"! {item.status.replace('_', ' ')}: {item.because}", width, role, most=2)
    return rows


def section(heading: str, rows: Sequence[Line]) -> list[Line]:
    """Rows under a heading; nothing where there are no rows."""
    return [BLANK, line(span(heading, "header")), *rows] if rows else []


def receipts_line(state: ConsoleState, row: FlagRow, now: float) -> Line:
    """How many running SDKs have the flag's newest change, and how old the oldest sign of life is."""
    expected = state.expected
    if not expected:
        return line(span("no running SDK is known", "muted"))
    revision = row.last.change_id if row.last is not None else state.revision
    found = arrival(expected, state.epoch, revision)
    oldest = now - min(item.last_seen for item in expected)
    done = span(f"{'!' if found.behind else '✓'} {found.words}", "danger" if found.behind else "good")
    return line(
        done, span(f" on v{row.version}", "muted"), span("" if found.told else f", oldest {ago_words(oldest)}", "muted")
    )


def new_lines(state: ConsoleState, row: FlagRow, width: int) -> list[Line]:
    """What the mark of a flag that changed since the user last looked means."""
    if not is_unseen(state, row):
        return []
    return [
        line(span(f"{EMPTY} new since you last looked", "changed"), span("  c: seen" if width > 36 else "", "muted"))
    ]


def pane(
    state: ConsoleState, row: FlagRow, impact: KillImpact | None, now: float, width: int, *, ascii_only: bool = False
) -> list[Line]:
    """The detail pane: as much as an incident needs, most urgent first. ``now`` is the server's time."""
    problem = problem_lines(state.problems.get(row.name), width)
    missing = state.rollouts_missing
    rollout = [missing_line(missing)] if missing else rollout_lines(state.rollouts.get(row.name), now, width)
    rows = [
        *title_lines(row, width),
        *new_lines(state, row, width),
        *([BLANK, *problem] if problem else []),
        *([BLANK, *rollout] if rollout else []),
    ]
    rows += [BLANK, *reach_lines(state, row), receipts_line(state, row, now)]
    if state.tenant is not None:
        rows += section("TENANT", tenant_lines(state, row, now, width))
    if row.state is not FlagState.KILL and state.past is None:
        rows += section(impact_heading(impact, state), impact_lines(impact))
    rows += section("SCHEDULED", schedule_lines(state, row, now, width))
    rows += section("MEASURED", course_lines(state, row.name, now, width, ascii_only=ascii_only))
    rows += section("LAST CHANGE", change_lines(row.last, now, width))
    rows += section("NEEDS", dependency_lines(state, row))
    rows += section("NEEDED BY", dependent_lines(state, row))
    return rows


def strip_lines(state: ConsoleState, row: FlagRow, now: float, width: int, *, ascii_only: bool = False) -> list[Line]:
    """The strip below the table on small screens: two rows, or three with what was measured. ``now`` is the server's time."""
    reach = state.reach.get(row.name)
    facts = [line(span(row.name, "strong")), line(state_span(row.state, row.setting))]
    if reach is not None:
        facts.append(line(span(f"{reach.enabled} of {reach.tenants} tenants")))
    facts.append(stopped_line(state, row))
    if is_unseen(state, row):
        facts.append(line(span(f"{EMPTY} new", "changed"), span("  c: seen", "muted")))
    dependents = len(state.ruleset.dependents(row.name))
    if dependents:
        facts.append(line(span(f"needed by {dependents}", "muted")))
    if state.tenant is not None:
        outcome = state.ruleset.evaluate(row.name, state.tenant, now)
        why = evaluation_words(outcome, row.percentage, row.cohort)
        second = line(span(state.tenant, "strong"), f" {ARROW} ", state_span(outcome.state), span(f"  {why}", "muted"))
    elif (problem := state.problems.get(row.name)) is not None and problem.rank < KILLED_RANK:
        second = line(span(f"{problem.sign} {problem.word}", problem.role), " ", span(problem.why))
    elif row.last is not None:
        change = row.last
        whose = f"{change.tenant_id}: " if change.tenant_id is not None else ""
        second = line(
            span(f"{ago_words(now - change.at)} ", "muted"),
            span(change.who),
            span(f"  {whose}{change.before} {ARROW} {change.after}  "),
            span(f"“{change.reason}”", "muted"),
        )
    else:
        second = line(span(row.description, "muted"))
    course = course_line(state, row.name, now, width, ascii_only=ascii_only)
    return [line(" ", *joined(facts)), line(" ", *second), line(" ", *course)]


def _shown(widget: Painted) -> FlagRow | None:
    """The flag that the screen is about; None where its filter hides all of them."""
    target = cast("ConsoleScreen", widget.screen).target()
    return widget.console.state.flags.get(target or "")


class DetailPane(Painted):
    """The pane beside the table."""

    def draw(self, width: int, height: int) -> list[Line]:
        """The selected flag behind a rule."""
        console = self.console
        state, row = console.state, _shown(self)
        rule = span("│ ", "faint")
        rows = (
            []
            if row is None
            else pane(
                state, row, console.impact_of(row.name), console.server_now(), width - 3, ascii_only=console.ascii_only
            )
        )
        return [(rule, *(rows[index] if index < len(rows) else BLANK)) for index in range(height)]


class DetailStrip(Painted):
    """The strip below the table."""

    def draw(self, width: int, height: int) -> list[Line]:
        """The selected flag under a rule."""
        console = self.console
        row = _shown(self)
        rule = line(span("─" * width, "faint"))
        return (
            [rule]
            if row is None
            else [
                rule,
                *strip_lines(console.state, row, console.server_now(), width - 2, ascii_only=console.ascii_only),
            ]
        )


def columns_of(left: Sequence[Line], right: Sequence[Line], width: int, left_width: int | None = None) -> list[Line]:
    """Two columns of rows side by side; the left one takes half of the width, or ``left_width`` cells."""
    gap = 3
    half = (width - gap) // 2 if left_width is None else left_width
    height = max(len(left), len(right))
    rows = []
    for index in range(height):
        one = left[index] if index < len(left) else BLANK
        two = right[index] if index < len(right) else BLANK
        rows.append((*pad(one, half), cell("", gap), *pad(two, width - gap - half)))
    return rows
