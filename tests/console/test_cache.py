"""The cache: what was kept comes back as it was, never goes back in time, and a file that can't be used ends nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flagconsole.console import cache
from flagconsole.console.cache import Unusable
from flagconsole.console.cache_parts import FLAGS, HISTORY, INCIDENTS, INSTANCES, TENANTS
from flagconsole.console.cache_writer import CacheWriter
from flagconsole.console.clock import Clock
from flagconsole.console.impact import reach_of
from flagconsole.console.keeper import Keeper
from flagconsole.console.state import Connection, ConsoleState, Phase, with_listing
from flagconsole.domain.states import FlagState

EPOCH = "e2"


def flag(name: str, state: str = "on", **more: Any) -> dict[str, Any]:
    cohort = more.pop("cohort", [])
    return {
        "flag_name": name, "flag_type": "feature", "current_state": state, "version": 1, "canary_percentage": 10,
        "canary_tenant_ids": cohort, "canary_holdout_ids": None, "dependencies": [], **more,
    }  # fmt: skip


def listing(revision: int, *flags: dict[str, Any], epoch: str = EPOCH, overrides: Any = ()) -> dict[str, Any]:
    return {"epoch": epoch, "revision": revision, "flags": list(flags), "overrides": list(overrides)}


def change(number: int, name: str, **more: Any) -> dict[str, Any]:
    return {
        "change_id": number, "epoch": EPOCH, "flag_name": name, "action": "set", "change_type": "manual",
        "change_reason": "why", "changed_by": "ops1", "changed_at": "2026-03-14T03:00:00+00:00", "previous": None,
        "new": None, "version": number, **more,
    }  # fmt: skip


def event(number: int, told: dict[str, Any] | None, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"epoch": EPOCH, "revision": number, "change": change(number, name, **more), "flag": told, "override": None}


def override(tenant: str, name: str = "a") -> dict[str, Any]:
    return {"flag_name": name, "tenant_id": tenant, "override_state": "off", "expires_at": None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "console-x.db"


def written(path: Path, *does: Any) -> list[str]:
    """Let a writer do something and close it; returns what it complained of."""
    said: list[str] = []
    writer = CacheWriter(path, said.append, pause=0.001)
    for do in does:
        do(writer)
    writer.close()
    return said


def kept(path: Path) -> cache.Cached:
    found = cache.read(path)
    assert found is not None
    return found


def test_what_was_kept_comes_back(path: Path) -> None:
    written(
        path,
        lambda w: w.listing(listing(7, flag("a", cohort=["t1"]), flag("b"), overrides=[override("t1")]), 100.0),
        lambda w: w.items(INSTANCES, {"i1": {"instance_id": "i1"}}, 90.0),
        lambda w: w.items(TENANTS, {"t1": {"tenant_id": "t1"}}, 80.0),
        lambda w: w.items(INCIDENTS, {"7": {"incident_id": 7}}, 70.0),
        lambda w: w.changes([change(7, "a"), change(6, "b")], 60.0),
        lambda w: w.meta(status={"environment": "production"}, skew=1.5, seen=[EPOCH, 5]),
    )
    found = kept(path)
    assert (found.epoch, found.revision, found.skew, found.seen) == (EPOCH, 7, 1.5, (EPOCH, 5))
    assert [item["flag_name"] for item in found.part(FLAGS)] == ["a", "b"]
    assert found.part(FLAGS)[0]["canary_tenant_ids"] == ["t1"]
    assert [item["change_id"] for item in found.changes] == [7, 6]
    assert found.part(INCIDENTS) == ({"incident_id": 7},)
    assert dict(found.fetched_at) | {"cohorts": 0} == {
        "flags": 100.0, "overrides": 100.0, "instances": 90.0, "tenants": 80.0, "incidents": 70.0, "history": 60.0,
        "cohorts": 0,
    }  # fmt: skip


def test_only_its_owner_can_read_it_and_its_name_gives_nothing_away(path: Path) -> None:
    written(path, lambda w: w.listing(listing(1), 1.0))
    path.chmod(0o644)
    kept(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    name = cache.cache_path(Path(), "https://flags.example.com", "fc_secret").name
    assert "secret" not in name
    assert "example" not in name
    assert cache.cache_path(Path(), "https://flags.example.com/", "fc_secret").name == name
    assert cache.cache_path(Path(), "https://flags.example.com", "fc_other").name != name


def test_events_change_what_they_name_and_leave_the_cohort_alone(path: Path) -> None:
    bare = {key: value for key, value in flag("a", "kill").items() if not key.startswith("canary_t")}
    del bare["canary_holdout_ids"]
    written(
        path,
        lambda w: w.listing(listing(7, flag("a", "canary", cohort=["t1", "t2"]), flag("b")), 1.0),
        lambda w: w.events([event(8, bare, action="killed", new={"current_state": "kill"})], 2.0),
        lambda w: w.events([event(9, None, "b", action="archived")], 3.0),
    )
    found = kept(path)
    (only,) = found.part(FLAGS)
    assert (found.revision, only["current_state"], only["canary_tenant_ids"]) == (9, "kill", ["t1", "t2"])
    assert (only["last_change"]["action"], only["last_change"]["new_state"]) == ("killed", "kill")
    assert [item["change_id"] for item in found.changes] == [9, 8]
    assert (found.fetched_at[FLAGS], found.fetched_at[HISTORY]) == (3.0, 3.0)


def test_tenants_are_read_apart_from_all_that_the_first_paint_shows(path: Path) -> None:
    assert Keeper(path).tenants() is None
    profile = {"tenant_id": "t1", "name": "One", "active": True}
    written(path, lambda w: w.listing(listing(7, flag("a")), 1.0), lambda w: w.items(TENANTS, {"t1": profile}, 1.0))
    keeper = Keeper(path)
    assert keeper.recalled(ConsoleState(), Clock()).tenants == ()
    kept_ones = keeper.tenants()
    assert kept_ones is not None
    assert (kept_ones.tenants, kept_ones.tenant_names) == (("t1",), {"t1": "One"})
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE items SET body = 'no JSON' WHERE part = 'tenants'")
    assert keeper.tenants() is None


def test_a_canary_by_hash_reaches_the_same_tenants_from_the_cache(path: Path) -> None:
    tenants = tuple(f"tenant-{number}" for number in range(200))
    drawn = flag("drawn", "canary", cohort=["tenant-1"], canary_holdout_ids=[])
    live = with_listing(ConsoleState(), listing(7, flag("hashed", "canary"), drawn), 0.0).state
    written(path, lambda w: w.listing(listing(7, flag("hashed", "canary"), drawn), 1.0))
    recalled = Keeper(path).recalled(ConsoleState(), Clock())
    for name in ("hashed", "drawn"):
        assert recalled.ruleset.rules[name] == live.ruleset.rules[name]
        assert reach_of(recalled.ruleset, name, tenants, 0.0) == reach_of(live.ruleset, name, tenants, 0.0)
    assert reach_of(recalled.ruleset, "hashed", tenants, 0.0).enabled > 5


def test_an_archived_flag_takes_its_overrides_along(path: Path) -> None:
    begin = listing(7, flag("a"), flag("ab"), overrides=[override("t1"), override("t1", "ab")])
    written(path, lambda w: w.listing(begin, 1.0))
    written(path, lambda w: w.events([event(8, None, "a")], 2.0))
    assert [item["flag_name"] for item in kept(path).part("overrides")] == ["ab"]


@pytest.mark.parametrize("apart", [True, False], ids=["two batches", "one batch"])
def test_it_never_goes_back(path: Path, apart: bool) -> None:
    newer = lambda w: w.listing(listing(9, flag("a", "kill")), 9.0)  # noqa: E731
    older = lambda w: w.listing(listing(8, flag("a", "on")), 10.0)  # noqa: E731
    for batch in ([newer], [older]) if apart else ([newer, older],):
        written(path, *batch)
    found = kept(path)
    assert (found.revision, found.part(FLAGS)[0]["current_state"]) == (9, "kill")
    written(path, lambda w: w.listing(listing(500, flag("a"), epoch="e1"), 11.0))
    assert kept(path).revision == 9, "another, older lineage"


def test_an_event_that_does_not_follow_changes_no_flag(path: Path) -> None:
    written(path, lambda w: w.listing(listing(7, flag("a", "off")), 1.0))
    written(path, lambda w: w.events([event(9, flag("a"))], 2.0))
    assert (kept(path).revision, kept(path).part(FLAGS)[0]["current_state"]) == (7, "off")


def test_two_consoles_write_one_file(path: Path) -> None:
    """Each applies the same events; whoever is behind changes nothing."""
    one, other = (CacheWriter(path, pause=0.0) for _ in range(2))

    def follow(writer: CacheWriter) -> None:
        writer.listing(listing(0, flag("a", "off")), 1.0)
        for number in range(1, 200):
            writer.events([event(number, flag("a", version=number))], float(number))

    threads = [threading.Thread(target=follow, args=(writer,)) for writer in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one.close()
    other.close()
    found = kept(path)
    assert (found.revision, found.part(FLAGS)[0]["version"], len(found.changes)) == (199, 199, 199)


def test_another_lineage_drops_the_changes_of_the_old_one(path: Path) -> None:
    written(path, lambda w: w.listing(listing(7, flag("a")), 1.0), lambda w: w.changes([change(7, "a")]))
    restored = change(3, "a", epoch="e3")
    written(path, lambda w: w.listing(listing(3, flag("a"), epoch="e3"), 1.0), lambda w: w.changes([restored]))
    assert [(item["epoch"], item["change_id"]) for item in kept(path).changes] == [("e3", 3)]
    assert cache.read_changes(path) == [restored]


class Stopped(Clock):
    """Stands still."""

    def time(self) -> float:
        return 1000.0

    def monotonic(self) -> float:
        return 50.0


BEGUN = ConsoleState(connection=Connection(server="flags"))


def good(path: Path) -> None:
    written(path, lambda w: w.listing(listing(7, flag("a")), 900.0), lambda w: w.meta(skew=0.0))


def test_recalled_data_is_as_old_as_it_is_and_nobody_may_act_on_it(path: Path) -> None:
    good(path)
    written(path, lambda w: w.meta(status={"environment": "production", "you": {"name": "me", "role": "admin"}}))
    state = Keeper(path).recalled(BEGUN, Stopped())
    assert state.flags["a"].state is FlagState.ON
    connection = state.connection
    assert (connection.phase, connection.recalled, connection.fresh_at) == (Phase.CONNECTING, True, -50.0)
    assert (connection.environment, connection.role) == ("production", "admin")
    assert (connection.may_operate, connection.may_administer) == (False, False)


def test_an_age_that_cannot_be_right_is_unknown(path: Path) -> None:
    written(path, lambda w: w.listing(listing(7, flag("a")), 2000.0))
    assert Keeper(path).recalled(BEGUN, Stopped()).connection.fresh_at is None


def damaged(path: Path) -> None:
    good(path)
    path.write_bytes(b"this is no database at all" * 100)


def torn(path: Path) -> None:
    good(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.truncate(path, path.stat().st_size - 6000)


def another_version(path: Path) -> None:
    good(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


def another_program(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE bookmarks (title)")


def spoil(statement: str, *values: Any) -> Any:
    def spoiled(path: Path) -> None:
        good(path)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(statement, values)

    return spoiled


MOVED = [
    damaged,
    torn,
    another_version,
    another_program,
    spoil("UPDATE items SET body = '{' WHERE part = 'flags'"),
    spoil("UPDATE items SET body = '[]' WHERE part = 'flags'"),
    spoil("UPDATE items SET body = '{}' WHERE part = 'flags'"),
    spoil("DELETE FROM items WHERE part = 'cohorts'"),
    spoil("UPDATE meta SET value = 'x' WHERE name = 'revision'"),
    spoil("UPDATE meta SET value = '' WHERE name = 'epoch'"),
    spoil("DROP TABLE parts"),
]


@pytest.mark.parametrize("break_it", MOVED, ids=range(len(MOVED)))
def test_what_cannot_be_used_is_moved_aside_and_said(path: Path, break_it: Any) -> None:
    break_it(path)
    said: list[str] = []
    keeper = Keeper(path, said.append)
    assert keeper.recalled(BEGUN, Stopped()) == BEGUN
    assert keeper.problem == said[0]
    assert "and was moved aside: it begins anew" in said[0]
    assert path.with_name("console-x.db.broken").exists()
    keeper.listing(listing(8, flag("a")), 1.0)
    keeper.close()
    assert kept(path).revision == 8, "and the next one begins anew"


def test_a_locked_one_is_passed_over_and_left_where_it_is(path: Path) -> None:
    good(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        keeper = Keeper(path)
        assert keeper.recalled(BEGUN, Stopped()) == BEGUN
        assert keeper.problem == "the cache is locked by another program: nothing from before"
    assert kept(path).revision == 7


def test_somebody_elses_or_a_link_is_not_touched(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good(path)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(Unusable, match="belongs to somebody else"):
        cache.read(path)
    monkeypatch.undo()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with pytest.raises(Unusable, match="not a plain file"):
        cache.read(link)
    assert written(link, lambda w: w.meta(skew=3.0)) == ["is not a plain file"]
    assert kept(path).skew == 0.0


def test_a_read_only_one_is_shown_and_what_is_wrong_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good(path)
    real = sqlite3.connect

    def read_only(name: Any, *args: Any, **more: Any) -> sqlite3.Connection:
        return (
            real(f"{Path(name).as_uri()}?mode=ro", *args, uri=True, **more)
            if isinstance(name, Path)
            else real(name, *args, **more)
        )

    monkeypatch.setattr(sqlite3, "connect", read_only)
    said: list[str] = []
    keeper = Keeper(path, said.append)
    assert keeper.recalled(BEGUN, Stopped()).revision == 7
    keeper.listing(listing(8), 1.0)
    keeper.close()
    assert said == ["the cache can't be written: it is read-only: what is shown now isn't kept"]
    assert path.exists()


def test_what_could_not_be_written_is_written_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()
    said: list[str] = []
    real = CacheWriter._write

    def fail(self: CacheWriter, taken: Any) -> None:
        if not failed.is_set():
            raise OSError(28, "No space left on device")
        real(self, taken)

    monkeypatch.setattr(CacheWriter, "_write", fail)
    writer = CacheWriter(path, lambda words: (said.append(words), failed.set()), pause=0.001)
    writer.listing(listing(7, flag("a", "off")), 1.0)
    assert failed.wait(10)
    writer.events([event(8, flag("a", "kill"))], 2.0)
    writer.close()
    assert said[0] == "can't be written (No space left on device)"
    assert (kept(path).revision, kept(path).part(FLAGS)[0]["current_state"]) == (8, "kill")


def test_hostile_text_is_kept_and_comes_back_as_text(path: Path) -> None:
    nasty = "x\x1b]52;c;ZXZpbA==\x07\u202e\ud800"
    written(path, lambda w: w.listing(listing(1, flag("a", description=nasty)), 1.0))
    assert json.dumps(kept(path).part(FLAGS)[0]["description"]) == json.dumps(nasty)
