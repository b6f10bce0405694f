"""What is said of an incident, as rows: its playbook step by step, times against their estimates, tenants, what happened.

Pure functions of the state and the server's time, without Textual.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flagconsole.console.ages import ago_words, moment_text
from flagconsole.console.figures import UNKNOWN, duration_text, minutes_text
from flagconsole.console.incidents import IncidentRow, IncidentStory, RunRow, RunStepRow
from flagconsole.console.line import BLANK, Line, cell, cut, line, line_width, wrapped
from flagconsole.console.safe import Span, span
from flagconsole.domain.incident_standing import Standing, run_words

_STEP_SIGN: Final = {
    "done": ("✓", "good"),
    "started": ("↻", "warning"),
    "pending": ("·", "muted"),
    "failed": ("✗", "danger"),
    "uncertain": ("?", "danger"),
    "skipped": ("–", "muted"),
    "superseded": ("–", "muted"),
}
_RUN_WORDS: Final = {
    "pending": ("waits for a runner", "warning"),
    "running": ("RUNNING", "warning"),
    "done": ("DONE", "good"),
    "stopped": ("STOPPED: needs a person", "danger"),
    "superseded": ("superseded", "muted"),
    "expired": ("NOT RUN", "warning"),
}
_STANDING: Final = {
    Standing.CLOSED: ("✓", "muted"),
    Standing.NEEDS_YOU: ("!", "danger"),
    Standing.RESTORED: ("✓", "good"),
    Standing.NOT_RESTORED: ("▲", "danger"),
}
_POINT_SIGN: Final = {"ok": ("✓", "good"), "not_ok": ("✗", "danger"), "unknown": ("?", "warning"), "": ("·", "muted")}
IMPACT_ROLE: Final = {"none": "good", "minimal": "warning", "moderate": "danger", "severe": "danger"}


def title_line(row: IncidentRow, now: float) -> Line:
    """Which incident, of which flag, since when."""
    whose = f" for {row.tenant_id}" if row.tenant_id is not None else ""
    return line(
        span(row.incident_id, "strong"),
        " ",
        span(row.flag_name, "link"),
        span(f"{whose}  was {row.state_before}", "muted"),
        span(f"  {moment_text(row.started_at, now)}Z, {ago_words(now - row.started_at)} by {row.opened_by}", "muted"),
    )


def restoration_line(row: IncidentRow, now: float) -> Line:
    """How long service has been disturbed, against the estimate: over it is red."""
    elapsed = row.elapsed(now)
    estimate = row.estimate
    over = estimate is not None and elapsed > estimate * 60
    planned = row.run is not None and row.run.status == "pending"
    words = "RESTORED after" if row.completed_at is not None else "NOT RESTORED for"
    role = (
        "danger"
        if over or (row.completed_at is None and estimate is None and not planned)
        else "good"
        if row.completed_at
        else "warning"
    )
    if estimate is not None:
        against = f" of the estimated {minutes_text(estimate)}"
    elif planned:
        against = f"  {row.playbook} begins, its estimate comes with it"
    else:
        against = "  no estimate: no playbook runs"
    parts = [span(f"{words} {duration_text(elapsed)}", role), span(against, "muted")]
    if over and estimate is not None:
        parts.append(span(f"  {duration_text(elapsed - estimate * 60)} over", "danger"))
    return tuple(parts)


def impact_rows(row: IncidentRow) -> list[Line]:
    """Whom it reached, how grave that is, and what is due."""
    if row.affected is None:
        return [line(span("counting the tenants that it reached …", "warning"))]
    count = row.affected if row.tenants_known else UNKNOWN
    known = f" of {row.tenants_known} tenants" if row.tenants_known else " tenants (none were known in the store)"
    said = row.impact or "unknown"
    own = " (set by hand)" if row.impact_overridden else ""
    reached = line(
        span(count, "strong"),
        span(known),
        "   impact ",
        span(f"{said}{own}", IMPACT_ROLE.get(said, "warning")),
    )
    dues = (("post-mortem", row.post_mortem_due), ("customer communication", row.communication_due))
    due = [name for name, is_due in dues if is_due]
    return [reached, line(span(f"due: {', '.join(due)}" if due else "nothing is due", "muted"))]


def run_rows(run: RunRow, width: int, now: float) -> list[Line]:
    """The playbook with its steps: state, estimate, time taken, what came of it."""
    word, role = _RUN_WORDS.get(run.status, (run.status, "warning"))
    ended = now if run.finished_at is None else run.finished_at
    estimate = "" if run.estimate is None else f" of the estimated {minutes_text(run.estimate)}"
    head = line(
        span(f"{run.playbook} ", "strong"),
        span(word, role),
        span("" if run.status == "expired" else f"  {duration_text(ended - run.created_at)}{estimate}", "muted"),
        span("  exposure frozen" if run.frozen else "", "warning"),
    )
    rows = [head]
    if run.problem:
        rows += wrapped(f"! {run.problem}", width, "danger", most=2)
    current = run.current
    for number, step in enumerate(run.steps, start=1):
        rows.append(step_line(step, number, width, now, here=step is current))
    return rows


def step_line(step: RunStepRow, number: int, width: int, now: float, *, here: bool) -> Line:
    """One step in one row."""
    sign, role = _STEP_SIGN.get(step.status, ("·", "muted"))
    times = f"{_taken(step, now):>7} /{minutes_text(step.estimate):>8}"
    wide = max(20, min(46, width - 24))
    left = line(
        span(f"{sign} ", role),
        span(f"{number} ", "muted"),
        cell(step.title, wide, "strong" if here else "plain" if step.status != "pending" else "muted"),
        span(times, "muted"),
        "  ",
    )
    room = width - line_width(left)
    said = "waits for you: C" if step.waits else step.output or ("" if step.status == "pending" else step.status)
    return (
        line(*left, *cut((span(said, "warning" if step.waits else "muted"),), room)) if room > 4 else cut(left, width)
    )


def _taken(step: RunStepRow, now: float) -> str:
    if step.started_at is None:
        return ""
    return duration_text((now if step.finished_at is None else step.finished_at) - step.started_at)


def point_rows(run: RunRow, width: int) -> list[Line]:
    """The list at the end: what was verified, by whom, and what still is to be."""
    rows = []
    for point in run.points:
        sign, role = _POINT_SIGN.get(point.result, ("?", "warning"))
        found = f"  {point.found}" if point.found else ""
        by = f" ({point.by})" if point.by else ""
        rows.append(cut(line(span(f"{sign} ", role), span(point.text), span(f"{found}{by}", "muted")), width))
    return rows


def affected_rows(story: IncidentStory, width: int, most: int) -> list[Line]:
    """The tenants that it reached, by id and name, in as many columns as fit."""
    names = story.affected
    if not names:
        return [line(span("nobody", "muted"))]
    texts = [f"{tenant_id}  {name}".strip() for tenant_id, name in names]
    size = min(40, max(len(text) for text in texts)) + 3
    across = max(1, width // size)
    shown = texts[: across * most]
    rows: list[Line] = [
        tuple(cell(text, size) for text in shown[start : start + across]) for start in range(0, len(shown), across)
    ]
    if len(texts) > len(shown):
        rows.append(line(span(f"and {len(texts) - len(shown)} more: y copies all of them", "muted")))
    return rows


def timeline_rows(story: IncidentStory, width: int) -> list[Line]:
    """What happened, oldest first; with its date what was on another day than the last of it."""
    last = max((entry.at for entry in story.timeline), default=0.0)
    times = [moment_text(entry.at, last) for entry in story.timeline]
    size = max(map(len, times), default=0)
    return [
        cut(
            line(
                span(f"{when:<{size}} ", "muted"),
                cell(entry.kind, 9, "muted"),
                span(f"{entry.actor}  " if entry.actor else "", "strong"),
                span(entry.text),
            ),
            width,
        )
        for when, entry in zip(times, story.timeline, strict=True)
    ]


def notice_rows(story: IncidentStory, width: int) -> list[Line]:
    """Who was told; who couldn't be is said."""
    rows = []
    for notice in story.notices:
        role = {"delivered": "good", "waiting": "muted"}.get(notice.status, "warning")
        where = f" at {notice.destination}" if notice.destination else ""
        problem = f"  {notice.problem}" if notice.problem else ""
        rows.append(
            cut(
                line(
                    span(notice.status.replace("_", " "), role),
                    span(f"  {notice.audience}{where}"),
                    span(problem, "muted"),
                ),
                width,
            )
        )
    return rows


