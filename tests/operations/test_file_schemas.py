"""The published schemas take what ships and what is exported, and refuse what a schema can see to be wrong."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import jsonschema_rs
import pytest
from ruamel.yaml import YAML

from flagconsole.demo.tenants import tenant_records
from flagconsole.domain.environment import Environment, OverrideEntry, entry_of
from flagconsole.domain.playbook import PLAYBOOK_NAMES
from flagconsole.domain.requests import FlagCreate
from flagconsole.domain.stored_plan import PlanEntry
from flagconsole.operations.bulk_schema import bulk_schema
from flagconsole.operations.environment_file import dump_environment, parse_environment
from flagconsole.operations.environment_schema import environment_schema
from flagconsole.operations.plan_file import shipped_plan
from flagconsole.operations.playbook_schema import playbook_schema
from flagconsole.operations.tenant_file import dump_tenants
from flagconsole.operations.tenant_schema import tenant_schema
from flagconsole.rollout.response_schema import response_schema

from ..conftest import ADMIN

FLAGS = jsonschema_rs.Draft202012Validator(environment_schema(), validate_formats=True)
PLAYBOOK = jsonschema_rs.Draft202012Validator(playbook_schema())
DATA = files("flagconsole").joinpath("data")
GRADUAL = DATA.joinpath("playbooks", "gradual.yaml").read_text(encoding="utf-8")
OTHERS = [bulk_schema(), tenant_schema(), response_schema()]


def read(text):
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("schema", [environment_schema(), playbook_schema(), *OTHERS])
def test_they_are_schemas_themselves(schema):
    jsonschema_rs.meta.validate(schema)


def test_the_catalogue_and_an_export_follow_it():
    catalogue = DATA.joinpath("catalogue", "thorbis.yaml").read_text(encoding="utf-8")
    FLAGS.validate(read(catalogue))


async def test_what_is_exported_follows_it(operations):
    await operations.create(ADMIN, FlagCreate(flag_name="a.b", tags=("x",), expires_on="2027-01-01"))
    flag = (await operations.flag(ADMIN, "a.b")).flag.model_copy(update={"canary_holdout_ids": ("t",)})
    told = OverrideEntry(flag_name="a.b", tenant_id="t", override_state="on", expires_at="2027-01-01T00:00:00Z")
    plan = PlanEntry(plan=shipped_plan("default").plan.model_copy(update={"name": "ours"}))
    text, _ = dump_environment(Environment(flags=(entry_of(flag),), overrides=(told,), plans=(plan,)))
    FLAGS.validate(read(text))


@pytest.mark.parametrize(
    "wrong",
    [
        "{}",
        "flags: {}",
        "flags: [{state: on}]",
        "flags: [{name: a.b, state: canari}]",
        "flags: [{name: a.b, state: true}]",
        "flags: [{name: nodomain}]",
        "flags: [{name: a.b, percentage: 101}]",
        "flags: [{name: a.b, percentage: 1.5}]",
        "flags: [{name: a.b, percentage: null}]",
        "flags: [{name: a.b, owner: null}]",
        "flags: [{name: a.b, tags: x}]",
        "flags: [{name: a.b, tenants: [x]}]",
        "flags: [{name: a.b, expires_on: soon}]",
        "flags: [{name: a.b, is_kill_switch: 1}]",
        "overrides: [{flag: a.b, tenant: t}]",
        "overrides: [{flag: a.b, tenant: t, state: 3}]",
        "others: []",
    ],
)
def test_what_is_refused_is_refused_by_it_too(wrong):
    assert not FLAGS.is_valid(read(wrong))
    with pytest.raises(Exception, match=r"line 1|file"):
        parse_environment(wrong, "x")


@pytest.mark.parametrize("folder", ["playbooks", "playbooks/demo"])
@pytest.mark.parametrize("name", PLAYBOOK_NAMES)
def test_the_playbooks_that_ship_follow_it(name, folder):
    PLAYBOOK.validate(read(DATA.joinpath(*folder.split("/"), f"{name}.yaml").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("name: gradual", "name: slow"),
        ("name: gradual", "name: kill_switch"),
        ("effect: freeze", "effect: kill"),
        ("    effect: freeze\n", ""),
        ("effect: freeze", "effect: freeze\n    minutes: 3"),
        ("effect: freeze", "effect: freeze\n    argv: [ls]"),
        ("kind: flag\n    effect: freeze", "kind: wait\n    minutes: 1"),
        ("minutes: 30", "minutes: soon"),
        ("steps:", "stages:"),
        ("check: csat", "check: mood"),
    ],
)
def test_wrong_playbooks_are_refused(right, wrong):
    assert right in GRADUAL
    assert not PLAYBOOK.is_valid(read(GRADUAL.replace(right, wrong, 1)))


def test_files_of_bulk_set_follow_theirs():
    schema = jsonschema_rs.Draft202012Validator(bulk_schema(), validate_formats=True)
    schema.validate(
        read("""
reason: winter freeze
flags:
  - {name: invoices.auto_send, state: "off"}
  - {name: pos.lite, state: canary, percentage: 10, tenant_ids: [t-1], version: 3, expires_on: "2030-01-01", reason: back}
""")
    )
    for wrong in (
        "{}",
        "flags: []",
        "flags: [{state: canary}]",
        "flags: [{name: a.b, state: onn}]",
        "flags: [{name: a.b, stat: canary}]",
    ):
        assert not schema.is_valid(read(wrong)), wrong


def test_an_export_of_tenants_follows_theirs():
    schema = jsonschema_rs.Draft202012Validator(tenant_schema(), validate_formats=True)
    schema.validate(read(dump_tenants(tenant_records(3)[:40], "yaml")))
    for wrong in (
        "tenants: []",
        "tenants: [{name: x}]",
        "tenants: [{tenant_id: t, risk_score: 2}]",
        "tenants: [{tenant_id: t, regio: eu}]",
    ):
        assert not schema.is_valid(read(wrong)), wrong


def test_what_a_server_may_reach_follows_theirs():
    schema = jsonschema_rs.Draft202012Validator(response_schema())
    pages = (Path(__file__).parents[2] / "docs" / name for name in ("playbooks.md", "notifications.md"))
    for page in pages:
        (text,) = re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
        schema.validate(tomllib.loads(text))
    for wrong in (
        'environment = "staging"',
        '[destinations.x]\nkind = "fax"\nurl = "https://a.example"',
        "[subscriptions.x]\nflags = []",
    ):
        assert not schema.is_valid(tomllib.loads(wrong)), wrong
