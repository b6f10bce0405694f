"""OFREP's answers as they are sent, made at the first question after each revision: a service asks for the same tenants again and again."""

from __future__ import annotations

from typing import Final, NamedTuple

from flagconsole.domain.evaluation import Ruleset
from flagconsole.server.follower import Follower
from flagconsole.server.known_keys import KnownKey
from flagconsole.server.ofrep_answer import encoded
from flagconsole.server.ofrep_evaluation import all_evaluated, context_of, evaluated, tenant_meant
from flagconsole.server.representation import Answer

#: Bytes of answers and questions that are kept until the next revision.
MOST_BYTES: Final = 16 * 1024 * 1024
#: Bytes that one of them takes beside its own.
_ENTRY_BYTES: Final = 600


class Evaluated(NamedTuple):
    """The answer to one question; to all flags there is also a tag, and what is said to who has it."""

    whole: Answer
    tag: str | None = None
    unchanged: Answer | None = None

    def ready(self, if_none_match: str | None, accept_encoding: str | None = None) -> Answer:
        """As ``Representation.ready``; it is never compressed."""
        if self.unchanged is None or if_none_match is None:
            return self.whole
        shown = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
        return self.unchanged if self.tag in shown else self.whole

    async def answer(self, if_none_match: str | None, accept_encoding: str | None) -> Answer:
        """As ``Representation.answer``."""
        return self.ready(if_none_match)


class Evaluations:
    """The answers of one environment, by who asks for what."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._ruleset: Ruleset | None = None
        self._made: dict[tuple[str, str, bytes], Evaluated] = {}
        self._bytes = 0

    def answered(self, known: KnownKey, key: str, body: bytes, now: float) -> Evaluated | None:
        """The answer for the flag ``key``, or for all where it is empty, to the question ``body`` at ``now`` (seconds since the epoch). None
        where there is no such flag, or it depends on a tenant that isn't named. Raises ``MalformedBody`` and ``InvalidInput``."""
        ruleset = self._follower.projection.ruleset
        if ruleset is not self._ruleset:
            self._ruleset = ruleset
            self._forget()
        lasts = now < ruleset.next_expiry
        made = self._made.get((known.hashed, key, body)) if lasts else None
        if made is None:
            made = _one(ruleset, known, key, body, now) if key else _all(ruleset, known, body, now)
            if made is not None and lasts:
                self._bytes += _ENTRY_BYTES + len(body) + len(made.whole.body)
                if self._bytes > MOST_BYTES:
                    self._forget()
                self._made[known.hashed, key, body] = made
        return made

    def _forget(self) -> None:
        self._made.clear()
        self._bytes = 0


def _one(ruleset: Ruleset, known: KnownKey, key: str, body: bytes, now: float) -> Evaluated | None:
    tenant = tenant_meant(known.actor, context_of(body))
    found = evaluated(ruleset, key, tenant, now) if key in ruleset.rules else None
    if found is None:
        return None
    return Evaluated(Answer.of(200, {}, encoded(found)))


def _all(ruleset: Ruleset, known: KnownKey, body: bytes, now: float) -> Evaluated:
    context = context_of(body)
    made, tag = all_evaluated(ruleset, context, tenant_meant(known.actor, context), now, known.hashed)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    return Evaluated(Answer.of(200, headers, made), tag, Answer.of(304, headers))
