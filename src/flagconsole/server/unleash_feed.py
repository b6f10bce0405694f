"""What Unleash's clients are sent: each feature encoded once, the whole payload once for each revision. Those whose keys are
bound to a tenant have a feed of that tenant's rules."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Final

from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.unleash import MAPPING_VERSION, feature, feature_names, flag_of
from flagconsole.server.hub import COMMENT, Channel, Hub

_ETAG = re.compile(rf'^(?:W/)?"([0-9A-Za-z-]{{1,64}}:[0-9]{{1,18}}):{MAPPING_VERSION}((?:-[0-9a-f]{{16}})?)"$')
_EMPTY: Final = Ruleset("", -1, {}, {})
#: Feeds of tenants that are kept though nobody streams them.
_IDLE_FEEDS: Final = 50


def etag_of(ruleset: Ruleset, tenant_id: str | None) -> str:
    """The tag of the payload at this position, as this tenant's key sees it."""
    return f'"{ruleset.epoch}:{ruleset.revision}:{MAPPING_VERSION}{_mark(tenant_id)}"'


def position_of(etag: str, tenant_id: str | None) -> str | None:
    """The ``epoch:revision`` that a client holds by its tag; None for a tag that isn't of this server's making, or was given
    to a key that sees other rules."""
    match = _ETAG.fullmatch(etag.strip())
    return match[1] if match is not None and match[2] == _mark(tenant_id) else None


def _mark(tenant_id: str | None) -> str:
    return "" if tenant_id is None else f"-{hashlib.sha256(tenant_id.encode()).hexdigest()[:16]}"


class UnleashFeeds:
    """The feed of each tenant whose key somebody follows with, and the feed of all others."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._feeds: dict[str | None, UnleashFeed] = {}

    def of(self, tenant_id: str | None) -> UnleashFeed:
        """The feed that this tenant's key sees."""
        feed = self._feeds.pop(tenant_id, None) or UnleashFeed(self._hub, tenant_id)
        self._feeds[tenant_id] = feed  # the newest used is the last
        self._forget_idle()
        return feed

    def tell(self, ruleset: Ruleset) -> None:
        """Let the streams know of new rules."""
        for tenant_id in self._hub.tenants(Channel.UNLEASH):
            self.of(tenant_id).advance(ruleset)

    def _forget_idle(self) -> None:
        if len(self._feeds) <= _IDLE_FEEDS:
            return
        followed = self._hub.tenants(Channel.UNLEASH)
        idle = [tenant for tenant in self._feeds if tenant is not None and tenant not in followed]
        for tenant_id in idle[:-_IDLE_FEEDS]:
            del self._feeds[tenant_id]


class UnleashFeed:
    """The features at one position. Whoever asks first for a later one moves it on, and with that tells the streams."""

    def __init__(self, hub: Hub, tenant_id: str | None = None) -> None:
        self._hub = hub
        self._tenant_id = tenant_id
        self._whole = _EMPTY
        self._at = _EMPTY
        self._features: dict[str, bytes] = {}
        self._payload: bytes | None = None
        self._hydration: bytes | None = None

    @property
    def position(self) -> tuple[str, int]:
        """What whoever follows has been sent, or has waiting in its queue."""
        return self._at.epoch, self._at.revision

    def payload(self, ruleset: Ruleset) -> bytes:
        """The answer to ``GET /api/client/features``."""
        self.advance(ruleset)
        if self._payload is None:
            self._payload = b'{"version":2,"features":[' + b",".join(self._features.values()) + b'],"segments":[]}'
        return self._payload

    def hydration(self, ruleset: Ruleset) -> bytes:
        """The frame that a stream begins with."""
        self.advance(ruleset)
        if self._hydration is None:
            features = b",".join(self._features.values())
            event = b'{"type":"hydration","eventId":%d,"features":[%s],"segments":[]}' % (ruleset.revision, features)
            self._hydration = _frame("unleash-connected", ruleset, [event])
        return self._hydration

    def advance(self, whole: Ruleset) -> None:
        """Go to the rules that ``whole`` are for this feed's clients."""
        if whole is self._whole:
            return
        self._whole = whole
        ruleset = whole if self._tenant_id is None else whole.of_tenant(self._tenant_id)
        before, self._at = self._at, ruleset
        self._payload = self._hydration = None
        events: list[bytes] = []
        names = feature_names(ruleset)
        for name in names:
            if name not in self._features or _differs(before, ruleset, flag_of(name)):
                data = json.dumps(feature(ruleset, name), separators=(",", ":"), ensure_ascii=False).encode()
                if self._features.get(name) != data:
                    self._features[name] = data
                    events.append(b'{"type":"feature-updated","eventId":%d,"feature":%s}' % (ruleset.revision, data))
        if len(names) != len(self._features):
            for name in self._features.keys() - set(names):
                del self._features[name]
                gone = {
                    "type": "feature-removed",
                    "eventId": ruleset.revision,
                    "featureName": name,
                    "project": "default",
                }
                events.append(json.dumps(gone, separators=(",", ":")).encode())
        # Where nothing changed for these clients there is nothing to tell, and the streams show at once that it was told.
        data = _frame("unleash-updated", ruleset, events) if events else COMMENT
        self._hub.publish_rules(data, self._tenant_id, channel=Channel.UNLEASH)


def _differs(before: Ruleset, after: Ruleset, flag_name: str) -> bool:
    """Whether the flag's features may differ. Rulesets share what a change left alone, so identity is enough to see that."""
    return (
        before.rules.get(flag_name) is not after.rules[flag_name]
        or before.overrides.get(flag_name) is not after.overrides.get(flag_name)
        or not (before.same_graph(after) or _same_parents(before, after, flag_name))
    )


def _same_parents(before: Ruleset, after: Ruleset, flag_name: str) -> bool:
    """Whether it names the same features as its parents: the same flags, each with dependencies of its own or without."""
    closure = after.closure(flag_name)
    return before.closure(flag_name) == closure and all(
        bool(before.closure(name)) == bool(after.closure(name)) for name in closure
    )


def _frame(event: str, at: Ruleset, events: list[bytes]) -> bytes:
    head = f"event: {event}\nid: {at.epoch}:{at.revision}\ndata: ".encode()
    return head + b'{"events":[' + b",".join(events) + b"]}\n\n"
