"""``shadow-report``: what shadow executions say of a flag, and how ready it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.output import age, moment, print_fields, print_json, print_table, say, state_cell
from flagconsole.cli.parameters import FLAG
from flagconsole.cli.table import Cell
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.shadow_report import Readiness, ScorePart, ShadowReport, TenantShadow

Fields = list[tuple[str, Cell | str]]


@click.command("shadow-report")
@click.argument("flag", type=FLAG)
@click.option("--window", default="24h", show_default=True, metavar="D", help="How far back: 30m, 1h, 24h, 7d.")
@prints
def shadow_report(invocation: Invocation, flag: str, window: str) -> None:
    """Show what shadow executions say of a flag: numbers, readiness with its parts, and what stands in the way."""
    from flagconsole.domain.duration import parse_duration

    seconds = parse_duration(window, "window", least=300, most=90 * 86_400)

    async def work(backend: Backend, target: Target) -> ShadowReport:
        return await backend.shadow_report(flag, seconds)

    report = invocation.run(work)
    if invocation.as_json:
        print_json(report)
        return
    print_fields([*_head(report), *_numbers(report), *_readiness(report)])
    _list("BLOCKING ISSUES", [item.message for item in report.blocking_issues])
    _list("RECOMMENDATIONS", report.recommendations)
    _tables(report)


def _head(report: ShadowReport) -> Fields:
    return [
        ("flag", report.flag_name),
        ("state", state_cell(report.current_state)),
        ("window", f"{moment(report.since)} to {moment(report.until)}"),
        (
            "newest data",
            Cell("none, ever", "yellow") if report.newest_at is None else f"{age(report.newest_at, report.now)} old",
        ),
    ]


def _numbers(report: ShadowReport) -> Fields:
    kinds = ", ".join(f"{count} {kind}" for kind, count in report.by_type.items())
    skipped = f"; {report.skipped} left out by the budget" if report.skipped else ""
    effects = ", ".join(f"{count} {kind}" for kind, count in report.effects.items() if count)
    baseline = "" if report.baseline_ms is None else f", the old way {report.baseline_ms:.1f} ms"
    per = "–" if report.intents_per_execution is None else f"{report.intents_per_execution:.2f} an execution"
    invalid = f", {report.invalid_intents} invalid" if report.invalid_intents else ""
    compared = f"{_share(report.consistency)} of {report.compared} compared" if report.compared else "not measured"
    return [
        ("executions", f"{report.executions}{f' ({kinds})' if kinds else ''}{skipped}"),
        ("success rate", _share(report.success_rate)),
        ("error rate", f"{_share(report.error_rate)} ({report.errors} errors)"),
        ("mean time", "–" if report.mean_ms is None else f"{report.mean_ms:.1f} ms{baseline}"),
        ("consistency", compared),
        ("UI intents", f"{report.intents} ({per}{invalid})"),
        ("effects avoided", f"{report.effects_avoided}{f' ({effects})' if effects else ''}"),
    ]


def _readiness(report: ShadowReport) -> Fields:
    score = report.readiness
    parts = (("success", score.success), ("consistency", score.consistency), ("errors", score.errors))
    shown = " + ".join(_part(name, part) for name, part in parts)
    return [
        ("readiness", "–" if score.score is None else f"{score.score:.3f} = {shown}"),
        ("for canary", _gate(report.ready_for_canary)),
        ("for production", _gate(report.ready_for_production)),
    ]


def _part(name: str, part: ScorePart) -> str:
    return f"{part.points:.3f} {name}" if part.value is not None else f"0 ({name} not measured)"


def _gate(gate: Readiness) -> Cell:
    if gate.ready:
        return Cell("ready", "green")
    return Cell(f"not ready: {'; '.join(gate.reasons)}", "yellow")


def _list(title: str, lines: Sequence[str]) -> None:
    if lines:
        say("")
        say(title)
        for text in lines:
            say(f"  {safe_text(text, 300)}")


def _tables(report: ShadowReport) -> None:
    if report.fields:
        say("")
        print_table(
            ["FIELD", "DIFFERENCE", "TIMES", "RATE", "OLD", "NEW"],
            [
                [
                    item.field,
                    item.kind,
                    str(item.times),
                    _share(item.rate),
                    item.old_sample or "–",
                    item.new_sample or "–",
                ]
                for item in report.fields
            ],
        )
    if report.tenants:
        say("")
        print_table(
            ["TENANT", "EXECUTIONS", "ERRORS", "COMPARED", "MISMATCHES", "RATE"],
            [_tenant(item) for item in report.tenants[:10]],
        )
        if report.tenant_count > 10:
            say(f"{report.tenant_count - 10} more tenants (--json has the first {len(report.tenants)})")


def _tenant(item: TenantShadow) -> list[str]:
    numbers = (item.executions, item.errors, item.compared, item.mismatches)
    return [item.tenant_id or "(others)", *map(str, numbers), _share(item.mismatch_rate)]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.2f} %"
