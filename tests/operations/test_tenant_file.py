"""Files of tenants: what is written is read back, and what is wrong is named by line, field and value."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.tenant import Blackout, Size, TenantProfile
from flagconsole.operations.tenant_file import FIELDS, FORMATS, MAX_YAML_CHARACTERS, dump_tenants, parse_tenants

from ..population import population

ODD = TenantProfile(
    tenant_id='a,"b"; c',
    name='Joe\'s, "Grill" = ünï 日本',
    active=False,
    users=7,
    industry="restaurants",
    risk_score=0.1 + 0.2,
    beta_participant=False,
    timezone="America/Argentina/Buenos_Aires",
    transaction_volume=1e-7,
    tickets_90d=0,
    last_escalation_on=date(2026, 1, 31),
    open_escalation=True,
    custom_configuration=("sap", "own prices"),
    blackouts=(
        Blackout(starts_on=date(2026, 12, 20), ends_on=date(2027, 1, 5), why="holidays, all of them"),
        Blackout(starts_on=date(2027, 4, 1), ends_on=date(2027, 4, 1)),
    ),
)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_written_is_read_back(kind):
    tenants = [ODD, TenantProfile(tenant_id="bare"), *population(50)]
    assert parse_tenants(dump_tenants(tenants, kind), "f", kind) == tenants


names = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30).map(str.strip)


@settings(max_examples=40, deadline=None)
@given(st.lists(names.filter(bool), min_size=1, max_size=5, unique=True), names, st.sampled_from(FORMATS))
def test_any_name_survives(ids, name, kind):
    tenants = [TenantProfile(tenant_id=tenant, name=name) for tenant in ids]
    assert parse_tenants(dump_tenants(tenants, kind), "f", kind) == tenants


@pytest.mark.parametrize(
    "name", ["𐀀 astral", "\u200b\ufeff\u00ad invisible", "日本 \u202e", "# no: comment", "- 'x' \"y\""]
)
def test_letters_that_yaml_is_particular_about_survive(name):
    tenants = [TenantProfile(tenant_id="t", name=name)]
    assert parse_tenants(dump_tenants(tenants, "yaml"), "f", "yaml") == tenants


def test_missing_columns_are_left_alone_and_empty_cells_are_unknown():
    (tenant,) = parse_tenants("tenant_id,risk_score,users\nt1,,3\n", "f", "csv")
    assert tenant.model_fields_set == {"tenant_id", "risk_score", "users", "size"}
    assert (tenant.risk_score, tenant.size) == (None, Size.SMALL)
    (tenant,) = parse_tenants("tenants:\n  - tenant_id: t1\n    risk_score: null\n", "f", "yaml")
    assert tenant.model_fields_set == {"tenant_id", "risk_score"}


def refused(text, kind="csv"):
    with pytest.raises(InvalidInput) as error:
        parse_tenants(text, "tenants.csv", kind)
    return str(error.value)


HEAD = "tenant_id,risk_score,timezone,beta_participant,blackouts\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("t1,1.5,,,\n", "line 2, risk_score: must be less than or equal to 1 (got 1.5)"),
        ("t1,low,,,\n", "line 2, risk_score: must be a valid number"),
        ("t1,nan,,,\n", "line 2, risk_score: must be a finite number"),
        ("t1,,,,\nt2,,Mars/Base,,\n", "line 3, timezone: must be an IANA time zone"),
        ("t1,,,maybe,\n", "line 2, beta_participant: must be true or false (got 'maybe')"),
        ("t1,,,,soon\n", "line 2, blackouts: must be like 2026-12-20..2027-01-05 holidays"),
        ("t1,,,,2026-13-01..2027-01-01 x\n", "line 2, blackouts[0].starts_on"),
        ("t1,,\n", "line 2, row: must have 5 cells like the header (got 3)"),
        (",0.1,,,\n", "line 2, tenant_id: field required"),
        ('"t\n1",0.1,,,\nt2,9,,,\n', "line 2, tenant_id: must be a single line"),
        ("t1,,,,\n\nt1,,,,\n", "line 4, tenant_id: is in line 2 already (got 't1')"),
        ('t1,"unclosed\n', "is not CSV"),
        ("", "has no tenants"),
    ],
)
def test_wrong_rows_are_named(rows, message):
    said = refused(HEAD + rows)
    assert said.startswith("tenants.csv line ")
    assert message in said


def test_a_size_that_does_not_go_with_the_users_is_shown_as_it_was_written():
    said = refused("tenant_id,size,users\nt1,small,8\n")
    assert "line 2, size: size must be medium for 8 users, or be left out (got 'small')" in said


def test_several_wrong_rows_are_named_at_once():
    said = refused(HEAD + "".join(f"t{number},9,,,\n" for number in range(20)))
    assert "line 2, risk_score" in said
    assert "line 7, risk_score" in said
    assert "line 8" not in said
    assert "and 14 more" in said
    assert said.endswith("Nothing was imported.")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("tenant_id,riskscore", "did you mean risk_score?"),
        ("tenant_id,xyzzy", "columns are tenant_id, name"),
        ("tenant_id,name,name", "the same column twice"),
        ("name", "needs the column tenant_id"),
        ("", "header: is missing"),
    ],
)
def test_wrong_headers_are_named(header, message):
    assert message in refused(f"{header}\nt1,x\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tenants:\n  - tenant_id: t1\n    risk_score: 2\n", "line 3, risk_score"),
        ("tenants:\n  - tenant_id: t1\n  - tenant_id: t1\n", "line 3, tenant_id: is in line 2 already"),
        ("tenants:\n  - name: x\n", "line 2, tenant_id: field required"),
        ("tenants:\n  - tenant_id: t1\n    risk: 0.1\n", "line 3, risk: extra inputs are not permitted"),
        ("tenants:\n  - t1\n", "line 2, tenants[0]: must be a mapping"),
        ("tenants: 3\n", "must be a mapping with the list tenants"),
        ("- tenant_id: t1\n", "must be a mapping with the list tenants"),
        ("tenants: [\n", "is not YAML"),
        ("tenants: []\n", "has no tenants"),
        ("a" * (MAX_YAML_CHARACTERS + 1), f"at most {MAX_YAML_CHARACTERS} characters"),
    ],
)
def test_wrong_yaml_is_named(text, message):
    assert message in refused(text, "yaml")


def test_hostile_files_reach_no_terminal():
    assert "\x1b" not in refused("tenant_id,\x1b[2J\nt1,x\n")
    assert "\x1b" not in refused("tenant_id,risk_score\nt1,\x1b[2J\n")


def test_every_field_is_a_column():
    assert dump_tenants([], "csv") == ",".join(FIELDS) + "\n"
    assert dump_tenants([], "yaml") == "tenants: []\n"
