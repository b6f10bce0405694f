"""The life of one action, as pure data: ``INTENT → SENT → ACCEPTED → PROPAGATING k/n → CONFIRMED``, or ``PARTIAL``,
``REJECTED``, ``UNKNOWN``. Nothing is shown as done that isn't confirmed. ``performer`` drives it with a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

from flagconsole.console.rows import InstanceRow

#: An instance that has not confirmed so many seconds after the change was accepted is named as being behind.
PARTIAL_AFTER: Final = 5.0


class Kind(StrEnum):
    """What an action does."""

    KILL = "kill"
    REVIVE = "revive"
    ROLLBACK = "rollback"
    REVERT = "revert"
    PLAYBOOK = "playbook"
    SET = "set"
    OVERRIDE = "override"
    START = "start"
    PROMOTE = "promote"
    HOLD = "hold"
    RESUME = "resume"
    ABORT = "abort"


#: Actions that change a rollout and not the flag: no instance has anything to confirm.
UNSPREAD: Final = frozenset({Kind.HOLD, Kind.RESUME, Kind.ABORT})


class Asked(NamedTuple):
    """What an action asks for beside its flag and reason; what its kind doesn't need stays as it is here.

    ``state`` is also an override's, where ``remove`` takes it away instead; ``expires_at`` is in seconds since the epoch.
    ``target`` is the change that a rollback returns to; ``changes`` are those that are undone as one set, where ``leave_raising``
    leaves out the flags whose undoing would raise exposure. ``plan`` is the name of a rollout's plan, empty for the flag's own;
    ``checked`` says that what is missing of the pre-canary checklist was seen to.
    """

    state: str = ""
    percentage: int | None = None
    tenant_id: str | None = None
    expires_at: float | None = None
    remove: bool = False
    playbook: str = ""
    rollout_id: str | None = None
    target: int | None = None
    allow_raise: bool = False
    plan: str = ""
    past_verdict: bool = False
    freeze: bool = False
    changes: tuple[int, ...] = ()
    leave_raising: bool = False
    checked: bool = False


class Stage(StrEnum):
    """How far an action is."""

    INTENT = "intent"
    SENT = "sent"
    ACCEPTED = "accepted"
    PROPAGATING = "propagating"
    CONFIRMED = "confirmed"
    PARTIAL = "partial"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


#: Stages in which it isn't certain yet that the server has the action.
IN_FLIGHT: Final = frozenset({Stage.INTENT, Stage.SENT, Stage.UNKNOWN})
#: Stages in which instances are still waited for; PARTIAL can still become CONFIRMED.
OBSERVED: Final = frozenset({Stage.ACCEPTED, Stage.PROPAGATING, Stage.PARTIAL})


#: What an action asks for that needs no more than its flag and reason.
NOTHING_MORE: Final = Asked()


class Effect(NamedTuple):
    """A metric before and after an action, each measured over its own seconds in its own group; ``after`` is None while
    nothing was measured since."""

    metric: str
    kind: str
    before: float | None
    before_group: str
    before_seconds: float
    after: float | None = None
    after_group: str = ""
    after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Action:
    """One action. ``key`` is its idempotency key; ``version`` the flag's version that it was decided on.

    ``begun_at`` is shown to people (seconds since the epoch); ``sent_at``, ``accepted_at`` and ``confirmed_at`` are
    monotonic seconds. ``metric`` is the one whose course the action is to change, ``judged`` what the judge last saw of it
    over the phase. ``confirmed`` and ``behind`` name instances,
    ``told`` those that were sent it and have no way to confirm. ``message`` says why it was refused or isn't known.
    """

    key: str
    kind: Kind
    flag_name: str
    environment: str
    reason: str
    version: int
    before: str
    begun_at: float
    asked: Asked = NOTHING_MORE
    metric: str = ""
    judged: float | None = None
    base_revision: int = -1
    stage: Stage = Stage.INTENT
    sent_at: float | None = None
    accepted_at: float | None = None
    confirmed_at: float | None = None
    epoch: str = ""
    revision: int = 0
    changed: bool = True
    after: str = ""
    confirmed: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    message: str = ""
    attempts: int = 0
    earlier: bool = False
    effect: Effect | None = None

    @property
    def expected(self) -> int:
        """How many instances have to confirm."""
        return len(self.confirmed) + len(self.behind)

    @property
    def accepted_time(self) -> float | None:
        """When it was accepted, in the server's seconds since the epoch; None before that."""
        if self.accepted_at is None or self.sent_at is None:
            return None
        return self.begun_at + (self.accepted_at - self.sent_at)

    @property
    def took(self) -> float | None:
        """Seconds from sending to the last confirmation; None before that."""
        if self.sent_at is None or self.confirmed_at is None:
            return None
        return self.confirmed_at - self.sent_at


def sent(action: Action, at: float) -> Action:
    """The action after its request was handed to the network (again, where the outcome isn't known)."""
    return replace(
        action,
        stage=Stage.UNKNOWN if action.stage is Stage.UNKNOWN else Stage.SENT,
        sent_at=action.sent_at if action.sent_at is not None else at,
        attempts=action.attempts + 1,
    )


def accepted(action: Action, at: float, epoch: str, revision: int, *, changed: bool, after: str) -> Action:
    """The action after the server said that it is committed, at ``revision``."""
    return replace(
        action,
        stage=Stage.ACCEPTED,
        accepted_at=at,
        epoch=epoch,
        revision=revision,
        changed=changed,
        after=after,
        message="",
    )


def rejected(action: Action, message: str) -> Action:
    """The action after the server refused it, or when it is sure that it never took effect."""
    return replace(action, stage=Stage.REJECTED, message=message)


def unknown(action: Action, message: str) -> Action:
    """The action when it isn't known whether it took effect."""
    return replace(action, stage=Stage.UNKNOWN, message=message)


def observed(action: Action, instances: Mapping[str, InstanceRow], at: float) -> Action:
    """The action with what the instances have confirmed by now. It never loses a confirmation.

    An instance that left, or was lost for good, isn't waited for, and neither is one that was told and can't confirm. Where
    no instance is known that can, nobody confirms, and the action stays ``ACCEPTED``.
    """
    if action.stage not in OBSERVED or action.accepted_at is None or action.kind in UNSPREAD:
        return action
    confirmed = set(action.confirmed)
    confirmed.update(name for name, row in instances.items() if row.confirms(action.epoch, action.revision))
    running = {name: row for name, row in instances.items() if row.expected and name not in confirmed}
    told = tuple(sorted(name for name, row in running.items() if row.told(action.epoch, action.revision)))
    behind = [name for name in running if name not in told]
    if not confirmed and not behind:
        return replace(action, told=told) if told != action.told else action
    stage = Stage.CONFIRMED if not behind else Stage.PROPAGATING
    if behind and at - action.accepted_at >= PARTIAL_AFTER:
        stage = Stage.PARTIAL
    confirmed_at = at if stage is Stage.CONFIRMED else None
    return replace(
        action,
        stage=stage,
        confirmed=tuple(sorted(confirmed)),
        behind=tuple(sorted(behind)),
        told=told,
        confirmed_at=confirmed_at,
    )
