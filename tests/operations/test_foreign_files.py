"""Files of Unleash and flagd: what maps, maps; what doesn't is listed by line; nobody gets a feature that they hadn't."""

from __future__ import annotations

from pathlib import Path

import pytest

from flagconsole.domain.errors import InvalidInput
from flagconsole.operations.flagd_file import parse_flagd
from flagconsole.operations.foreign_file import Reading
from flagconsole.operations.strict_yaml import Place
from flagconsole.operations.unleash_file import parse_unleash

FILES = Path(__file__).parent / "foreign"
UNLEASH = (FILES / "unleash.json").read_text()
FLAGD = (FILES / "flagd.json").read_text()


def unleash(text=UNLEASH, **reading):
    return parse_unleash(text, Place("unleash.json"), Reading(**reading))


def flagd(text=FLAGD, **reading):
    return parse_flagd(text, Place("flagd.json"), Reading(**reading))


def settings(found):
    return {
        name: (flag.current_state.value, flag.canary_percentage or 0, flag.canary_tenant_ids or ())
        for name, flag in found.flags.items()
    }


def overrides(found):
    return {(item.flag_name, item.tenant_id): item.override_state.value for item in found.overrides}


def left(found):
    return {item.what: item.why for item in found.left}


def test_what_unleash_maps_to():
    found = unleash()
    assert settings(found) == {
        "pos.lite": ("canary", 25, ()),
        "pos.tips": ("on", 0, ()),
        "pos.pilot": ("canary", 0, ("t7",)),
        "pos.share": ("off", 40, ()),
        "pos.users": ("off", 0, ()),
        "pos.segment": ("off", 0, ()),
        "pos.child": ("on", 0, ()),
        "pos.orphan": ("off", 0, ()),
        "pos.disabled": ("off", 0, ()),
    }
    assert overrides(found) == {("pos.lite", "t1"): "on", ("pos.lite", "t2"): "on"}
    assert found.flags["pos.child"].dependencies == ("pos.tips",)
    assert (found.flags["pos.lite"].description, found.flags["pos.lite"].tags) == (
        "Simple sales",
        ("till", "team:money"),
    )
    tips = found.flags["pos.tips"]
    assert (tips.flag_type, tips.is_kill_switch, tips.tags) == ("kill_switch", True, ("project:till", "stale"))


def test_what_unleash_has_besides_is_listed_with_its_line():
    found = unleash()
    why = left(found)
    for what, part in {
        "darkMode": "domain.feature",
        "pos.old": "is archived",
        "pos.lite.impressionData": "counted",
        "pos.tips: variants of a strategy": "variants have no counterpart",
        "pos.pilot: strategy flexibleRollout": "isn't a list of tenantId",
        "pos.share.type": "becomes feature",
        "pos.share: strategy flexibleRollout": "other tenants than ours",
        "pos.users: strategy userWithId": "names users",
        "pos.segment: strategy flexibleRollout": "segment",
        "segment Europe": "no segments",
        "pos.orphan: dependency darkMode": "isn't taken over, so the flag starts off",
        "pos.disabled.strategies": "is disabled",
    }.items():
        assert part in why[what], what
    assert len(why) == 12
    lines = UNLEASH.splitlines()
    assert all(item.what.split(".")[0].split(":")[0].split(" ")[-1] in lines[item.line - 1] for item in found.left)


def test_a_tenant_may_be_a_user_and_a_name_get_a_domain():
    found = unleash(tenant_field="userId", domain="web")
    assert settings(found)["pos.users"] == ("canary", 0, ("u1", "u2"))
    assert "domain.feature" in left(found)["darkMode"], "a capital letter is no name of ours in any domain"
    renamed = unleash(UNLEASH.replace("darkMode", "dark-mode"), domain="web")
    assert settings(renamed)["web.dark-mode"] == ("on", 0, ())
    assert renamed.flags["pos.orphan"].dependencies == ("web.dark-mode",)
    assert settings(found)["pos.lite"] == ("off", 0, ())


