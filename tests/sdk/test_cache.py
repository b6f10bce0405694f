"""What is kept on disk: a process starts from it, and never goes back behind what it confirmed."""

from __future__ import annotations

import fcntl
import os
import random
import stat
import subprocess
import sys
import textwrap
import time

import pytest

from flagconsole.domain.evaluation import Rule, Ruleset
from flagconsole.domain.states import FlagState
from flagconsole.sdk import Health, Reason
from flagconsole.sdk.cache import DiskCache

from ..fake_server import KEY, FakeServer, until

URL = "http://flags.example"


def rules(revision, state="on", epoch="e5"):
    return Ruleset(epoch, revision, {"a.b": Rule("a.b", FlagState(state), 0, frozenset(), (), 1)}, {})


@pytest.fixture
def cache(tmp_path):
    made = DiskCache(str(tmp_path / "cache"), URL, KEY)
    yield made
    made.close()


def again(tmp_path):
    """What the next process finds."""
    later = DiskCache(str(tmp_path / "cache"), URL, KEY)
    return later.load(), later.problem


def file_of(tmp_path, kind):
    (found,) = (tmp_path / "cache").glob(f"*.{kind}")
    return found


def test_what_was_saved_is_found_again(cache, tmp_path):
    assert cache.load() == (None, 0.0, None)
    assert cache.save(rules(7, "kill"))
    kept, problem = again(tmp_path)
    assert kept.floor == ("e5", 7)
    assert kept.ruleset.evaluate("a.b", "t", 0).state is FlagState.KILL
    assert problem is None
    assert kept.confirmed_seconds_ago < 5


def test_only_the_owner_may_read_it(cache, tmp_path):
    cache.save(rules(1))
    cache.note(("e5", 1))
    folder = tmp_path / "cache"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 2, "no draft is left"


def test_each_server_and_key_has_its_own(cache, tmp_path):
    cache.save(rules(1))
    for url, key in ((URL, "other"), ("http://other", KEY)):
        assert DiskCache(str(tmp_path / "cache"), url, key).load().ruleset is None
    assert DiskCache(str(tmp_path / "cache"), URL + "/", KEY).load().ruleset is not None
    assert KEY not in "".join(os.listdir(tmp_path / "cache"))


def test_a_snapshot_older_than_what_was_confirmed_is_not_served(cache, tmp_path):
    """The process died after its receipt for revision 9 and before revision 9 was saved."""
    cache.save(rules(8, "on"))
    assert cache.note(("e5", 9))
    kept, problem = again(tmp_path)
    assert kept == (None, 0.0, ("e5", 9))
    assert "older" in problem


def test_a_heading_that_names_a_later_position_is_not_believed_and_keeps_nothing_newer_out(cache, tmp_path):
    cache.save(rules(7))
    file = file_of(tmp_path, "snapshot")
    file.write_bytes(file.read_bytes().replace(b" e5:7\n", b" e5:9\n", 1))
    later = DiskCache(str(tmp_path / "cache"), URL, KEY)
    assert later.load().ruleset is None
    assert "another position" in later.problem
    later.save(rules(8))
    later.close()
    kept, problem = again(tmp_path)
    assert (kept.ruleset.revision, problem) == (8, None)


@pytest.mark.parametrize("position", [("e5", 3), ("e4", 99)])
def test_a_position_is_never_lowered(cache, tmp_path, position):
    cache.note(("e5", 9))
    cache.note(position)
    assert again(tmp_path)[0].floor == ("e5", 9)


def test_an_older_snapshot_never_replaces_a_newer_one(cache, tmp_path):
    slow = DiskCache(str(tmp_path / "cache"), URL, KEY)
    cache.save(rules(9))
    assert slow.save(rules(8))
    assert again(tmp_path)[0].floor == ("e5", 9)
    assert slow.save(rules(1, epoch="e6"))
    assert again(tmp_path)[0].floor == ("e6", 1)
    slow.close()


