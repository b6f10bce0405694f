"""Server-sent events are read the same however their bytes are cut and their lines are ended."""

from __future__ import annotations

import pytest

from flagconsole.client.event_reader import Event, EventReader, EventTooLarge

SENT = (
    "\ufeff: hello\n\n"
    "event: heartbeat\ndata: {}\n\n\n"
    "id: e:1\nevent: change\ndata:  größer\n\n"
    "data\ndata: two\nretry: 5\nunknown: x\n\n"
    "id: with\0nul\nevent:snapshot\ndata:a:b\n\n"
    "event: cut"
)
EVENTS = [
    Event("heartbeat", "", "{}"),
    Event("change", "e:1", " größer"),
    Event("message", "e:1", "\ntwo"),
    Event("snapshot", "e:1", "a:b"),
]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_events_are_the_same_in_every_cut(ending):
    sent = SENT.replace("\n", ending).encode()
    for size in (1, 2, 3, 5, 17, len(sent)):
        reader, found = EventReader(), []
        for start in range(0, len(sent), size):
            found += reader.feed(sent[start : start + size])
        assert found == EVENTS, size


def test_an_event_without_end_is_refused_and_many_small_ones_are_not():
    reader = EventReader(limit=1024 * 1024)
    for _ in range(40):
        assert len(list(reader.feed(b"data: " + b"x" * 100_000 + b"\n\n"))) == 1
    for _ in range(10):
        assert list(reader.feed(b"data: " + b"x" * 100_000 + b"\n")) == []
    with pytest.raises(EventTooLarge):
        list(reader.feed(b"data: " + b"x" * 100_000))


def test_what_is_not_utf_8_is_refused():
    with pytest.raises(UnicodeDecodeError):
        list(EventReader().feed(b"data: \xff\n\n"))
