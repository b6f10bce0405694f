"""``cohort``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, changes
from flagconsole.cli.output import moment, print_fields, print_json, print_table, say, talk
from flagconsole.cli.parameters import FLAG
from flagconsole.cli.table import Cell
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.cohort_views import AnyCohort, CohortResult, CohortTenant, CohortView, UndrawnCohort

_PAGE = 1000


@click.command("cohort")
@click.argument("flag", type=FLAG)
@click.argument("reason", metavar="[REASON]", required=False)
@click.option("--percentage", type=click.IntRange(1, 99), metavar="N", help="Draw a cohort of so many percent.")
@click.option(
    "--seed", type=click.IntRange(0, 2**53 - 1), metavar="S", help="Draw with this seed; else chance picks one."
)
@click.option("--hours", type=click.FloatRange(0, 8784), metavar="H", help="How long it is for, for blackouts.")
@click.option("--start", is_flag=True, help="Also make the flag a canary of this cohort.")
@click.option("--explain", metavar="TENANT", help="Why this tenant is in or out.")
@click.option("--members", is_flag=True, help="List the tenants inside.")
@changes
def cohort(
    invocation: Invocation,
    flag: str,
    reason: str | None,
    percentage: int | None,
    seed: int | None,
    hours: float | None,
    start: bool,
    explain: str | None,
    members: bool,
) -> None:
    """Show FLAG's cohort, or draw one with --percentage and give it to the flag.

    A canary keeps the tenants that it reaches; at a lower percentage it keeps some of them.
    """
    if percentage is None:
        if seed is not None or start or hours is not None or reason is not None:
            raise click.UsageError("to draw a cohort say --percentage N")
        _show(invocation, flag, explain, members)
        return
    from flagconsole.cli.asking import ask
    from flagconsole.domain.requests import CohortDraw

    fields = {"seed": seed, "lasts_hours": hours}
    request = ask(
        CohortDraw,
        change_reason=reason or f"cohort of {percentage} % drawn",
        percentage=percentage,
        start=start,
        **{name: value for name, value in fields.items() if value is not None},
    )

    async def work(backend: Backend, target: Target) -> tuple[CohortResult, list[CohortTenant]]:
        seen = await backend.flag(flag)
        drawn = await backend.draw_cohort(
            flag,
            request,
            version=seen.flag.version,
            idempotency_key=invocation.idempotency_key,
            dry_run=invocation.dry_run,
        )
        if invocation.dry_run or not (members or explain):
            wanted = drawn.cohort.tenants
        else:
            wanted = tuple(await _tenants(backend, flag, explain, members))
        kept = [item for item in wanted if item.tenant_id == explain or (members and item.inside)]
        return drawn, kept

    drawn, tenants = invocation.run(work)
    if invocation.as_json:
        print_json(drawn)
        return
    from flagconsole.cli.wording import outcome

    say(outcome(drawn.result))
    _print(drawn.cohort)
    _print_tenants(tenants, explain)


def _show(invocation: Invocation, flag: str, explain: str | None, members: bool) -> None:
    async def work(backend: Backend, target: Target) -> tuple[AnyCohort, list[CohortTenant]]:
        view = await backend.cohort(flag, limit=1)
        wanted = explain is not None or members or invocation.as_json
        return view, await _tenants(backend, flag, explain, members) if wanted else []

    view, tenants = invocation.run(work)
    if invocation.as_json:
        print_json(view.model_copy(update={"tenants": tuple(tenants), "next_after": None}))
        return
    from flagconsole.domain.cohort_views import CohortView

    if explain is None and isinstance(view, CohortView):
        _print(view)
    elif explain is None and not isinstance(view, CohortView):
        _print_undrawn(view)
    _print_tenants(tenants, explain, drawn=view.drawn)


def _print_undrawn(view: UndrawnCohort) -> None:
    """A canary of tenants that nothing drew."""
    how = f"{view.percentage} % of {view.flag_name}, which is canary, by hash" if view.named is None else (
        f"{view.named} tenants of {view.flag_name}, which is canary, named one by one")  # fmt: skip
    print_fields(
        [
            ("cohort", f"{how}: nothing was drawn"),
            ("tenants", f"{view.actual} of {view.population} active"),
        ]
    )


async def _tenants(backend: Backend, flag: str, explain: str | None, members: bool) -> list[CohortTenant]:
    """The tenant to explain, or everyone inside, or everyone known."""
    found: list[CohortTenant] = []
    after: str | None = None
    while True:
        inside = True if members and explain is None else None
        page = await backend.cohort(flag, tenant_id=explain, inside=inside, after=after, limit=_PAGE)
        found += page.tenants
        after = page.next_after
        if after is None:
            return found


def _print(view: CohortView) -> None:
    state = "" if view.in_force else "; the flag has another cohort by now"
    lacking = f", {view.shortfall} short" if view.shortfall else ""
    hours = view.timezones.missing
    fields: list[tuple[str, Cell | str]] = [
        ("cohort", f"{view.percentage} % of {view.flag_name}, which is {view.current_state.value}{state}"),
        ("drawn", f"{moment(view.drawn_at)} by {view.drawn_by}, seed {view.seed}, algorithm {view.algorithm}"),
        ("tenants", f"{view.actual} of {view.target} wanted, of {view.population} active{lacking}"),
    ]
    fields.append(
        ("by chance", f"{view.by_chance} of the {view.members} drawn: what a comparison proves rests on them")
    )
    if view.by_hash:
        fields.append(("by hash", f"{view.by_hash} of them have no profile"))
    if view.joined_later:
        fields.append(("joined later", f"{view.joined_later}, of whom the hash takes {view.joined_inside}"))
    placements = ", ".join(f"{count} {placement.value}" for placement, count in sorted(view.by_placement.items()))
    fields += [
        ("why", placements),
        ("hours (UTC)", "all 24 covered" if not hours else "not covered: " + ", ".join(map(str, hours))),
    ]
    print_fields(fields)
    print_table(
        ["", "STRATUM", "TARGET", "ACTUAL", "ELIGIBLE", "SHORT"],
        [
            [
                item.axis,
                item.stratum,
                str(item.target),
                str(item.actual),
                str(item.eligible),
                Cell(str(item.shortfall), "yellow") if item.shortfall else "",
            ]
            for item in view.strata
        ],
    )


def _print_tenants(tenants: list[CohortTenant], explain: str | None, *, drawn: bool = True) -> None:
    if explain is not None and not tenants:
        talk(f"{safe_text(explain, 140)} is not among the tenants that a dry run answers")
    elif tenants and explain is not None:
        item = tenants[0]
        part = "" if item.drawn or not drawn else "; not part of the drawn cohort"
        print_fields(
            [(item.tenant_id, f"{'in' if item.inside else 'out'} ({item.placement.value}{part}): {item.text}")]
        )
    elif tenants:
        print_table(["TENANT", "NAME", "WHY", ""], [[t.tenant_id, t.name, t.placement.value, t.text] for t in tenants])
