"""``plan check`` and ``plan schema``."""

from __future__ import annotations

from .test_rollout import PLAN


def test_a_plan_is_checked_and_shown(fc, home):
    (home / "quick.yaml").write_text(PLAN)
    said = fc("plan", "check", str(home / "quick.yaml"))
    assert said.code == 0
    assert "quick: 3 phases, people promote, rolls back by itself" in said.out
    assert (
        "canary 10: canary 10 %, 0 min at least, 500 operations of 5 tenants (by default), a look every 30 s"
        in said.out
    )
    assert "rollback: error_rate > 2 %" in said.out


def test_a_mistake_is_named_by_line_field_and_value(fc, home):
    (home / "bad.yaml").write_text(PLAN.replace("percentage: 10", "percentage: 110"))
    said = fc("plan", "check", str(home / "bad.yaml"))
    assert (said.code, said.out) == (2, "")
    assert "bad.yaml line 4, phases[1].percentage: must be less than or equal to 100 (got 110)" in said.err
    assert fc("plan", "check", "nowhere.yaml").code == 2


def test_a_shipped_plan_is_shown_as_it_applies_to_a_flag(fc):
    assert "own criteria: estimates.ai_pricing, invoices.write" in fc("plan", "check", "default").out
    own = fc("plan", "check", "default", "--flag", "invoices.write").out
    assert "latency_p95 <= 800" in own
    assert fc("plan", "check", "demo", "--json").json["name"] == "demo"


def test_the_schema_is_printed(fc):
    found = fc("plan", "schema").json
    assert found["$schema"].startswith("https://json-schema.org/")
    assert "phases" in found["required"]


def test_each_kind_of_file_has_its_schema(fc):
    for kind, field in (("flags", "overrides"), ("plan", "phases"), ("playbook", "steps")):
        found = fc("schema", kind).json
        assert (found["$schema"], field in found["properties"]) == (
            "https://json-schema.org/draft/2020-12/schema",
            True,
        )
    assert fc("schema", "cohorts").code == 2
