"""``tenants`` and ``cohort``."""

from __future__ import annotations

import pytest

from flagconsole.domain.tenant import TenantProfile
from flagconsole.operations.tenant_file import dump_tenants, parse_tenants

from ..population import population


@pytest.fixture
def tenants(flags, tmp_path):
    path = tmp_path / "tenants.csv"
    path.write_text(dump_tenants(population(200), "csv"))
    assert flags("tenants", "import", str(path)).out == "200 tenants added, 0 updated, 0 unchanged; 200 in all\n"
    return flags


def test_import_export_and_list(tenants, tmp_path):
    yaml = tmp_path / "out.yaml"
    assert tenants("tenants", "export", str(yaml)).out == f"200 tenants written to {yaml}\n"
    assert parse_tenants(yaml.read_text(), "f", "yaml") == population(200)
    assert tenants("tenants", "import", str(yaml)).out == "0 tenants added, 0 updated, 200 unchanged; 200 in all\n"
    csv = tenants("tenants", "export").out
    assert parse_tenants(csv, "f", "csv") == population(200)
    changed = "tenant_id,active\nt00001,false\nnew,true\n"
    dry = tenants("tenants", "import", "-", "--format", "csv", "--dry-run", "--json", stdin=changed).json
    assert dry == {"added": 1, "updated": 1, "unchanged": 0, "tenants": 201, "dry_run": True}
    assert tenants("tenants", "import", "-", "--format", "csv", stdin=changed).code == 0
    listed = tenants("tenants", "list", "--json").json["tenants"]
    assert "t00001" not in [tenant["tenant_id"] for tenant in listed]
    assert "inactive" in tenants("tenants", "list", "--all").out
    assert len(tenants("tenants", "list").out.splitlines()) == 1 + 200


def test_a_wrong_row_imports_nothing(tenants, tmp_path):
    path = tmp_path / "wrong.csv"
    path.write_text("tenant_id,risk_score\nx1,0.1\nx2,7\n")
    result = tenants("tenants", "import", str(path))
    assert result.code == 2
    assert f"{path} line 3, risk_score" in result.err
    assert len(tenants("tenants", "list", "--json").json["tenants"]) == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "tenants.txt"], "say --format csv or --format yaml"),
        (["import", "/no/such.csv"], "can't be read"),
        (["export", "/no/such.csv"], "can't be written"),
    ],
)
def test_files_that_do_not_work(flags, arguments, message):
    result = flags("tenants", *arguments)
    assert result.code == 2
    assert message in result.err


def test_hostile_names_are_shown_harmlessly(flags):
    # No import lets an escape in, but bidirectional and invisible letters are legal text.
    name = "Harbor\u202eGrill\u200b"
    file = dump_tenants([TenantProfile(tenant_id="t1", name=name)], "yaml")
    assert flags("tenants", "import", "-", "--format", "yaml", stdin=file).code == 0
    shown = flags("tenants", "list").out
    assert "\u202e" not in shown
    assert "\\u{202e}" in shown


def test_a_cohort_is_drawn_shown_and_explained(tenants):
    assert "No cohort has been drawn" in tenants("cohort", "pos.lite").err
    dry = tenants("cohort", "pos.lite", "--percentage", "10", "--seed", "4", "--dry-run")
    assert "would change pos.lite" in dry.out
    assert tenants("cohort", "pos.lite").code == 3
    drawn = tenants("cohort", "pos.lite", "first canary", "--percentage", "10", "--seed", "4", "--start")
    assert "pos.lite: off → canary 10 %" in drawn.out
    assert "20 of 20 wanted, of 200 active" in drawn.out
    assert "pos.lite: canary 10 % → shadow" in tenants("set", "pos.lite", "shadow", "look again").out
    assert "pos.lite: shadow → canary 10 %" in tenants("rollback", "pos.lite", "it was fine", "--allow-raise").out
    shown = tenants("cohort", "pos.lite")
    assert "10 % of pos.lite, which is canary" in shown.out
    assert "us_west" in shown.out
    view = tenants("cohort", "pos.lite", "--json").json
    assert len(view["tenants"]) == 200
    inside = [tenant["tenant_id"] for tenant in view["tenants"] if tenant["inside"]]
    assert len(inside) == 20
    listed = tenants("cohort", "pos.lite", "--members").out
    assert all(tenant in listed for tenant in inside)
    told = tenants("cohort", "pos.lite", "--explain", inside[0]).out
    assert told.startswith(f"{inside[0]}  in (")
    outside = next(tenant["tenant_id"] for tenant in view["tenants"] if not tenant["inside"])
    assert tenants("cohort", "pos.lite", "--explain", outside).out.startswith(f"{outside}  out (")
    assert tenants("cohort", "pos.lite", "--explain", "nobody").code == 3
    assert "first canary" in tenants("history", "pos.lite").out


def test_a_wider_cohort_contains_it(tenants):
    def inside():
        return {item["tenant_id"] for item in tenants("cohort", "pos.lite", "--json").json["tenants"] if item["inside"]}

    tenants("cohort", "pos.lite", "--percentage", "10", "--start")
    first = inside()
    assert tenants("cohort", "pos.lite", "--percentage", "50").code == 0
    assert len(inside()) == 100
    assert first < inside()


def test_what_is_refused(flags):
    nobody = flags("cohort", "pos.lite", "--percentage", "10")
    assert (nobody.code, "knows no tenants" in nobody.err) == (4, True)
    assert flags("cohort", "pos.lite", "--percentage", "100").code == 2
    assert "say --percentage" in flags("cohort", "pos.lite", "--seed", "3").err
    assert "Did you mean 'pos.lite'?" in flags("cohort", "pos.light", "--percentage", "10").err


def test_a_canary_by_hash_answers_with_its_tenants(flags):
    rows = "".join(f"t{number:03},true\n" for number in range(200))
    assert flags("tenants", "import", "-", "--format", "csv", stdin="tenant_id,active\n" + rows).code == 0
    assert flags("set", "pos.lite", "canary", "a plan began it", "--percentage", "10").code == 0
    said = flags("cohort", "pos.lite").out
    assert "10 % of pos.lite, which is canary, by hash: nothing was drawn" in said
    view = flags("cohort", "pos.lite", "--json").json
    inside = [item["tenant_id"] for item in view["tenants"] if item["inside"]]
    assert f"{len(inside)} of 200 active" in said
    assert view["actual"] == len(inside) > 5
    assert (view["drawn"], view["named"], view["next_after"]) == (False, None, None)
    listed = flags("cohort", "pos.lite", "--members").out
    assert all(name in listed for name in inside)
    outside = next(item["tenant_id"] for item in view["tenants"] if not item["inside"])
    assert outside not in listed
    assert flags("cohort", "pos.lite", "--explain", inside[0]).out.startswith(f"{inside[0]}  in (hash_in): bucket ")
    assert flags("get", "pos.lite", "--tenant", inside[0], "--json").json["effective_state"] == "canary"
    assert flags("cohort", "pos.lite", "--explain", "nobody").code == 3
