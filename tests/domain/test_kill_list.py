"""The local kill list: what was signed is obeyed, and nothing that was touched afterwards."""

from __future__ import annotations

import json

import pytest

from flagconsole.domain.kill_list import KillListError, LocalKill, dump_kill_list, parse_kill_list

KEY = "a key of sixteen+"
KILLS = (LocalKill("pos.lite", "double charges ‮", "ada@laptop", "2026-11-22T03:14:07+00:00"),)


def test_a_signed_list_is_read_with_its_key_and_without_one():
    text = dump_kill_list(KILLS, KEY)
    assert parse_kill_list(text, KEY) == KILLS
    assert parse_kill_list(text, None) == KILLS


def test_a_list_that_was_touched_or_never_signed_is_refused():
    data = json.loads(dump_kill_list(KILLS, KEY))
    for touched in (
        {**data, "kills": []},
        {**data, "kills": [{**data["kills"][0], "flag_name": "pos.tips"}]},
        {**data, "signature": "v1=" + "0" * 64},
        {**data, "signature": None},
        {name: value for name, value in data.items() if name != "signature"},
        {**data, "more": 1},
    ):
        with pytest.raises(KillListError, match="signature"):
            parse_kill_list(json.dumps(touched), KEY)
    with pytest.raises(KillListError, match="signature"):
        parse_kill_list(dump_kill_list(KILLS, "another key, as long"), KEY)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2, "kills": []}', '{"format": 1, "kills": [1]}', b"\xff", "[" * 9999]
)
def test_what_is_no_list_is_refused(text):
    with pytest.raises(KillListError):
        parse_kill_list(text, None)


def test_a_short_key_is_refused():
    with pytest.raises(KillListError, match="16 characters"):
        dump_kill_list(KILLS, "short")
