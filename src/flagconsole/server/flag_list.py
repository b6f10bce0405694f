"""``GET /api/flags`` as bytes: every flag encoded once for each of its changes, a tenant's answers once for each revision."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from pydantic import AwareDatetime, TypeAdapter
from pydantic_core import to_json

from flagconsole.domain.evaluation import Evaluation, Ruleset
from flagconsole.domain.flag import Override
from flagconsole.domain.role import Actor
from flagconsole.domain.views import EvaluationView, FlagView
from flagconsole.operations.reading import in_force, seen_by
from flagconsole.server.follower import Follower
from flagconsole.server.representation import Answer, Headers, head_of, joined

#: Bytes that are kept of tenants' parts. What doesn't fit is made anew.
MOST_BYTES: Final = 16 * 1024 * 1024

_FLAG: Final = TypeAdapter(FlagView)
_OVERRIDES: Final = TypeAdapter(tuple[Override, ...])
_EVALUATION: Final = TypeAdapter(EvaluationView)
_TIME: Final = TypeAdapter(AwareDatetime)


class Listed(NamedTuple):
    """One listing: what changes with the time, and all the rest, which may be large."""

    begin: bytes
    rest: bytes

    @property
    def body(self) -> bytes:
        """All of it."""
        return self.begin + self.rest

    @property
    def status(self) -> int:
        """That of its answer."""
        return 200

    def wire(self, first: Headers) -> tuple[bytes, ...]:
        """As ``Answer.wire``."""
        return joined(head_of(200, first, self._headers()) + self.begin, self.rest)

    def ready(self, if_none_match: str | None, accept_encoding: str | None) -> Listed:
        """As ``Representation.ready``: whatever the client has or takes, it is sent as it is."""
        return self

    async def answer(self, if_none_match: str | None, accept_encoding: str | None) -> Answer:
        """As ``Representation.answer``."""
        return Answer(200, self._headers(), self.body)

    def _headers(self) -> Headers:
        return [(b"content-length", b"%d" % (len(self.begin) + len(self.rest))), (b"content-type", b"application/json")]


class FlagLists:
    """The listings of one environment: byte for byte what ``FlagListing`` of the same is as JSON."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._ruleset: Ruleset | None = None
        self._epoch = b""
        self._encoded: dict[str, tuple[FlagView, bytes]] = {}
        self._flags: dict[str | None, bytes] = {}
        self._answers: dict[str | None, bytes] = {}
        self._rests: dict[str | None, bytes] = {}
        self._evaluations: dict[Evaluation, bytes] = {}
        self._bytes = 0

    def body(self, actor: Actor, tenant: str | None, now: datetime) -> bytes:
        """All flags as the actor's key sees them, the overrides in force (of one tenant, if named) and what the tenant gets."""
        return self.listed(actor, tenant, now).body

    def listed(self, actor: Actor, tenant: str | None, now: datetime) -> Listed:
        """The same before its parts are joined."""
        ruleset = self._follower.projection.ruleset
        if ruleset is not self._ruleset:
            self._begin(ruleset)
        time = _TIME.dump_json(now)
        return Listed(
            b'{"epoch":%b,"revision":%d,"now":%b,' % (self._epoch, ruleset.revision, time),
            self._rest(actor, tenant, now),
        )

    def _rest(self, actor: Actor, tenant: str | None, now: datetime) -> bytes:
        """All that comes after the time. What a key is answered without asking for a tenant is kept as a whole."""
        ruleset = self._follower.projection.ruleset
        plain = tenant == actor.tenant_id and now.timestamp() < ruleset.next_expiry
        made = self._rests.get(tenant) if plain else None
        if made is None:
            made = b"".join(
                (
                    b'"tenant_id":%b,"flags":[' % to_json(tenant),
                    self._flags_of(actor),
                    b'],"overrides":',
                    self._answers_of(ruleset, tenant, now),
                    b"}",
                )
            )
            if plain:
                self._keep(self._rests, tenant, made)
        return made

    def _begin(self, ruleset: Ruleset) -> None:
        """Forget what isn't so any more. A flag that didn't change is the same object, and stays encoded."""
        self._ruleset = ruleset
        self._epoch = to_json(ruleset.epoch)
        known, self._encoded = self._encoded, {}
        for name, view in self._follower.projection.flags.items():
            kept = known.get(name)
            if kept is not None and kept[0] is view:
                self._encoded[name] = kept
        self._evaluations.clear()
        self._forget()

    def _forget(self) -> None:
        self._flags.clear()
        self._answers.clear()
        self._rests.clear()
        self._bytes = 0

    def _flags_of(self, actor: Actor) -> bytes:
        made = self._flags.get(actor.tenant_id)
        if made is None:
            flags = self._follower.projection.flags.values()
            made = b",".join([self._flag_of(actor, flag) for flag in flags])
            self._keep(self._flags, actor.tenant_id, made)
        return made

    def _flag_of(self, actor: Actor, flag: FlagView) -> bytes:
        seen = seen_by(actor, flag)
        if seen is not flag:
            return _FLAG.dump_json(seen)
        kept = self._encoded.get(flag.flag_name)
        if kept is None:
            kept = self._encoded[flag.flag_name] = (flag, _FLAG.dump_json(flag))
        return kept[1]

    def _answers_of(self, ruleset: Ruleset, tenant: str | None, now: datetime) -> bytes:
        at = now.timestamp()
        if at >= ruleset.next_expiry:
            return self._answered(ruleset, tenant, now)  # some override isn't in force any more
        made = self._answers.get(tenant)
        if made is None:
            made = self._answered(ruleset, tenant, now)
            self._keep(self._answers, tenant, made)
        return made

    def _answered(self, ruleset: Ruleset, tenant: str | None, now: datetime) -> bytes:
        projection, at = self._follower.projection, now.timestamp()
        overrides = _OVERRIDES.dump_json(in_force(projection.overrides.values(), tenant, now))
        if tenant is None:
            return overrides + b',"effective_states":{},"evaluations":{}'
        states, evaluations = [], []
        for name in projection.flags:
            evaluation, key = ruleset.evaluate(name, tenant, at), to_json(name)
            states.append(b"%b:%b" % (key, to_json(evaluation.state)))
            evaluations.append(b"%b:%b" % (key, self._evaluation(evaluation)))
        told = (overrides, b",".join(states), b",".join(evaluations))
        return b'%b,"effective_states":{%b},"evaluations":{%b}' % told

    def _evaluation(self, evaluation: Evaluation) -> bytes:
        known = evaluation._replace(flag_name="")
        made = self._evaluations.get(known)
        if made is None:
            made = self._evaluations[known] = _EVALUATION.dump_json(EvaluationView.of(evaluation))
        return made

    def _keep(self, where: dict[str | None, bytes], tenant: str | None, made: bytes) -> None:
        """Keep it until the next revision, and all together only so many."""
        self._bytes += len(made)
        if self._bytes > MOST_BYTES:
            self._forget()
        where[tenant] = made