def test_unleash_client_features_are_read_too():
    text = """{"version": 2, "features": [
      {"name": "a.all", "type": "release", "enabled": true, "strategies": []},
      {"name": "a.gone", "type": "release", "enabled": false, "strategies": [{"name": "default"}]},
      {"name": "a.old", "enabled": true, "strategies": [
        {"name": "gradualRolloutUserId", "parameters": {"percentage": "10", "groupId": "a.old"}}]},
      {"name": "a.random", "enabled": true, "strategies": [{"name": "gradualRolloutRandom", "parameters": {"percentage": "10"}}]}
    ]}"""
    found = unleash(text)
    assert settings(found)["a.all"][0] == "on"
    assert {settings(found)[name][0] for name in ("a.gone", "a.old", "a.random")} == {"off"}
    assert settings(unleash(text, tenant_field="userId"))["a.old"] == ("canary", 10, ())


def test_of_several_environments_one_is_chosen():
    text = UNLEASH.replace('"environment": "production"', '"environment": "development"', 1)
    with pytest.raises(InvalidInput, match="choose one with --from-environment"):
        unleash(text)
    found = unleash(text, environment="production")
    assert settings(found)["pos.lite"][0] == "off", "nothing says that it is on there"
    with pytest.raises(InvalidInput, match="has only development, production"):
        unleash(text, environment="staging")


def test_what_flagd_maps_to():
    found = flagd()
    assert settings(found) == {
        "pos.lite": ("on", 0, ()),
        "pos.off": ("off", 0, ()),
        "pos.pilot": ("canary", 0, ("t1", "t2")),
        "pos.not-them": ("on", 0, ()),
        "pos.share": ("off", 25, ()),
        "pos.mail": ("off", 0, ()),
        "pos.code": ("off", 0, ()),
    }
    assert overrides(found) == {("pos.not-them", "t9"): "off"}
    why = left(found)
    for what, part in {
        "pos.share": "other tenants than ours",
        "pos.mail": "starts off: this condition",
        "pos.colour": "aren't all true or false",
        "pos.code": "the code decides",
        "newWelcome": "domain.feature",
        "$evaluators": "nothing like it",
    }.items():
        assert part in why[what], what
    assert len(why) == 6
    assert [item.line for item in found.left if item.what == "pos.share"] == [
        FLAGD.splitlines().index(next(line for line in FLAGD.splitlines() if "fractional" in line)) + 1
    ]


@pytest.mark.parametrize(
    ("targeting", "why"),
    [
        ('{"fractional": [["on", 50], ["off", 50]]}', "targeting key"),
        ('{"fractional": [{"var": "email"}, ["on", 50], ["off", 50]]}', "something else than tenantId"),
        ('{"fractional": [{"var": "tenantId"}, ["on", "x"]]}', "shares can't be read"),
        ('{"$ref": "isStaff"}', "no counterpart"),
        ('{"if": [{"in": [{"var": "tenantId"}, ["t1"]]}, "on", {"if": []}]}', "no counterpart"),
        ('{"if": [{"in": [{"var": "tenantId"}, ["t1", 2]]}, "on"]}', "no counterpart"),
        ('{"if": [true, "on", "off"]}', "no counterpart"),
    ],
)
def test_a_flag_whose_targeting_is_not_understood_starts_off(targeting: str, why: str):
    text = '{"flags": {"a.b": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on", "targeting": %s}}}'
    found = flagd(text % targeting)
    assert (settings(found)["a.b"][0], why in found.left[0].why) == ("off", True)


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (unleash, "[]", "must be a mapping"),
        (unleash, "{}", "has no flags"),
        (unleash, '{"features": [{"type": "release"}]}', "line 1, features.name: is missing"),
        (unleash, '{"features": {}}', "line 1, features: must be a list"),
        (unleash, '{"features": [{"name": "a.b"},\n{"name": "a.b"}]}', "line 2, a.b: is there twice"),
        (flagd, '{"flags": 3}', "line 1, flags: must be a mapping"),
        (flagd, '{"flags": {"a.b": 3}}', "line 1, flags.a.b: must be a mapping (got 3)"),
        (flagd, '{"flags": [{"state": "ENABLED"}]}', "flags[0].key: is missing"),
    ],
)
def test_a_file_that_is_none_is_refused(parse, text: str, said: str):
    with pytest.raises(InvalidInput) as refused:
        parse(text)
    assert said in str(refused.value)
