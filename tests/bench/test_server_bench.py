"""What the server's benchmark compares: the bound sends the same bytes, and what isn't measured isn't judged."""

from __future__ import annotations

import base64
from typing import Any

from bench.raw_asgi import Raw
from bench.rounds import Measured
from bench.served import Served
from bench.table import OURS, Table
from bench.unleash_server import Unleash

from bench import server


async def test_the_bound_sends_what_it_was_given():
    app = Raw({"/0": (200, [["etag", '"1"'], ["content-length", "2"]], base64.b64encode(b"{}").decode())})
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    await app({"type": "http", "path": "/0"}, receive, send)
    assert [(one.get("status"), one.get("headers"), one.get("body")) for one in sent] == [
        (200, [(b"etag", b'"1"'), (b"content-length", b"2")], None),
        (None, None, b"{}"),
    ]


def test_each_read_is_asked_for_alike(monkeypatch):
    monkeypatch.setattr(server, "_unchanged", lambda asked: asked)
    theirs = Unleash("http://127.0.0.1:2", 2, 1.0)
    listed = server.works(Served("http://127.0.0.1:1", "fc_x", 1, 0.5), theirs)
    assert len({work.name for work in listed}) == len(listed) == 7
    for work in listed:
        assert (work.ours.process, work.theirs is None or work.theirs.process) in {(1, 2), (1, True)}
        assert work.ours.headers["Authorization"] == "Bearer fc_x"
        assert work.theirs is None or work.theirs.url.startswith(theirs.url)
    compressed = next(work for work in listed if work.name == "snapshot, gzip")
    assert compressed.theirs is not None
    assert compressed.ours.headers["Accept-Encoding"] == compressed.theirs.headers["Accept-Encoding"] == "gzip"


def test_shares_and_ratios_are_judged_and_what_was_not_measured_is_noted():
    table = Table("server", "")
    for who, rate in ((OURS, 800.0), (server.BOUND, 1000.0), (server.UNLEASH, 100.0)):
        table.add("snapshot, 30 flags", who, Measured(rate, 0.0, 3), "requests/s", "high")
        table.add("snapshot, 30 flags: CPU time", who, Measured(40_000 / rate, 0.0, 3), "µs")
    server._judge(table)
    found = {goal.what: (goal.found, goal.reached) for goal in table.goals}
    assert found["snapshot, 30 flags: share of the bound, by CPU time"] == (0.8, True)
    assert found["snapshot, 30 flags: against Unleash's"] == (8.0, True)
    assert "not judged, since it was not measured: memory when idle" in table.notes
