"""``GET /api/flags`` as bytes: every flag encoded once for each of its changes, a tenant's answers once for each revision."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import AwareDatetime, TypeAdapter
from pydantic_core import to_json

from flagconsole.domain.evaluation import Evaluation, Ruleset
from flagconsole.domain.flag import Override
from flagconsole.domain.role import Actor
from flagconsole.domain.views import EvaluationView, FlagView
from flagconsole.operations.reading import in_force, seen_by
from flagconsole.server.follower import Follower

#: Bytes that are kept of tenants' parts. What doesn't fit is made anew.
MOST_BYTES: Final = 16 * 1024 * 1024

_FLAG: Final = TypeAdapter(FlagView)
_OVERRIDES: Final = TypeAdapter(tuple[Override, ...])
_EVALUATION: Final = TypeAdapter(EvaluationView)
_TIME: Final = TypeAdapter(AwareDatetime)


class FlagLists:
    """The listings of one environment: byte for byte what ``FlagListing`` of the same is as JSON."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._ruleset: Ruleset | None = None
        self._encoded: dict[str, tuple[FlagView, bytes]] = {}
        self._flags: dict[str | None, bytes] = {}
        self._answers: dict[str | None, bytes] = {}
        self._evaluations: dict[Evaluation, bytes] = {}
        self._bytes = 0

    def body(self, actor: Actor, tenant: str | None, now: datetime) -> bytes:
        """All flags as the actor's key sees them, the overrides in force (of one tenant, if named) and what the tenant gets."""
        ruleset = self._follower.projection.ruleset
        if ruleset is not self._ruleset:
            self._begin(ruleset)
        return b"".join(
            (
                b'{"epoch":%b,"revision":%d,"now":' % (to_json(ruleset.epoch), ruleset.revision),
                _TIME.dump_json(now),
                b',"tenant_id":%b,"flags":[' % to_json(tenant),
                self._flags_of(actor),
                b'],"overrides":',
                self._answers_of(ruleset, tenant, now),
                b"}",
            )
        )

    def _begin(self, ruleset: Ruleset) -> None:
        """Forget what isn't so any more. A flag that didn't change is the same object, and stays encoded."""
        self._ruleset = ruleset
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