def test_any_damage_is_noticed(cache, tmp_path):
    cache.save(rules(7))
    file = file_of(tmp_path, "snapshot")
    whole = file.read_bytes()
    dice = random.Random(5)
    for _ in range(200):
        damaged = bytearray(whole)
        if dice.random() < 0.5:
            del damaged[dice.randrange(len(whole)) :]
        else:
            damaged[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        file.write_bytes(damaged)
        kept, problem = again(tmp_path)
        if kept.ruleset is not None:
            # Only the position in the header is outside the checksum, and it isn't what is served.
            assert (kept.ruleset.revision, kept.floor) == (7, ("e5", 7))
        else:
            assert problem


@pytest.mark.parametrize("content", [b"", b"\xff" * 500, b"{}", b"flagconsole-cache-1", b"x" * 10**6])
@pytest.mark.parametrize("kind", ["snapshot", "position"])
def test_files_of_something_else_are_not_read(cache, tmp_path, content, kind):
    cache.save(rules(7))
    cache.note(("e5", 7))
    file_of(tmp_path, kind).write_bytes(content)
    kept, problem = again(tmp_path)
    if kind == "snapshot":
        assert kept.ruleset is None
        assert kept.floor == ("e5", 7)
    assert problem or (kind == "position" and content == b"")
    assert DiskCache(str(tmp_path / "cache"), URL, KEY).save(rules(8))
    cache.note(("e5", 8))
    assert again(tmp_path)[0].floor == ("e5", 8)


def test_a_file_that_others_may_write_is_not_believed(cache, tmp_path):
    cache.save(rules(7))
    file_of(tmp_path, "snapshot").chmod(0o666)
    kept, problem = again(tmp_path)
    assert kept.ruleset is None
    assert "others may write" in problem


def test_a_link_is_not_followed(cache, tmp_path):
    cache.save(rules(7))
    file = file_of(tmp_path, "snapshot")
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert again(tmp_path)[0].ruleset is None


def test_a_disk_that_cannot_be_written_is_a_problem_not_an_error(tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    cache = DiskCache(str(tmp_path / "cache"), URL, KEY)
    assert cache.load().ruleset is None
    assert cache.note(("e5", 1))
    assert not cache.save(rules(1))
    assert cache.problem


def test_a_stopped_neighbour_holds_nobody_up(cache, tmp_path):
    cache.note(("e5", 1))
    file = os.open(file_of(tmp_path, "position"), os.O_RDWR)
    fcntl.flock(file, fcntl.LOCK_EX)
    began = time.monotonic()
    assert not cache.note(("e5", 2))
    assert not cache.save(rules(2))
    assert time.monotonic() - began < 2
    os.close(file)
    assert cache.note(("e5", 2))
    assert cache.save(rules(2))


def test_the_position_file_may_be_taken_away(cache, tmp_path):
    cache.note(("e5", 1))
    file_of(tmp_path, "position").unlink()
    cache.note(("e5", 2))
    assert again(tmp_path)[0].floor == ("e5", 2)


def test_a_service_starts_without_its_server(server, make_client):
    first = make_client()
    assert first.wait_ready(10)
    until(lambda: server.streams)
    server.change("a.b", "kill")
    until(lambda: first.status.revision == 2)
    first.close()
    server.stop()
    second = make_client()
    assert second.evaluate("a.b", "t").reason is Reason.KILLED
    assert (second.status.revision, second.status.health) == (2, Health.STALE)


def test_after_a_restart_an_older_server_is_not_believed(server, make_client, tmp_path):
    first = make_client()
    assert first.wait_ready(10)
    until(lambda: server.streams)
    server.change("a.b", "kill")
    until(lambda: first.status.revision == 2)
    first.close()
    older = FakeServer(port=server.port)
    server.stop()
    older.start()
    try:
        second = make_client()
        until(lambda: second.status.counters.refused_older)
        assert second.state("a.b", "t") is FlagState.KILL
        assert older.asked_for("/api/stream")[0].headers["last-event-id"] == "e5:2"
        assert "refused" in second.status.problem
        assert second.status.confirmed_age > second.status.contact_age
    finally:
        older.stop()


def test_a_damaged_cache_is_reported_once_and_replaced(server, make_client, tmp_path, caplog):
    first = make_client()
    first.wait_ready(10)
    until(lambda: list((tmp_path / "cache").glob("*.snapshot")))
    first.close()
    file = file_of(tmp_path, "snapshot")
    file.write_bytes(file.read_bytes()[:-5])
    second = make_client(start=False)
    server.answers["GET", "/api/stream"] = lambda asked: pytest.fail("not yet")
    del server.answers["GET", "/api/stream"]
    second.start()
    assert second.wait_ready(10)
    until(lambda: second.status.cache_problem is None)
    assert again_of(server, tmp_path).ruleset is not None


def again_of(server, tmp_path):
    return DiskCache(str(tmp_path / "cache"), server.url, KEY).load()


def test_a_read_only_disk_is_told_once(server, make_client, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    client = make_client(cache_dir=tmp_path / "file" / "cache")
    assert client.wait_ready(10)
    until(lambda: client.status.cache_problem)
    for state in ("off", "on", "kill"):
        server.change("a.b", state)
    until(lambda: client.state("a.b", "t") is FlagState.KILL)
    until(lambda: client.status.counters.receipts_sent >= 2)
    client.close()
    assert len([record for record in caplog.records if "flag cache" in record.getMessage()]) <= 2


def test_no_cache_at_all(server, make_client, tmp_path):
    client = make_client(cache_dir=False)
    assert client.wait_ready(10)
    client.close()
    assert list(tmp_path.iterdir()) == []


def test_a_process_killed_right_after_its_receipt_never_comes_back_older(server, tmp_path):
    """kill -9 at the moment that a receipt arrives, ten times; each time the successor has no server to ask."""
    script = textwrap.dedent(
        """
        import sys, time
        from flagconsole.sdk import FlagClient
        client = FlagClient(sys.argv[1], sys.argv[2], "i-1", cache_dir=sys.argv[3])
        print("up", flush=True)
        time.sleep(60)
        """
    )
    folder = str(tmp_path / "cache")
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", script, server.url, KEY, folder], stdout=subprocess.PIPE, text=True
        )
        try:
            until(lambda: server.streams, 20)
            server.change("a.b", "kill" if server.revision % 2 else "on")
            revision = server.revision
            until(
                lambda wanted=revision: any(
                    receipt["revision"] == wanted for report in server.reports for receipt in report["receipts"]
                )
            )
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        kept = DiskCache(folder, server.url, KEY).load()
        assert kept.floor == ("e5", revision)
        assert kept.ruleset is None or kept.ruleset.revision == revision
        until(lambda: not server.streams)
