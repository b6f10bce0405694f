"""The cohort's tab of the flag detail: how it came to be, how full its strata are, and each tenant with why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagconsole.console.ages import moment_text
from flagconsole.console.flag_facts import FlagFacts
from flagconsole.console.glyphs import DONE
from flagconsole.console.line import BLANK, Line, cell, line, wrapped
from flagconsole.console.safe import span
from flagconsole.console.widgets.detail import columns_of, evaluation_words
from flagconsole.domain.bucketing import bucket
from flagconsole.domain.states import FlagState

if TYPE_CHECKING:
    from flagconsole.domain.cohort_views import CohortView, UndrawnCohort

#: Tenants of a hashed cohort that are listed at most.
LISTED = 500


def lines(facts: FlagFacts, width: int) -> list[Line]:
    """The whole tab."""
    cohort = facts.cohort
    if cohort is None:
        return [line(span("asking …", "muted"))]
    if isinstance(cohort, str):
        return _without(facts, cohort)
    return _drawn(facts, cohort, width) if cohort.drawn else _undrawn(facts, cohort, width)


def _without(facts: FlagFacts, why: str) -> list[Line]:
    row = facts.row
    if row.state is not FlagState.CANARY:
        return [line(span(f"{row.name} is {row.standing}: a cohort counts only in the state canary", "muted")),
                line(span("canary draws one, or goes by hash", "faint"))]  # fmt: skip
    return [line(span(why, "warning")), BLANK, *_inside(facts)]


def _undrawn(facts: FlagFacts, cohort: UndrawnCohort, width: int) -> list[Line]:
    """A canary that goes by no draw is one all the same: its rule, how many it reaches, and whom."""
    count = line(
        span(f"{cohort.actual} of {cohort.population} tenants", "strong"),
        span(
            f", {cohort.percentage} % by hash" if cohort.named is None else f", of the {cohort.named} that were named"
        ),
        span("  in force", "good"),
    )
    rule = (
        f"murmur3(“{cohort.flag_name}:TENANT”) % 100 + 1 ≤ {cohort.percentage}: a higher percentage only adds tenants"
        if cohort.named is None
        else "nothing was drawn: somebody named them one by one"
    )
    return [count, *wrapped(rule, width, "muted"), BLANK, *_inside(facts)]


def _inside(facts: FlagFacts) -> list[Line]:
    """The known tenants that the rules let in, with their buckets and what they get."""
    state, name = facts.state, facts.row.name
    rows: list[Line] = []
    rule = state.ruleset.rules.get(name)
    for tenant in state.tenants:
        number = bucket(name, tenant)
        chosen = rule is not None and tenant in rule.cohort
        if chosen or (not facts.row.cohort and number <= facts.row.percentage):
            outcome = state.ruleset.evaluate(name, tenant, facts.now)
            why = (
                ""
                if outcome.enabled
                else f"{outcome.state.value}: {evaluation_words(outcome, facts.row.percentage, facts.row.cohort)}"
            )
            rows.append(
                line(
                    cell(tenant, 18, "strong"),
                    cell(state.tenant_names.get(tenant, ""), 22, "plain"),
                    cell(f"bucket {number}", 11, "muted"),
                    span(why, "warning"),
                )
            )
            if len(rows) == LISTED:
                return [*rows, line(span("and more: y copies all of them", "muted"))]
    return rows or [line(span("no known tenant is inside", "warning"))]


def _drawn(facts: FlagFacts, cohort: CohortView, width: int) -> list[Line]:
    now = facts.now
    force = (
        span("in force", "good")
        if cohort.in_force
        else span("not in force: the flag has another setting now", "warning")
    )
    head = [
        line(
            span(f"{cohort.actual} of {cohort.population} tenants", "strong"),
            span(f", wanted {cohort.target} ({cohort.percentage} %)  "),
            force,
        ),
        line(
            span(
                f"drawn {moment_text(cohort.drawn_at.timestamp(), now)}Z by {cohort.drawn_by}, seed {cohort.seed}",
                "muted",
            ),
            span(f" · {cohort.by_hash} by hash" if cohort.by_hash else "", "muted"),
        ),
        line(
            span(f"{cohort.by_chance} of {cohort.members} drawn at random", "good" if cohort.by_chance else "warning"),
            span(": what comparing canary and control proves rests on them", "muted"),
        ),
    ]
    if cohort.shortfall:
        head.append(line(span(f"! {cohort.shortfall} fewer than wanted: not enough eligible tenants", "warning")))
    if cohort.joined_later:
        head.append(
            line(span(f"{cohort.joined_later} tenants joined later, the hash lets {cohort.joined_inside} in", "muted"))
        )
    strata, hours = _strata(cohort), _timezones(cohort)
    both = columns_of(strata, hours, width) if width >= 110 else [*strata, BLANK, *hours]
    return [*head, BLANK, *both, BLANK, *_explained(cohort, width)]


def _strata(cohort: CohortView) -> list[Line]:
    rows = [line(cell("STRATUM", 22, "header"), cell("WANTED", 8, "header", right=True), cell("HAS", 6, "header", right=True),
                 cell("ELIGIBLE", 10, "header", right=True))]  # fmt: skip
    for item in cohort.strata:
        short = item.shortfall > 0
        note = "" if not short else "  ! short" if item.could_be_filled else "  ! unfillable"
        rows.append(
            line(
                cell(f"{item.axis} {item.stratum}", 22),
                cell(item.target, 8, right=True),
                cell(item.actual, 6, "warning" if short else "good", right=True),
                cell(item.eligible, 10, "muted", right=True),
                span(note, "warning"),
            )
        )
    return rows


def _timezones(cohort: CohortView) -> list[Line]:
    zones = cohort.timezones
    missing = [f"{hour:02}" for hour in zones.missing]
    said = (
        line(span(f"{DONE} all 24 hours (UTC) have a member at work", "good"))
        if not missing
        else line(span(f"no member is at work at {' '.join(missing)} UTC", "warning"))
    )
    known = line(span(f"{zones.members_with_timezone} members with a known time zone", "muted"))
    return [line(span("TIME ZONES", "header")), said, known]


def _explained(cohort: CohortView, width: int) -> list[Line]:
    """Each tenant with why it is in or out; those inside first."""
    rows = [
        line(cell("TENANT", 18, "header"), cell("NAME", 24, "header"), cell("", 4, "header"), span("WHY", "header"))
    ]
    rows += [
        line(
            cell(item.tenant_id, 17, "strong" if item.inside else "muted"),
            " ",
            cell(item.name, 23, "plain" if item.inside else "muted"),
            " ",
            cell("in" if item.inside else "out", 4, "good" if item.inside else "muted"),
            span(item.text, "plain" if item.inside else "muted"),
        )
        for item in sorted(cohort.tenants, key=lambda item: (not item.inside, item.tenant_id))
    ]
    if cohort.next_after is not None:
        rows.append(
            line(
                span(
                    f"the first {len(cohort.tenants)} of {cohort.population}; flagconsole cohort show gives all",
                    "muted",
                )
            )
        )
    return rows
