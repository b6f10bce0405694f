"""A server, a network or a disk that gives us anything at all: nothing raises, the last good rules are served, and it is said.

A few hundred examples in the suite; 5,000 new ones with ``pytest tests/sdk/test_spoiled.py --hypothesis-profile=soak``.
"""

from __future__ import annotations

import copy
import json
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagconsole.client.frames import ChangeFrame
from flagconsole.domain.evaluation import Rule, Ruleset
from flagconsole.domain.states import FlagState
from flagconsole.sdk.applier import Applier
from flagconsole.sdk.cache import DiskCache
from flagconsole.sdk.held import Held
from flagconsole.sdk.status import Counters, Health

from ..fake_server import KEY, Answer, problem, until

EXAMPLES = max(300, settings.default.max_examples)  # type: ignore[union-attr]
GONE = object()
#: Every field that a snapshot has, and no flag that is on for anybody.
FLAG = {
    "flag_name": "a.b",
    "flag_type": "feature",
    "current_state": "off",
    "canary_percentage": 0,
    "canary_tenant_ids": ["t2"],
    "canary_holdout_ids": ["t3"],
    "dependencies": ["c.d"],
    "version": 3,
}
SNAPSHOT = {
    "schema": 1,
    "epoch": "e1",
    "revision": 8,
    "tenant_id": None,
    "flags": [
        FLAG,
        {**FLAG, "flag_name": "c.d", "current_state": "kill", "dependencies": [], "canary_holdout_ids": None},
    ],
    "overrides": [
        {"flag_name": "a.b", "tenant_id": "t", "override_state": "off", "expires_at": "2030-01-01T00:00:00Z"}
    ],
}
CHANGE = {
    "epoch": "e1",
    "revision": 8,
    "change": {"change_id": 8, "flag_name": "a.b", "tenant_id": None, "action": "set"},
    "flag": FLAG,
    "override": None,
}
CHANGE_FOR_TENANT = {**CHANGE, "change": {**CHANGE["change"], "tenant_id": "t"}, "override": SNAPSHOT["overrides"][0]}  # type: ignore[dict-item,index]
GOOD = json.dumps({**SNAPSHOT, "revision": 7})
#: What no field is: nothing, too much, or of another kind.
WRONG = st.one_of(
    st.sampled_from([GONE, None, True, False, 0, -1, 2**63, 10**400, 1e308, float("nan"), float("inf"), -0.0]),
    st.sampled_from(["", "on", "\x00", "\ud800", "x" * 100_000, "9" * 5000, "2030-99-99", [], {}, [[]], [None], {"a": {}}]),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.none() | st.text(max_size=5) | st.integers(), max_size=4),
    st.dictionaries(st.text(max_size=5), st.none() | st.text(max_size=5), max_size=3),
)  # fmt: skip


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where something can be spoiled."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


def spoiled(whole: dict[str, object], path: tuple[str | int, ...], wrong: object) -> str:
    """The JSON text of ``whole`` with something else, or nothing, at ``path``."""
    if not path:
        return json.dumps(None if wrong is GONE else wrong)
    made = copy.deepcopy(whole)
    at: object = made
    for key in path[:-1]:
        at = at[key]  # type: ignore[index]
    if wrong is GONE:
        del at[path[-1]]  # type: ignore[attr-defined]
    else:
        at[path[-1]] = wrong  # type: ignore[index]
    return json.dumps(made)


@st.composite
def payloads(draw: st.DrawFn) -> tuple[bool, str]:
    """A snapshot (True) or a change, with one or two fields that aren't right, sometimes cut off."""
    whole = draw(st.sampled_from([SNAPSHOT, CHANGE, CHANGE_FOR_TENANT]))
    text = spoiled(whole, draw(st.sampled_from(places(whole))), draw(WRONG))
    if draw(st.integers(0, 9)) == 0:
        text = text[: draw(st.integers(0, len(text)))]
    return whole is SNAPSHOT, text


@given(payload=payloads(), tenant=st.sampled_from(["t", "t2", "t3", "x"]))
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_field_that_is_not_right_never_raises_nor_turns_anything_on(payload, tenant):
    whole, text = payload
    held, counters = Held(None), Counters()
    applier = Applier(held, counters, lambda before, after: None)
    applier.snapshot(GOOD)
    before = held.ruleset
    if whole:
        used = applier.snapshot(text) is not None
    else:
        applier.change(ChangeFrame("e1", 8, text))
        used = held.ruleset is not before
    assert held.position >= ("e1", 7)
    if not used:
        # What was good is served on, and that something wasn't right is told or made up for by a snapshot.
        assert held.ruleset is before
        assert applier.problem or applier.gap or counters.refused_older or not whole
    if held.ruleset.rules.get("a.b") == before.rules["a.b"]:
        assert held.ruleset.evaluate("a.b", tenant, 0.0).state is FlagState.OFF
    for name in ("a.b", "c.d", "nobody's", *list(held.ruleset.rules)[:3]):
        found = held.ruleset.evaluate(name, tenant, 1.9e9)
        assert not found.enabled or _is_on(text)
    # What was spoiled may have been served: it can still be kept on disk and read back.
    assert applier.snapshot(
        json.dumps({**SNAPSHOT, "epoch": held.ruleset.epoch, "revision": held.ruleset.revision + 1})
    )


