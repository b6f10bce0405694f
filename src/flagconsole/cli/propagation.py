"""How far a change has come: which instances have confirmed it, how long that took, and who is behind."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from flagconsole.cli.output import age, duration
from flagconsole.domain.errors import ExitCode, FlagConsoleError
from flagconsole.domain.instance import EXPECTED, EXPECTED_SECONDS, Instance, Presence
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.domain.views import ChangeResult, InstanceList

#: Seconds between two looks at the instances.
POLL_SECONDS: Final = 0.05
#: So many names of instances are printed; the rest is counted.
_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class Propagation:
    """What was seen when the waiting ended. ``seconds`` is from the change to the last confirmation, by the server's clock,
    None where nothing is known of it; ``problem`` says why the instances couldn't be read to the end. ``told`` are those
    that can't confirm and were sent the change; ``behind`` all others that have not confirmed. ``lost`` counts those that have
    not confirmed but fell silent so long ago that nobody waits for them."""

    revision: int
    expected: int
    confirmed: int
    seconds: float | None
    behind: tuple[Instance, ...]
    seen_at: datetime | None
    problem: str | None = None
    lost: int = 0
    told: tuple[Instance, ...] = ()

    @property
    def confirmed_everywhere(self) -> bool:
        """Whether nobody is left who may still serve the old state, as far as is known."""
        return self.problem is None and self.confirmed == self.expected

    @property
    def settled(self) -> bool:
        """Whether waiting longer can't bring another confirmation: everyone who can has given it, and the others were told."""
        return self.problem is None and self.confirmed + len(self.told) == self.expected

    @property
    def exit_code(self) -> int:
        """What a command that waited for it ends with."""
        if self.confirmed_everywhere:
            return ExitCode.OK
        return ExitCode.UNCONFIRMABLE if self.settled else ExitCode.UNCONFIRMED

    def as_json(self) -> dict[str, Any]:
        """The keys that ``kill --json`` has under ``propagation``."""
        return {
            "revision": self.revision,
            "expected": self.expected,
            "confirmed": self.confirmed,
            "confirmed_everywhere": self.confirmed_everywhere,
            "milliseconds": None if self.seconds is None else round(self.seconds * 1000, 1),
            "behind": [
                {
                    "instance_id": instance.instance_id,
                    "service": instance.service,
                    "revision": instance.revision,
                    "presence": instance.presence.value,
                    "can_confirm": instance.can_confirm,
                    "last_seen": instance.last_seen.isoformat(),
                }
                for instance in self.behind
            ],
            "told": [{"instance_id": instance.instance_id, "service": instance.service} for instance in self.told],
            "lost": self.lost,
            "problem": self.problem,
        }

    def lines(self) -> list[str]:
        """The same for people."""
        if self.problem is not None:
            return [f"how far it has come is not known: {self.problem}"]
        if self.expected == 0:
            return ["no instances are connected, so there is nobody to confirm it", *self._lost_line()]
        took = "" if self.seconds is None or not self.confirmed else f" after {duration(self.seconds)}"
        able = self.expected - len(self.told)
        lines = [f"confirmed by {self.confirmed} of {able} instances{took}"] if able else []
        if self.told:
            lines.append(f"told, can't confirm: {self._names(self.told)}")
        lines += [f"  not by {self._describe(instance)}" for instance in self.behind[:_NAMED]]
        if len(self.behind) > _NAMED:
            lines.append(f"  and not by {len(self.behind) - _NAMED} more")
        return lines + self._lost_line()

    def _names(self, instances: tuple[Instance, ...]) -> str:
        named = [f"{safe_text(i.instance_id, 140)} ({safe_text(i.service, 140)})" for i in instances[:_NAMED]]
        more = f" and {len(instances) - _NAMED} more" if len(instances) > _NAMED else ""
        return f"{', '.join(named)}{more}"

    def _lost_line(self) -> list[str]:
        if not self.lost:
            return []
        return [
            f"not counted: {self.lost} silent for over {EXPECTED_SECONDS / 60:.0f} minutes, which never confirmed it"
        ]

    def _describe(self, instance: Instance) -> str:
        seen = "" if self.seen_at is None else f", last seen {age(instance.last_seen, self.seen_at)} ago"
        name, service = safe_text(instance.instance_id, 140), safe_text(instance.service, 140)
        holds = f"at revision {instance.revision}"
        if instance.told_revision is not None:
            holds = f"told of revision {instance.told_revision} at most, can't confirm"
        return f"{name} ({service}, {holds}, {instance.presence.value}{seen})"


async def wait_for_confirmation(backend: Backend, result: ChangeResult, wait: float) -> Propagation:
    """Look until every expected instance that can has confirmed the result's change, and all others were told of it, for at
    most ``wait`` seconds."""
    change = result.change
    revision = result.revision if change is None else change.change_id
    since = change.changed_at if change is not None and result.changed else None
    deadline = time.monotonic() + wait
    while True:
        try:
            listed = await backend.instances(revision)
        except FlagConsoleError as error:
            # The kill is done whatever happens to this question, so a failing server is asked again until the deadline.
            seen = Propagation(revision, 0, 0, None, (), None, safe_text(error))
        else:
            seen = _seen(listed, revision, since)
        if seen.settled or time.monotonic() >= deadline:
            return seen
        await asyncio.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))


def _seen(listed: InstanceList, revision: int, since: datetime | None) -> Propagation:
    expected = [instance for instance in listed.instances if instance.presence in EXPECTED]
    told = tuple(instance for instance in expected if instance.told(listed.epoch, revision))
    behind = tuple(i for i in expected if not (i.confirms(listed.epoch, revision) or i.told(listed.epoch, revision)))
    received = [i.received_at for i in expected if i.received_at is not None and i.confirms(listed.epoch, revision)]
    seconds = max(0.0, (max(received) - since).total_seconds()) if received and since is not None else None
    lost = sum(i.presence is Presence.LOST and not i.confirms(listed.epoch, revision) for i in listed.instances)
    confirmed = len(expected) - len(behind) - len(told)
    return Propagation(revision, len(expected), confirmed, seconds, behind, listed.now, lost=lost, told=told)
