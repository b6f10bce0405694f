"""The server's view of the store in memory: rules, flags and overrides at one revision, with what is sent often encoded
once per revision."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Final

from flagconsole.domain.change import Event
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.flag import Override
from flagconsole.domain.role import ApiKey
from flagconsole.domain.views import FlagView
from flagconsole.operations.reading import override_rule, ruleset_of
from flagconsole.server.snapshot import SnapshotParts
from flagconsole.store.protocol import Head, StoredEvent
from flagconsole.store.rows import last_change_of

#: Events kept in memory for clients that come back.
RECENT_EVENTS: Final = 2_000


class Projection:
    """What the server knows, at ``(ruleset.epoch, ruleset.revision)``. Only the follower changes it."""

    def __init__(self, head: Head, flags: Sequence[FlagView], overrides: Sequence[Override]) -> None:
        self.ruleset: Ruleset = ruleset_of(head, flags, overrides)
        self.audit_hash = head.audit_hash
        self.flags: dict[str, FlagView] = {flag.flag_name: flag for flag in flags}
        self.overrides: dict[tuple[str, str], Override] = {(o.flag_name, o.tenant_id): o for o in overrides}
        self.tenants: tuple[str, ...] = ()
        self.keys: dict[str, ApiKey] = {}
        #: Where the two of them were when they were read (``Reader.people``).
        self.people = -1
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=RECENT_EVENTS)
        self._snapshot: tuple[int, bytes, str] | None = None
        self._parts = SnapshotParts()

    @property
    def head(self) -> Head:
        """The newest position."""
        return Head(self.ruleset.epoch, self.ruleset.revision, self.audit_hash)

    def apply(self, stored: StoredEvent) -> Event | None:
        """Take the next event, and return it decoded. None, and nothing is taken, where it doesn't follow from what is known by its hash."""
        event = Event.from_json(stored.body, self.flags)
        if event.change.previous_hash != self.audit_hash:
            return None
        name, tenant = event.change.flag_name, event.change.tenant_id
        rule = None if event.flag is None else event.flag.rule()
        ruleset = self.ruleset.with_rule(event.revision, name, rule)
        self._parts.forget_flag(name)
        if event.flag is None:
            self.flags.pop(name, None)
            for key in [key for key in self.overrides if key[0] == name]:
                self._parts.forget_override(key)
                del self.overrides[key]
        else:
            view = FlagView.model_construct(**dict(event.flag), last_change=last_change_of(event.change))
            if name not in self.flags:
                self.flags = dict(sorted({**self.flags, name: view}.items()))
            self.flags[name] = view
        if tenant is not None and event.flag is not None:
            ruleset = self._override(ruleset, event, tenant)
        self.ruleset, self.audit_hash = ruleset, event.change.hash
        self._recent.append((event.revision, frame("change", stored.body, self.ruleset)))
        return event

    def _override(self, ruleset: Ruleset, event: Event, tenant: str) -> Ruleset:
        name = event.change.flag_name
        self._parts.forget_override((name, tenant))
        if event.override is None:
            self.overrides.pop((name, tenant), None)
            return ruleset.with_override(event.revision, name, tenant, None)
        self.overrides[name, tenant] = event.override
        return ruleset.with_override(event.revision, name, tenant, override_rule(event.override))

    def frames_after(self, revision: int) -> list[bytes] | None:
        """The change frames that follow ``revision``, or None when they are no longer in memory."""
        if revision == self.ruleset.revision:
            return []
        if not self._recent or self._recent[0][0] > revision + 1:
            return None
        return [data for at, data in self._recent if at > revision]

    def newest_frame(self) -> bytes:
        """The frame of the newest change."""
        return self._recent[-1][1]

    def snapshot(self, tenant_id: str | None = None) -> tuple[bytes, str]:
        """The snapshot as it is sent, and its ETag; encoded once per revision. With a tenant: what that tenant's key sees of
        it."""
        revision = self.ruleset.revision
        if tenant_id is not None:
            flags, overrides = self.flags.values(), self.overrides.values()
            return self._tagged(self._parts.of_tenant(self.ruleset, flags, overrides, tenant_id))
        if self._snapshot is None or self._snapshot[0] != revision:
            self._snapshot = (
                revision,
                *self._tagged(self._parts.whole(self.ruleset, self.flags.values(), self.overrides.values())),
            )
        return self._snapshot[1], self._snapshot[2]

    def _tagged(self, body: bytes) -> tuple[bytes, str]:
        digest = hashlib.sha256(body).hexdigest()[:16]
        return body, f'"{self.ruleset.epoch}:{self.ruleset.revision}:{digest}"'

    def snapshot_frame(self, tenant_id: str | None = None) -> bytes:
        """The snapshot as a frame of the stream."""
        return frame("snapshot", self.snapshot(tenant_id)[0].decode(), self.ruleset)


def frame(event: str, data: str, at: Ruleset | None = None) -> bytes:
    """One frame of a server-sent event stream; JSON has no raw line breaks, so the data is one line."""
    position = "" if at is None else f"id: {at.epoch}:{at.revision}\n"
    return f"event: {event}\n{position}data: {data}\n\n".encode()