def _is_on(text: str) -> bool:
    """Whether the server said so itself: one of the values is a state that enables."""
    return '"on"' in text


def _rules(revision: int) -> Ruleset:
    return Ruleset("e5", revision, {"a.b": Rule("a.b", FlagState.KILL, 0, frozenset(), (), 1)}, {})


@given(
    cut=st.integers(0, 400),
    at=st.integers(0, 400),
    byte=st.integers(0, 255),
    kind=st.sampled_from(["snapshot", "position"]),
)
@settings(max_examples=EXAMPLES // 3, suppress_health_check=[HealthCheck.too_slow])
def test_a_cache_that_was_damaged_anywhere_is_not_served_and_not_raised(cut, at, byte, kind):
    with tempfile.TemporaryDirectory() as folder:
        cache = DiskCache(folder, "http://flags.example", KEY)
        cache.save(_rules(7))
        cache.note(("e5", 7))
        cache.close()
        [file] = Path(folder).glob(f"*.{kind}")
        content = bytearray(file.read_bytes())
        where = min(at, len(content) - 1)
        content[where] = byte
        if cut < len(content) // 2:
            del content[cut:]
        file.write_bytes(content)
        later = DiskCache(folder, "http://flags.example", KEY)
        kept = later.load()
        if kept.ruleset is None:
            assert later.problem
        else:
            # The snapshot's checksum holds, so it is what was saved: a damaged position says nothing against it.
            assert (kept.ruleset.epoch, kept.ruleset.revision) == ("e5", 7)
            assert kept.ruleset.evaluate("a.b", "t", 0.0).state is FlagState.KILL
        if kind == "snapshot":
            later.save(_rules(8))
            later.close()
            anew = DiskCache(folder, "http://flags.example", KEY)
            assert anew.load().ruleset.revision == 8
            anew.close()
        later.close()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "<html>log in</html>", {"Content-Type": "text/html"}),
        problem(401, "unauthenticated", "The key was revoked."),
        Answer(500, "oops"),
        Answer(200, "", {"Content-Type": "application/json"}),
        Answer(200, GOOD[: len(GOOD) // 2], {"Content-Type": "application/json"}),
        Answer(200, GOOD[: len(GOOD) // 2], {"Content-Type": "application/json"}, len(GOOD)),
        Answer(0),
    ],
    ids=["html", "401", "500", "empty", "half", "cut off", "hung up"],
)  # fmt: skip
def test_what_was_good_is_served_on_and_the_trouble_is_told(server, make_client, answer, monkeypatch):
    monkeypatch.setattr("flagconsole.sdk.core.PATIENCE", 0.05)
    monkeypatch.setattr("flagconsole.client.stream.REFUSED_SECONDS", 0.01)
    client = make_client(poll_seconds=0.05)
    assert client.wait_ready(20)
    revision = client.status.revision
    for path in ("/api/stream", "/api/snapshot"):
        server.answers["GET", path] = lambda asked: answer
    server.change("a.b", "kill", deliver=False)
    asked = len(server.requests)
    for stream in server.streams:
        stream.cut()
    # Both were asked again, more than once, and neither was of use.
    for path in ("/api/stream", "/api/snapshot"):
        until(lambda path=path: sum(one.path.startswith(path) for one in server.requests[asked:]) >= 3, 20)
    said = until(lambda: client.status.problem, 20)
    assert said
    assert not client.status.connected
    assert (client.status.revision, client.is_enabled("a.b", "t")) == (revision, True)
    for path in ("/api/stream", "/api/snapshot"):
        del server.answers["GET", path]
    until(lambda: client.state("a.b", "t") is FlagState.KILL, 20)
    until(lambda: client.status.problem is None, 20)


def test_a_server_that_was_never_there_is_told_and_nothing_is_on(make_client):
    began = time.monotonic()
    client = make_client(url="http://127.0.0.1:9")
    assert not client.is_enabled("a.b", "t")
    assert time.monotonic() - began < 20
    assert "connect" in until(lambda: "connect" in (client.status.problem or "") and client.status.problem, 20).lower()
    assert client.status.health is Health.ERROR
