"""The server's view of the store in memory: rules, flags and overrides at one revision, with what is sent often encoded
once per revision."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

from flagconsole.domain.change import Event
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.flag import Flag, Override
from flagconsole.domain.payload import FLAG_FIELDS, SCHEMA
from flagconsole.domain.role import ApiKey
from flagconsole.domain.tenant_view import flag_of_tenant
from flagconsole.domain.views import FlagView
from flagconsole.operations.reading import override_rule, ruleset_of
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
        if event.flag is None:
            self.flags.pop(name, None)
            self.overrides = {key: override for key, override in self.overrides.items() if key[0] != name}
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
            return self._tagged(self._body_of_tenant(tenant_id))
        if self._snapshot is None or self._snapshot[0] != revision:
            self._snapshot = (
                revision,
                *self._tagged(snapshot_body(self.head, self.flags.values(), self.overrides.values())),
            )
        return self._snapshot[1], self._snapshot[2]

    def _tagged(self, body: bytes) -> tuple[bytes, str]:
        digest = hashlib.sha256(body).hexdigest()[:16]
        return body, f'"{self.ruleset.epoch}:{self.ruleset.revision}:{digest}"'

    def _body_of_tenant(self, tenant_id: str) -> bytes:
        rules = self.ruleset.rules
        flags = (flag_of_tenant(flag, tenant_id, rules[name]) for name, flag in self.flags.items())
        overrides = (override for override in self.overrides.values() if override.tenant_id == tenant_id)
        return snapshot_body(self.head, flags, overrides, tenant_id)

    def snapshot_frame(self, tenant_id: str | None = None) -> bytes:
        """The snapshot as a frame of the stream."""
        return frame("snapshot", self.snapshot(tenant_id)[0].decode(), self.ruleset)


def frame(event: str, data: str, at: Ruleset | None = None) -> bytes:
    """One frame of a server-sent event stream; JSON has no raw line breaks, so the data is one line."""
    position = "" if at is None else f"id: {at.epoch}:{at.revision}\n"
    return f"event: {event}\n{position}data: {data}\n\n".encode()


def snapshot_body(
    head: Head, flags: Iterable[Flag], overrides: Iterable[Override], tenant_id: str | None = None
) -> bytes:
    """The JSON of a snapshot: what evaluation needs, and no more. ``tenant_id`` is whom alone it is about."""
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "epoch": head.epoch,
        "revision": head.revision,
        "flags": [{name: getattr(flag, name) for name in FLAG_FIELDS} for flag in flags],
        "overrides": [
            {
                "flag_name": override.flag_name,
                "tenant_id": override.tenant_id,
                "override_state": override.override_state,
                "expires_at": None if override.expires_at is None else override.expires_at.isoformat(),
            }
            for override in overrides
        ],
    }
    if tenant_id is not None:
        data["tenant_id"] = tenant_id
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
