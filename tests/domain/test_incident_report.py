"""The report shows what outsiders wrote as they wrote it, and never lets it act."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flagconsole.domain.flag import Setting
from flagconsole.domain.incident import AffectedTenant, Incident, TimelineEntry, TimelineKind
from flagconsole.domain.incident_report import escaped, to_markdown
from flagconsole.domain.incident_views import IncidentDetail, IncidentView
from flagconsole.domain.states import FlagState
from flagconsole.domain.text import safe_text

AT = datetime(2026, 11, 22, 3, 14, tzinfo=UTC)


def detail(**fields) -> IncidentDetail:
    incident = Incident(
        **{
            "incident_id": "inc-7",
            "flag_name": "pos.lite",
            "playbook": "kill_switch",
            "trigger": "killed: errors",
            "opened_by": "olu",
            "before": Setting(current_state=FlagState.CANARY, canary_percentage=10),
            "started_at": AT,
        }
        | fields
    )
    entry = TimelineEntry(at=AT, kind=TimelineKind.CHANGE, text="change 9: killed", actor=incident.opened_by)
    return IncidentDetail(
        now=AT,
        incident=IncidentView.of(incident, None),
        affected_tenants=(AffectedTenant(tenant_id="t1", name="Joe's <b>Grill</b>"),),
        timeline=(entry,),
        notices=(),
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pos.lite, p95 - 3 %", "pos.lite, p95 - 3 %"),
        ("# no heading", "\\# no heading"),
        ("- no list", "\\- no list"),
        ("12. no list", "12\\. no list"),
        ("a|b", "a\\|b"),
        ("![x](http://evil)", "!\\[x](http://evil)"),
        ("<script>&lt;", "\\<script>\\&lt;"),
        ("error_rate > 2 %: kill_switch", "error_rate > 2 %: kill_switch"),
        ("Smith & Sons (Kraków), Joe's 2 * 3 < 7", "Smith & Sons (Kraków), Joe's 2 * 3 < 7"),
        ("_all_ __of__ it", "\\_all\\_ \\_\\_of\\_\\_ it"),
        ("> no quote", "\\> no quote"),
        ("**bold** `code` ~~gone~~", "\\*\\*bold\\*\\* \\`code\\` \\~\\~gone\\~\\~"),
        ("line\nbreak", "line break"),
        ("\x1b[2J", "\\u{1b}\\[2J"),
    ],
)
def test_outside_text_is_shown_literally(text, shown):
    assert escaped(text) == shown


@given(st.text(alphabet="ab1 _*`~<>&;#[]()!\\|=+-.:/", max_size=24))
def test_no_renderer_makes_markup_of_it(text):
    renderer = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    plain = " ".join(safe_text(text, 4000).split())
    for around in ("- x {}", "| a |\n|---|\n| {} |", "{}"):
        body = renderer.render(around.format(escaped(plain)))
        shown = html.unescape(re.sub(r"</?(ul|li|p|table|thead|tbody|tr|th|td)>|\n", "", body))
        before = {"- x {}": "x ", "{}": ""}.get(around, "a")
        assert shown.strip() == f"{before}{plain}".strip()


def test_the_report_has_every_field():
    report = to_markdown(
        detail(
            completed_at=AT.replace(minute=18, second=6),
            closed_at=AT.replace(hour=4),
            closed_by="ada",
            estimate_minutes=3.0,
            affected_tenants=("t1",),
            tenants_known=20,
            computed_impact="minimal",
            root_cause="a | slow query",
            resolution_steps=("killed", "index added"),
            prevention="load test",
        )
    )
    for line in (
        "# Incident inc-7: pos.lite",
        "| Trigger | killed: errors |",
        "| State before | canary 10 % |",
        "| Restoration | 4.1 min, estimated 3 min |",
        "| Closed | 2026-11-22 04:14:00Z by ada |",
        "| Affected tenants | 1 of 20 |",
        "| Impact | minimal (computed: 5.0% of the tenants) |",
        "| Post-mortem | due |",
        "| Customer communication | not due |",
        "a \\| slow query",
        "1. index added",
        "load test",
        "| 2026-11-22 03:14:00Z | olu | change 9: killed |",
        "- t1 Joe's \\<b>Grill\\</b>",
    ):
        assert line in report.splitlines(), line


def test_what_is_not_known_is_not_claimed():
    lines = to_markdown(detail()).splitlines()
    assert "| Restored | not yet |" in lines
    assert "| Impact | not known yet |" in lines
    assert "| Affected tenants | not counted yet |" in lines
    assert "Not written yet." in lines


def test_no_control_code_reaches_the_report():
    hostile = "\x1b]52;c;AAAA\x07\u202eevil\x9b31m"
    report = to_markdown(detail(trigger=hostile, opened_by=hostile, root_cause=hostile, prevention=hostile))
    assert not [char for char in report if char != "\n" and not char.isprintable()]
