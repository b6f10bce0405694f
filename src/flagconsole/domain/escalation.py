"""Whether a rollback that is under way has to become a graver one, as a pure function of what the judge said meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flagconsole.domain.playbook import GRADUAL, IMMEDIATE, KILL_SWITCH
from flagconsole.domain.rollout import PLAYBOOK_OF, Decision, Move, Rollout, RolloutStatus, StoredVerdict
from flagconsole.domain.urgency import Urgency
from flagconsole.domain.verdict import VerdictKind

#: How grave each playbook is.
GRAVITY: Final = {GRADUAL: 1, IMMEDIATE: 2, KILL_SWITCH: 3}


def escalation(rollout: Rollout, playbook: str, looks: Iterable[StoredVerdict]) -> Decision:
    """What follows from ``looks`` at a rollout that ``playbook`` rolls back: the gravest playbook that a failure asks for,
    where that is graver. It waits for nothing, and a plan that leaves rollbacks to people leaves this to them too."""
    if rollout.status is not RolloutStatus.ROLLING_BACK:
        return Decision(Move.WAIT, "it isn't being rolled back")
    if not rollout.plan.auto_rollback:
        return Decision(Move.WAIT, "the plan leaves rollbacks to people")
    failing = [look for look in looks if look.kind is VerdictKind.FAIL and look.phase == rollout.phase]
    gravest = max(failing, key=_gravity, default=None)
    if gravest is None or _gravity(gravest) <= GRAVITY[playbook]:
        return Decision(Move.WAIT, f"nothing asks for more than {playbook}")
    return Decision(Move.ESCALATE, gravest.because, _asked(gravest))


def _asked(look: StoredVerdict) -> str:
    return PLAYBOOK_OF[look.urgency or Urgency.HIGH]


def _gravity(look: StoredVerdict) -> int:
    return GRAVITY[_asked(look)]
