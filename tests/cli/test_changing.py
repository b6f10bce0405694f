"""``set``, ``revive``, ``rollback``, ``override``, ``create``, ``archive`` and ``init``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from flagconsole.cli.embedded import Embedded, local_actor
from flagconsole.domain.requests import FlagUpdate
from flagconsole.domain.views import ChangeResult, FlagDetail


def state(flags: Any, name: str = "pos.lite") -> str:
    found: str = flags("get", name, "--json").json["flag"]["current_state"]
    return found


def test_set_says_from_what_to_what(flags: Any):
    shown = flags("set", "pos.lite", "canary", "first customers", "--percentage", "10")
    assert shown.out == "pos.lite: off → canary 10 % (revision 28, version 2)\n"
    again = flags("set", "pos.lite", "canary", "same", "--percentage", "10")
    assert again.out == "pos.lite: nothing to change, it is canary 10 % since revision 28\n"


def test_the_reason_stands_alone_or_behind_its_option(flags: Any):
    assert flags("set", "pos.lite", "on", "because").code == 0
    assert flags("set", "pos.lite", "off", "--reason", "because").code == 0
    for bad in (
        ("set", "pos.lite", "on"),
        ("kill", "pos.lite"),
        ("kill", "pos.lite", " "),
        ("kill", "pos.lite", "a", "b"),
    ):
        shown = flags(*bad)
        assert shown.code == 2, bad
        assert "reason" in shown.err
    assert state(flags) == "off"
    assert flags("kill", "pos.lite", "a", "--reason", "b").code == 0, "no kill is refused for saying too much"
    assert flags("history", "pos.lite", "--json").json["changes"][0]["change_reason"] == "a; b"


def test_a_reason_with_a_control_character_is_refused_by_name(flags: Any):
    shown = flags("kill", "pos.lite", "a\x1bb")
    assert shown.code == 2
    assert "kill_reason: must not contain the control character U+001B" in shown.err


def test_a_cohort_is_chosen_by_tenant_ids(flags: Any):
    shown = flags("set", "pos.lite", "canary", "--tenant-ids", "acme, globex", "--reason", "they asked")
    assert "canary of 2 tenants" in shown.out
    assert flags("get", "pos.lite", "--tenant", "acme", "--json").json["effective_state"] == "canary"
    assert flags("get", "pos.lite", "--tenant", "initech", "--json").json["effective_state"] == "off"


@pytest.mark.parametrize("percentage", ["-1", "101", "ten"])
def test_a_percentage_out_of_range_is_a_usage_error(flags: Any, percentage: str):
    assert flags("set", "pos.lite", "canary", "x", f"--percentage={percentage}").code == 2


def test_a_dry_run_changes_nothing(flags: Any):
    shown = flags("set", "pos.lite", "on", "x", "--dry-run")
    assert shown.out.startswith("would change pos.lite: off → on")
    assert flags("kill", "pos.lite", "x", "--dry-run").code == 0
    assert flags("create", "new.flag", "for a test", "--dry-run").code == 0
    assert flags("archive", "pos.offline_mode", "x", "--dry-run").code == 0
    assert flags("override", "pos.lite", "on", "--tenant", "acme", "--dry-run").code == 0
    assert flags("status", "--json").json["revision"] == 27


@pytest.fixture
def outrun(monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[None]]:
    """Somebody else changes each flag right after a command has read it."""
    read = Embedded.flag

    async def outrun(self: Embedded, name: str, tenant_id: str | None = None) -> FlagDetail:
        detail = await read(self, name, tenant_id)
        await self.update(name, FlagUpdate(change_reason="I was faster", owner=f"eve {detail.flag.version}"))
        return detail

    @contextmanager
    def outrunning() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(Embedded, "flag", outrun)
            yield

    return outrunning


def test_whatever_raises_carries_the_version_that_was_read(flags: Any, outrun: Any):
    flags("set", "pos.lite", "shadow", "look")
    flags("set", "pos.lite", "off", "enough")
    flags("kill", "pos.offline_mode", "stop")
    for arguments in (
        ("set", "pos.lite", "on", "x"),
        ("rollback", "pos.lite", "x", "--to-change-id", "28", "--allow-raise"),
        ("override", "pos.lite", "on", "x", "--tenant", "acme"),
        ("revive", "pos.offline_mode", "x"),
    ):
        with outrun():
            shown = flags(*arguments)
        assert (shown.code, "I was faster" in shown.err) == (5, True), arguments
    assert (state(flags), state(flags, "pos.offline_mode")) == ("off", "kill")


def test_what_lowers_is_not_refused_for_its_version(flags: Any, outrun: Any):
    flags("set", "pos.lite", "on", "go")
    with outrun():
        assert flags("set", "pos.lite", "off", "x").code == 0


def test_revive_lands_in_off_and_only_lower_states(flags: Any):
    flags("set", "pos.lite", "canary", "x", "--percentage", "20")
    flags("kill", "pos.lite", "stop")
    assert flags("revive", "pos.lite", "up", "--to", "on").code == 2
    assert flags("revive", "pos.lite", "up", "--to", "canary", "--percentage", "30").code == 2
    assert flags("revive", "pos.lite", "fixed").out == "pos.lite: kill → off (revision 30, version 4)\n"
    refused = flags("revive", "pos.lite", "again")
    assert (refused.code, "is not killed (it is off)" in refused.err) == (4, True)


def test_nothing_but_revive_clears_a_kill(flags: Any):
    flags("kill", "pos.lite", "stop")
    for arguments in (("set", "pos.lite", "on", "x"), ("rollback", "pos.lite", "x"), ("archive", "pos.lite", "x")):
        assert flags(*arguments).code == 4
    assert state(flags) == "kill"


def test_rollback_undoes_and_raises_only_when_asked(flags: Any):
    flags("set", "pos.lite", "on", "go")
    assert "on → off" in flags("rollback", "pos.lite", "undo").out
    flags("set", "pos.lite", "shadow", "look")
    flags("set", "pos.lite", "off", "enough")
    refused = flags("rollback", "pos.lite", "undo")
    assert (refused.code, state(flags)) == (4, "off")
    assert "off → shadow" in flags("rollback", "pos.lite", "undo", "--allow-raise").out


def test_rollback_returns_to_a_named_change(flags: Any):
    for percentage in ("10", "20", "30"):
        flags("set", "pos.lite", "canary", "more", "--percentage", percentage)
    shown = flags("rollback", "pos.lite", "too much", "--to-change-id", "28", "--json").json
    assert (shown["flag"]["canary_percentage"], shown["change"]["reverts"]) == (10, [29, 30])
    assert flags("rollback", "pos.lite", "x", "--to-change-id", "1").code == 3


def test_override_as_runbooks_write_it(flags: Any):
    assert flags("override", "pos.lite", "on").code == 2
    flags("config", "set-tenant", "acme")
    assert "no override → override on (" in flags("override", "pos.lite", "on").out
    shown = flags("override", "pos.lite", "shadow", "--reason", "test", "--expires", "2099-01-01T00:00:00Z", "--json")
    assert shown.json["override"]["expires_at"] == "2099-01-01T00:00:00Z"
    assert flags("override", "pos.lite", "off", "quiet", "--tenant", "globex").code == 0
    assert "for tenant acme: override shadow" in flags("override", "pos.lite", "--remove").out
    assert flags("override", "pos.lite", "--remove").code == 3


def test_override_refuses_what_makes_no_sense(flags: Any):
    tenant = ("--tenant", "acme")
    killed = flags("override", "pos.lite", "kill", *tenant)
    assert (killed.code, "'STATE': 'kill' is not one of off, shadow, canary, on" in killed.err) == (2, True)
    assert flags("override", "pos.lite", *tenant).code == 2
    assert flags("override", "pos.lite", "--remove", "--expires", "2099-01-01", *tenant).code == 2
    past = flags("override", "pos.lite", "on", "--expires", "2001-01-01", *tenant)
    assert (past.code, "must be in the future" in past.err) == (2, True)
    assert "2026-12-31T18:00:00Z" in flags("override", "pos.lite", "on", "--expires", "soon", *tenant).err


def test_create_and_archive(flags: Any):
    made = flags(
        "create", "new.thing", "for a test", "--type", "experiment", "--owner", "payments", "--affects", "POST /x",
        "--depends-on", "pos.lite", "--tag", "q1", "--expires-on", "2027-03-31", "--json",
    ).json["flag"]  # fmt: skip
    assert (made["flag_type"], made["dependencies"], made["expires_on"]) == ("experiment", ["pos.lite"], "2027-03-31")
    assert flags("create", "new.thing", "for a test").code == 5
    assert flags("create", "pos.lite", "for a test").code == 5
    assert flags("create", "Bad", "for a test").code == 2
    unsaid = flags("create", "new.other")
    assert (unsaid.code, "a reason is needed" in unsaid.err) == (2, True)
    held = flags("archive", "pos.lite", "old")
    assert (held.code, "new.thing" in held.err) == (4, True)
    assert "off → archived" in flags("archive", "new.thing", "old").out
    assert flags("create", "new.thing", "for a test").code == 5


def test_the_same_idempotency_key_is_done_once(flags: Any):
    first = flags("set", "pos.lite", "on", "x", "--idempotency-key", "k1", "--json").json
    flags("set", "pos.lite", "off", "y")
    again = flags("set", "pos.lite", "on", "x", "--idempotency-key", "k1", "--json").json
    assert again["revision"] == first["revision"]
    assert state(flags) == "off"


def test_changes_are_signed_by_the_user_of_the_machine(flags: Any):
    result = ChangeResult.model_validate(flags("set", "pos.lite", "on", "x", "--json").json)
    assert result.change is not None
    assert result.change.changed_by == local_actor().name
    assert "@" in local_actor().name


def test_init_loads_once(fc: Any, home: Path):
    assert fc("init", "--dry-run", "--json").json["loaded"] == 0
    assert fc("init").out.startswith("loaded 27 flags into sqlite:")
    again = fc("init")
    assert (again.code, "already holds 27 flags" in again.err) == (5, True)


def test_init_reads_files_and_standard_input(fc: Any, home: Path):
    catalogue = home / "mine.yaml"
    catalogue.write_bytes(b"\xef\xbb\xbfflags:\n- name: a.b\n- name: a.c\n  dependencies: [a.b]\n")
    store = ("--store", f"sqlite:{home / 'a.db'}")
    assert fc("init", "--catalogue", str(catalogue), *store).code == 0
    assert fc("get", "a.b", "--json", *store).json["dependents"] == ["a.c"]
    piped = fc("init", "--catalogue", "-", "--store", f"sqlite:{home / 'b.db'}", stdin='{"flags": [{"name": "x.y"}]}')
    assert piped.out.startswith("loaded 1 flag ")


def test_init_refuses_bad_catalogues_wholly(fc: Any, home: Path):
    catalogue = home / "bad.yaml"
    catalogue.write_text("flags:\n- {name: a.b, dependencies: [a.c]}\n- {name: a.c, dependencies: [a.b]}\n")
    cycle = fc("init", "--catalogue", str(catalogue))
    assert (cycle.code, "cycle: a.c → a.b → a.c" in cycle.err) == (4, True)
    assert fc("list", "--json").json["flags"] == []
    catalogue.write_bytes(b"flags: \xff")
    assert "not UTF-8 at byte 7" in fc("init", "--catalogue", str(catalogue)).err
    missing = fc("init", "--catalogue", "nowhere.yaml")
    assert (missing.code, "thorbis" in missing.err) == (2, True)


def test_init_does_not_go_through_a_server(fc: Any):
    shown = fc("init", "--url", "http://localhost:1", "--api-key", "fc_x")
    assert (shown.code, "--store" in shown.err) == (2, True)


def test_keys_are_shown_once(fc: Any):
    made = fc("keys", "create", "ci", "--role", "operator", "--json").json
    assert made["secret"].startswith("fc_operator_")
    listed = fc("keys", "list").out
    assert made["api_key"]["key_id"] in listed
    assert made["secret"] not in listed
    assert fc("keys", "create", "ci", "--role", "operator").code == 2
    new = fc("keys", "rotate", made["api_key"]["key_id"], "--overlap", "2h", "--json").json
    assert new["api_key"]["name"] == "ci"
    assert f"rotated to {new['api_key']['key_id']}" in fc("keys", "list").out
    assert fc("keys", "rotate", made["api_key"]["key_id"]).code == 5
    assert fc("keys", "rotate", new["api_key"]["key_id"], "--overlap", "soon").code == 2
    assert "is revoked" in fc("keys", "revoke", made["api_key"]["key_id"]).out
    assert fc("keys", "revoke", "key-none").code == 3


def test_audit_verify_holds_and_breaks(flags: Any, store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import sqlite3

    monkeypatch.setenv("FLAGCONSOLE_ANCHOR_KEY", "kept by somebody else")
    anchors, exported = tmp_path / "anchors.jsonl", tmp_path / "log.jsonl"
    flags("kill", "pos.lite", "stop")
    verified = flags("audit", "verify").out
    assert verified.startswith("verified 28 entries")
    assert " acts (what was done to keys, rights, approvals, schedules, plans, environments); " in verified
    assert flags("audit", "anchor", str(anchors)).out.startswith("anchored revision 28")
    assert flags("audit", "export", str(exported)).code == 0
    assert flags("audit", "verify", "--anchors", str(anchors)).out.startswith("verified 28 entries")
    offline = ("audit", "verify", "--file", str(exported))
    assert flags(*offline, "--anchors", str(anchors)).code == 0
    lines = exported.read_text().splitlines(keepends=True)
    newest, before = (json.loads(line)["hash"] for line in (lines[-1], lines[-2]))
    head = lines[0].replace('"head_revision": 28', '"head_revision": 27').replace(newest, before)
    exported.write_text("".join([head, *lines[1:-1]]))
    assert flags(*offline).code == 0
    cut = flags(*offline, "--anchors", str(anchors))
    assert (cut.code, "its tail was cut off" in cut.err) == (4, True)
    exported.write_text("".join(lines[:5] + lines[6:]))
    assert "BROKEN at entry 5" in flags(*offline).err
    monkeypatch.delenv("FLAGCONSOLE_ANCHOR_KEY")
    assert "FLAGCONSOLE_ANCHOR_KEY" in flags("audit", "anchor", str(anchors)).err
    monkeypatch.setenv("FLAGCONSOLE_ANCHOR_KEY", "kept by somebody else")
    with sqlite3.connect(store_path) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("UPDATE flag_change_log SET change_reason = 'nothing happened' WHERE change_id = 28")
    database.close()
    broken = flags("audit", "verify")
    assert broken.code == 4
    assert "BROKEN at entry 28" in broken.err
    assert flags("audit", "verify", "--json").json["first_broken"] == 28
    refused = flags("audit", "anchor", str(anchors))
    assert (refused.code, "nothing was anchored" in refused.err, len(anchors.read_text().splitlines())) == (4, True, 1)