def detail_rows(
    row: IncidentRow, story: IncidentStory | None, width: int, now: float, names: Mapping[str, str]
) -> list[Line]:
    """Everything of one incident, the most urgent first."""
    rows = [title_line(row, now), *wrapped(row.trigger, width, "plain", most=2)]
    rows += [restoration_line(row, now), *impact_rows(row)]
    if row.closed_at is not None:
        rows.append(line(span(f"closed {ago_words(now - row.closed_at)} by {row.closed_by}", "muted")))
        rows += _section("ROOT CAUSE", wrapped(row.root_cause, width, most=3) if row.root_cause else [])
    if row.run is not None:
        left = wrapped(row.left_to_people, width, "strong", most=2) if row.left_to_people else []
        rows += _section("PLAYBOOK", [*run_rows(row.run, width, now), *left])
        rows += _section("VERIFY", point_rows(row.run, width))
    if story is None:
        return [*rows, BLANK, line(span("asking the server for the rest …", "muted"))]
    known = story._replace(affected=tuple((key, name or names.get(key, "")) for key, name in story.affected))
    rows += _section("AFFECTED", affected_rows(known, width, 6) if row.affected is not None else [])
    rows += _section("WHAT HAPPENED", timeline_rows(story, width))
    return rows + _section("TOLD", notice_rows(story, width))


def _section(heading: str, rows: list[Line]) -> list[Line]:
    return [BLANK, line(span(heading, "header")), *rows] if rows else []


def status_span(row: IncidentRow) -> Span:
    """How an incident stands in one word and sign."""
    sign, role = _STANDING[row.standing]
    return span(f"{sign} {row.standing.value}", role)


def brief_rows(row: IncidentRow, now: float) -> list[Line]:
    """An incident in a few words, for sheets: whether service is restored, and what its playbook does."""
    rows = [restoration_line(row, now)]
    if row.run is not None:
        current = row.run.current
        step = "" if current is None else f": {current.title}"
        rows.append(line(span(f"{run_words(row.run.status, row.run.playbook)}{step}", "muted")))
    return rows
