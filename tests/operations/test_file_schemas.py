"""The published schemas take what ships and what is exported, and refuse what a schema can see to be wrong."""

from __future__ import annotations

from importlib.resources import files

import jsonschema_rs
import pytest
from ruamel.yaml import YAML

from flagconsole.domain.environment import Environment, OverrideEntry, entry_of
from flagconsole.domain.playbook import PLAYBOOK_NAMES
from flagconsole.domain.requests import FlagCreate
from flagconsole.domain.stored_plan import PlanEntry
from flagconsole.operations.environment_file import dump_environment, parse_environment
from flagconsole.operations.environment_schema import environment_schema
from flagconsole.operations.plan_file import shipped_plan
from flagconsole.operations.playbook_schema import playbook_schema

from ..conftest import ADMIN

FLAGS = jsonschema_rs.Draft202012Validator(environment_schema(), validate_formats=True)
PLAYBOOK = jsonschema_rs.Draft202012Validator(playbook_schema())
DATA = files("flagconsole").joinpath("data")
GRADUAL = DATA.joinpath("playbooks", "gradual.yaml").read_text(encoding="utf-8")


def read(text):
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("schema", [environment_schema(), playbook_schema()])
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
