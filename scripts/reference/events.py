"""What the event stream sends."""

from __future__ import annotations

import inspect
from typing import Final

from flagconsole.client import frames
from flagconsole.server.hub import Topic
from reference.page import code, page, sentence, table

ABOUT = """The events of `GET /api/stream` (`text/event-stream`). How a client continues, what it does about gaps and what the data
of each holds: [the HTTP API](../api.md#the-stream). Events that a client doesn't know it passes over."""

#: The event's name, what a client makes of it, whether it has an id, and what has to be asked for to get it.
EVENTS: Final = (
    ("snapshot", frames.Snapshot, True, None),
    ("change", frames.ChangeFrame, True, None),
    ("heartbeat", frames.Heartbeat, False, None),
    ("receipt", frames.ReceiptFrame, False, Topic.RECEIPTS),
    ("incident", frames.IncidentFrame, False, Topic.INCIDENTS),
    ("rollout", frames.RolloutFrame, False, Topic.ROLLOUTS),
    ("verdict", frames.VerdictFrame, False, Topic.ROLLOUTS),
    ("goodbye", frames.Goodbye, False, None),
)


def text() -> str:
    """The page."""
    rows = [
        (
            code(name),
            code("epoch:revision") if has_id else "–",
            code(f"?include={topic.value}") if topic else "always",
            sentence(inspect.getdoc(kind)),
        )
        for name, kind, has_id, topic in EVENTS
    ]
    return page("Events", ABOUT, table(("event", "id", "sent", "meaning"), rows))
