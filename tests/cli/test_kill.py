"""``kill``: the proof that it arrived, or the names of those who have not confirmed it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flagconsole.cli.embedded import Embedded
from flagconsole.domain.errors import StoreUnavailable
from flagconsole.domain.instance import Instance
from flagconsole.domain.views import InstanceList
from flagconsole.store import open_store


def report(path: Path, revision: int, *names: str, silent_for: float = 0.0, told: bool = False) -> None:
    """Let instances report that they have applied ``revision``, or (clients that can't) be told of it."""

    async def save() -> None:
        store = await open_store(f"sqlite:{path}")
        async with store.read() as reader:
            epoch = (await reader.head()).epoch
        now = datetime.now(UTC) - timedelta(seconds=silent_for)
        await store.save_instances(
            "server-1",
            [
                Instance(
                    instance_id=name,
                    service="checkout",
                    sdk_version="0.1.0",
                    epoch=epoch,
                    revision=0 if told else revision,
                    applied_at=None if told else now,
                    received_at=None if told else now,
                    last_seen=now,
                    told_revision=revision if told else None,
                )
                for name in names
            ],
        )
        await store.close()

    asyncio.run(save())


@pytest.fixture
def confirming(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Makes one more of three instances confirm at each look. Records the revisions that were asked about."""
    asked: list[int] = []
    look = Embedded.instances

    async def instances(self: Embedded, revision: int | None = None) -> InstanceList:
        assert revision is not None
        if len(asked) < 3:
            await asyncio.to_thread(report, store_path, revision, f"api-{len(asked)}")
        asked.append(revision)
        return await look(self, revision)

    monkeypatch.setattr(Embedded, "instances", instances)
    return asked


def test_it_waits_until_everyone_has_confirmed(flags: Any, store_path: Path, confirming: list[int]):
    report(store_path, 27, "api-0", "api-1", "api-2")
    shown = flags("kill", "pos.lite", "errors above 2 %")
    lines = shown.out.splitlines()
    assert (shown.code, shown.err) == (0, "")
    assert lines[0] == "pos.lite killed (was off) at revision 28"
    assert lines[1].startswith("confirmed by 3 of 3 instances after ")
    assert confirming == [28, 28, 28]


def test_who_stops_waiting_is_told_that_the_flag_stays_killed(
    flags: Any, store_path: Path, monkeypatch: pytest.MonkeyPatch
):
    report(store_path, 27, "api-0")
    looks = []
    look = Embedded.instances

    async def instances(self: Embedded, revision: int | None = None) -> InstanceList:
        looks.append(revision)
        if len(looks) == 3:
            raise KeyboardInterrupt
        return await look(self, revision)

    monkeypatch.setattr(Embedded, "instances", instances)
    shown = flags("kill", "pos.lite", "errors", "--wait", "3600")
    assert shown.code == 130
    assert "pos.lite killed (was off) at revision 28" in shown.out
    assert "pos.lite stays killed" in shown.err
    assert flags("get", "pos.lite", "--json").json["flag"]["current_state"] == "kill"


def test_the_json_has_the_propagation(flags: Any, store_path: Path, confirming: list[int]):
    report(store_path, 27, "api-0", "api-1", "api-2")
    shown = flags("kill", "pos.lite", "errors", "--json").json
    assert (shown["changed"], shown["flag"]["current_state"], shown["change"]["change_id"]) == (True, "kill", 28)
    proof = shown["propagation"]
    assert (proof["revision"], proof["expected"], proof["confirmed"], proof["behind"]) == (28, 3, 3, [])
    assert proof["confirmed_everywhere"] is True
    assert 0 <= proof["milliseconds"] < 5000


def test_who_has_not_confirmed_is_named_and_the_exit_code_says_so(flags: Any, store_path: Path):
    report(store_path, 28, "api-0")
    report(store_path, 27, "api-1")
    report(store_path, 20, "api-\u202e2", silent_for=60)
    shown = flags("kill", "pos.lite", "errors", "--wait", "0.1")
    assert shown.code == 8
    assert "confirmed by 1 of 3 instances" in shown.out
    assert "not by api-1 (checkout, at revision 27, live" in shown.out
    assert "not by api-\\u{202e}2 (checkout, at revision 20, silent, last seen 1m ago)" in shown.out
    assert "not confirmed everywhere" in shown.err
    behind = flags("kill", "pos.lite", "errors", "--wait", "0", "--json")
    assert behind.code == 8
    assert [item["presence"] for item in behind.json["propagation"]["behind"]] == ["live", "silent"]


def test_who_was_told_and_cannot_confirm_is_counted_apart_and_the_exit_code_says_so(flags: Any, store_path: Path):
    report(store_path, 28, "unleash:host-1:0a1b2c3d", told=True)
    report(store_path, 28, "api-0")
    began = time.monotonic()
    shown = flags("kill", "pos.lite", "errors", "--wait", "60")
    assert time.monotonic() - began < 30  # nobody is left who could still confirm it
    assert shown.code == 12
    assert "confirmed by 1 of 1 instances" in shown.out
    assert "told, can't confirm: unleash:host-1:0a1b2c3d (checkout)" in shown.out
    assert "confirmed by everyone who can confirm it" in shown.err
    proof = flags("kill", "pos.lite", "errors", "--json").json["propagation"]
    assert (proof["expected"], proof["confirmed"], proof["confirmed_everywhere"], proof["behind"]) == (2, 1, False, [])
    assert proof["told"] == [{"instance_id": "unleash:host-1:0a1b2c3d", "service": "checkout"}]
    assert "1 told and can't confirm" in flags("status").out
    checked = flags("bulk-verify", "--domain", "pos")
    assert (checked.code, "? told" in checked.out) == (12, True)


def test_who_cannot_confirm_and_was_not_told_is_behind(flags: Any, store_path: Path):
    report(store_path, 27, "unleash:host-1:0a1b2c3d", told=True)
    report(store_path, 28, "api-0")
    shown = flags("kill", "pos.lite", "errors", "--wait", "0.1")
    assert shown.code == 8
    assert "confirmed by 1 of 2 instances" in shown.out
    assert "not by unleash:host-1:0a1b2c3d (checkout, told of revision 27 at most, can't confirm, live" in shown.out
    assert flags("bulk-verify", "--domain", "pos").code == 8


def test_where_nobody_can_confirm_it_says_that(flags: Any, store_path: Path):
    report(store_path, 28, "unleash:host-1:0a1b2c3d", told=True)
    shown = flags("kill", "pos.lite", "errors")
    assert (shown.code, "confirmed by" in shown.out) == (12, False)
    assert "told, can't confirm: unleash:host-1:0a1b2c3d" in shown.out


def test_instances_that_are_gone_are_not_waited_for(flags: Any, store_path: Path):
    report(store_path, 20, "old", silent_for=3600)
    report(store_path, 28, "api-0")
    shown = flags("kill", "pos.lite", "errors")
    assert shown.code == 0
    assert "confirmed by 1 of 1" in shown.out
    assert "not counted: 1 silent for over 10 minutes, which never confirmed it" in shown.out
    assert flags("kill", "pos.lite", "errors", "--json").json["propagation"]["lost"] == 1


def test_without_instances_it_says_so(flags: Any):
    shown = flags("kill", "pos.lite", "errors")
    assert shown.code == 0
    assert "no instances are connected" in shown.out


def test_killing_twice_is_one_change_and_names_the_first(flags: Any, store_path: Path):
    flags("kill", "pos.lite", "errors above 2 %")
    flags("set", "pos.offline_mode", "on", "x")
    report(store_path, 28, "api-0")
    shown = flags("kill", "pos.lite", "again")
    assert shown.code == 0
    assert "killed already, at revision 28" in shown.out
    assert "errors above 2 %" in shown.out
    assert "confirmed by 1 of 1 instances\n" in shown.out


def test_set_to_kill_is_a_kill(flags: Any, store_path: Path):
    report(store_path, 28, "api-0")
    shown = flags("set", "pos.lite", "kill", "errors")
    assert (shown.code, "confirmed by 1 of 1" in shown.out) == (0, True)
    refused = flags("set", "pos.lite", "kill", "errors", "--percentage", "10")
    assert refused.code == 2


def test_a_rollback_into_a_kill_is_waited_for_like_a_kill(flags: Any, store_path: Path):
    flags("kill", "pos.lite", "errors")
    flags("revive", "pos.lite", "too early")
    report(store_path, 29, "api-0")
    shown = flags("rollback", "pos.lite", "still failing", "--dry-run")
    assert (shown.code, "confirmed" in shown.out) == (0, False)
    report(store_path, 30, "api-0")
    report(store_path, 30, "api-1")
    shown = flags("rollback", "pos.lite", "still failing")
    assert shown.code == 0
    assert "pos.lite: off → kill (revision 30" in shown.out
    assert "confirmed by 2 of 2 instances" in shown.out
    flags("revive", "pos.lite", "too early")
    again = flags("rollback", "pos.lite", "still failing", "--json")
    assert (again.code, again.json["propagation"]["confirmed"]) == (8, 0)
    assert "not confirmed everywhere" in again.err


def test_a_dry_run_shows_whom_it_would_reach(flags: Any):
    flags("set", "invoices.write", "on", "go")
    flags("set", "invoices.auto_send", "on", "go")
    shown = flags("kill", "invoices.write", "x", "--dry-run")
    assert shown.out.startswith("would kill invoices.write (it is on)")
    assert "dependent invoices.auto_send" in shown.out
    radius = flags("kill", "invoices.write", "x", "--dry-run", "--json").json["blast_radius"]
    assert radius["flag_name"] == "invoices.write"
    assert flags("get", "invoices.write", "--json").json["flag"]["current_state"] == "on"


def test_a_kill_whose_proof_cannot_be_read_is_done_and_unconfirmed(flags: Any, monkeypatch: pytest.MonkeyPatch):
    async def broken(self: Embedded, revision: int | None = None) -> InstanceList:
        raise StoreUnavailable(problem="gone")

    monkeypatch.setattr(Embedded, "instances", broken)
    shown = flags("kill", "pos.lite", "errors", "--wait", "0.1")
    assert shown.code == 8
    assert "pos.lite killed (was off) at revision 28" in shown.out
    assert "not known: The store can't be used: gone" in shown.out


def test_an_old_kill_asked_for_again_after_a_revive_says_what_is_true_now(flags):
    again = ("kill", "pos.lite", "errors", "--idempotency-key", "k1")
    assert flags(*again).code == 0
    assert flags(*again).out.startswith("pos.lite killed")
    flags("revive", "pos.lite", "fixed", "--to", "off")
    late = flags(*again)
    assert (late.code, late.out) == (5, "")
    assert "pos.lite is not killed: this request killed it at revision" in late.err
    assert "since then it was changed by" in late.err
    assert "it is off" in late.err
    told = flags(*again, "--json").json
    assert (told["replayed"], told["now"]["current_state"]) == (True, "off")
