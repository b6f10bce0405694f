"""Catalogues: the shipped one, and mistakes named by line, field and value."""

from __future__ import annotations

import pytest

from flagconsole.domain.dependencies import refuse_cycle
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.states import FlagState, FlagType
from flagconsole.operations.catalogue import parse_catalogue, shipped_catalogue
from flagconsole.operations.strict_yaml import MAX_CHARACTERS


def refusal(text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse_catalogue(text, "mine.yaml")
    return str(caught.value)


def test_the_shipped_catalogue_has_the_27_flags_all_off():
    flags = shipped_catalogue("thorbis")
    assert len(flags) == 27
    assert {flag.default_state for flag in flags} == {FlagState.OFF}
    assert [flag.flag_name for flag in flags if flag.flag_type is FlagType.DOMAIN] == [
        "invoices.write", "estimates.write", "scheduling.write", "pos.lite", "v0.templates",
    ]  # fmt: skip
    by_name = {flag.flag_name: flag for flag in flags}
    assert by_name["invoices.auto_send"].dependencies == ("invoices.write", "email.send")
    assert by_name["integrations.quickbooks"].rollback_time_seconds == 90
    assert by_name["ai.vector_search"].is_kill_switch
    assert "PUT /api/invoices/{id}" in by_name["invoices.write"].affects


def test_the_shipped_catalogue_has_no_cycle():
    flags = shipped_catalogue("thorbis")
    graph = {flag.flag_name: flag.dependencies for flag in flags}
    for name, dependencies in graph.items():
        refuse_cycle(name, dependencies, graph)


def test_words_that_look_like_yaml_booleans_are_strings():
    (flag,) = parse_catalogue("flags:\n  - {name: a.b, default_state: on, description: no}\n", "mine.yaml")
    assert (flag.default_state, flag.description) == (FlagState.ON, "no")


def test_json_is_a_catalogue_too():
    (flag,) = parse_catalogue('{"flags": [{"name": "a.b", "is_kill_switch": true, "tags": ["x"]}]}', "mine.json")
    assert flag.is_kill_switch
    assert flag.tags == ("x",)


def test_every_field_of_a_definition_can_be_written():
    (flag,) = parse_catalogue(
        "flags:\n- name: a.b\n  type: experiment\n  owner: payments\n  expires_on: 2027-01-31\n  plan: default\n", "x"
    )
    assert (flag.flag_type, flag.owner, str(flag.expires_on)) == (FlagType.EXPERIMENT, "payments", "2027-01-31")
    assert flag.change_reason == "loaded from x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "mine.yaml line 1, file: must be a mapping with the list flags"),
        ("- a\n", "must be a mapping with the list flags (got 'a list')"),
        ("flags: []\n", "line 1, flags: must be a list of at least one flag"),
        ("flags: {}\n", "line 1, flags: must be a list"),
        ("flag:\n- name: a.b\n", "line 1, flag: is not a field of a catalogue"),
        ("flags:\n- name: a.b\n  typ: feature\n", "line 3, flags[0].typ: is not a field of a flag; did you mean type?"),
        ("flags:\n- name: a.b\n  flag_type: feature\n", "did you mean type?"),
        ("flags:\n- name: a.b\n  type: featur\n", "line 3, flags[0].type: must be 'domain'"),
        ("flags:\n- type: feature\n", "line 2, flags[0].name: is missing"),
        ("flags:\n- name: A.b\n", "line 2, flags[0].name: must be like domain.feature"),
        ("flags:\n- name: a.b\n- name: a.b\n", "line 3, flags[1].name: is defined in line 2 already (got 'a.b')"),
        ("flags: [{name: a.b}, {name: a.b}]\n", "flags[1].name: is defined in line 1 already"),
        ("flags:\n- name: a.b\n  name: c.d\n", "line 3, name: is a duplicate key (first in line 2)"),
        ("flags:\n- name: a.b\n  affects:\n  - x\n  - 3\n", "line 5, flags[0].affects[1]: must be a valid string"),
        ("flags:\n- name: a.b\n  rollback_time_seconds: -1\n", "line 3, flags[0].rollback_time_seconds: must be"),
        ("flags:\n- name: a.b\n  default_state: canary\n", "a flag starts as off, shadow or on"),
        ("flags:\n- &x {name: a.b}\n- *x\n", "line 2, file: must not use anchors or aliases"),
        ("flags:\n- *x\n", "must not use anchors or aliases"),
        ("flags: !!python/name:os.system x\n", "must not use tags"),
        ("flags:\n- name: a.b\n--- \nflags: 1\n", "must hold one document"),
        ("? [a]\n: 1\n", "must have strings as keys"),
        ("flags: [\n", "is not YAML"),
        ("flags:\n\t- x\n", "line 2, file: is not YAML"),
        ("flags:\n- name: a.b\n  owner: \x1b[31m\n", "is not YAML: unacceptable character"),
        ("{" * 200, "must not nest deeper than 16 levels"),
        ("#" * (MAX_CHARACTERS + 1), "must have at most"),
    ],
)
def test_a_mistake_is_named_by_line_field_and_value(text: str, expected: str):
    assert expected in refusal(text)


def test_a_hostile_value_is_shown_without_its_control_characters():
    message = refusal('flags:\n- name: a.b\n  "x\\x1b]52;c;aGk\\x07": 1\n')
    assert "\x1b" not in message
    assert "\\u{1b}" in message
