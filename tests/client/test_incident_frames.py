"""Incidents on the stream reach who asks for them."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

from flagconsole.client.stream import IncidentFrame, Snapshot, Stream
from flagconsole.domain.role import Role


def test_an_incident_is_a_frame_of_its_own(live_server):
    live_server.request("POST", "/api/flags", json={"flag_name": "a.b"})

    async def follow():
        stream = Stream(live_server.url, live_server.keys[Role.VIEWER], include=("incidents",))
        async with asyncio.timeout(15), aclosing(stream.events()) as events:
            async for event in events:
                if isinstance(event, Snapshot):
                    kill = {"kill_reason": "errors"}
                    await asyncio.to_thread(live_server.request, "POST", "/api/flags/a.b/kill", json=kill)
                if isinstance(event, IncidentFrame):
                    return json.loads(event.text)
        raise AssertionError("the stream ended")

    incident = asyncio.run(follow())
    assert (incident["incident_id"], incident["flag_name"]) == ("inc-1", "a.b")
