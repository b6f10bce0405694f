"""A flag's shadow report: how ready it is for a canary, what stands in its way, and where old and new differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagconsole.console.ages import age_role, age_text
from flagconsole.console.glyphs import ARROW, DONE, FAILED
from flagconsole.console.line import BLANK, Line, cell, line, wrapped
from flagconsole.console.safe import span

if TYPE_CHECKING:
    from flagconsole.domain.shadow_report import Readiness, ShadowReport

#: Rows of a list that are shown.
MOST: Final = 8


def report_lines(report: ShadowReport, width: int) -> list[Line]:
    """The whole report."""
    if not report.executions:
        said = "No shadow executions in the last 24 h. Services report them when they run the new way through the SDK's shadow."
        return [*wrapped(said, width, "warning", most=4), *_blocking(report, width)]
    rows = [*_readiness(report), *_blocking(report, width), BLANK, *_figures(report)]
    rows += [*_mismatches(report, width), *_failures(report), *_tenants(report), *_advice(report, width)]
    return rows


def _readiness(report: ShadowReport) -> list[Line]:
    score = report.readiness.score
    shown = span("–" if score is None else f"{score:.2f}", "strong")
    rows = [line(span("READINESS  ", "header"), shown, span("  of 1.00", "muted"))]
    return [*rows, _ready("canary", report.ready_for_canary), _ready("production", report.ready_for_production)]


def _ready(step: str, readiness: Readiness) -> Line:
    if readiness.ready:
        return line(span(f"{DONE} ready for {step}", "good"))
    return line(span(f"{FAILED} not ready for {step}", "danger"), span(f"  {'; '.join(readiness.reasons)}", "muted"))


def _blocking(report: ShadowReport, width: int) -> list[Line]:
    if not report.blocking_issues:
        return []
    rows = [BLANK, line(span("IN ITS WAY", "header"))]
    for issue in report.blocking_issues[:MOST]:
        rows += wrapped(f"! {issue.message}", width, "danger", most=2)
    return rows


def _figures(report: ShadowReport) -> list[Line]:
    age = report.age_seconds
    fresh = span(f"newest {age_text(age)} old", age_role(age)) if age is not None else span("age not known", "warning")
    kinds = ", ".join(f"{kind.value} {count}" for kind, count in report.by_type.items() if count)
    effects = ", ".join(f"{kind.value} {count}" for kind, count in report.effects.items() if count)
    rows = [
        line(span("EXECUTIONS ", "header"), span(report.executions, "strong"), span(f"  {kinds}  ", "muted"), fresh),
        _figure("success", _percent(report.success_rate), "≥ 95 %"),
        _figure("errors", _percent(report.error_rate), f"≤ 2 %; {report.errors} in all"),
        _figure("time", _time(report), "≤ 110 % of the old"),
        _figure("consistent", _percent(report.consistency), f"of {report.compared} compared"),
        _figure("intents", str(report.intents), f"{report.invalid_intents} invalid"),
        _figure("kept back", str(report.effects_avoided), effects or "no effects"),
    ]
    if report.skipped:
        rows.append(_figure("skipped", str(report.skipped), "left out by the budget"))
    return rows


def _figure(name: str, value: str, note: str) -> Line:
    return line(cell(f"  {name}", 13), cell(value, 14, "strong", right=True), span(f"  {note}", "muted"))


def _time(report: ShadowReport) -> str:
    if report.mean_ms is None:
        return "not measured"
    ratio = "" if report.time_ratio is None else f" ({report.time_ratio:.0%})"
    return f"{report.mean_ms:.1f} ms{ratio}"


def _mismatches(report: ShadowReport, width: int) -> list[Line]:
    if not report.fields:
        return []
    rows = [BLANK, line(span("MISMATCHES BY FIELD", "header"), span("  old → new", "muted"))]
    for item in report.fields[:MOST]:
        rate = "" if item.rate is None else f" {item.rate:.2%}"
        rows.append(
            line(
                cell(item.field, min(26, width // 3), "strong"),
                cell(f"{item.times}×{rate}", 14, right=True),
                span(f"  {item.kind}  ", "muted"),
                span(item.old_sample if item.old_sample is not None else "–"),
                f" {ARROW} ",
                span(item.new_sample if item.new_sample is not None else "–"),
            )
        )
    return rows


def _failures(report: ShadowReport) -> list[Line]:
    rows: list[Line] = []
    if report.failures:
        rows += [BLANK, line(span("ERRORS", "header"))]
        rows += [line(cell(f"{item.times}×", 7, right=True), " ", span(item.error, "danger"), span(f"  {item.source}", "muted"))
                 for item in report.failures[:MOST]]  # fmt: skip
    if report.bad_intents:
        rows += [BLANK, line(span("INVALID UI INTENTS", "header"))]
        rows += [line(cell(f"{item.times}×", 7, right=True), " ", span(item.intent, "strong"), span(f"  {item.problem}", "muted"))
                 for item in report.bad_intents[:MOST]]  # fmt: skip
    failed = [item for item in report.validations if item.failed]
    if failed:
        rows += [BLANK, line(span("VALIDATIONS THAT FAILED", "header"))]
        rows += [line(cell(f"{item.failed}×", 7, right=True), " ", span(item.name), span(f"  passed {item.passed}×", "muted"))
                 for item in failed[:MOST]]  # fmt: skip
    return rows


def _tenants(report: ShadowReport) -> list[Line]:
    if not report.tenants:
        return []
    rows = [BLANK, line(span("WORST TENANTS", "header"), span(f"  of {report.tenant_count}", "muted"))]
    for item in report.tenants[:MOST]:
        text = f"{item.executions} executions, {item.errors} errors, {item.mismatches} of {item.compared} differ"
        rows.append(line(cell(item.tenant_id or "(others)", 20, "strong"), span(text, "muted")))
    return rows


def _advice(report: ShadowReport, width: int) -> list[Line]:
    rows: list[Line] = []
    for text in report.recommendations[:MOST]:
        rows += wrapped(f"· {text}", width, "muted", most=2)
    return [BLANK, line(span("WHAT TO DO", "header")), *rows] if rows else []


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2%}"
