"""What sheets ask the server about rollouts and incidents: what something would do, before it is done, and what is no action
on a flag: ticks, confirmed steps, reports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from flagconsole.console.actions import Action
from flagconsole.console.rollouts import RolloutRow, rollout_row
from flagconsole.console.rows import Json
from flagconsole.console.sending import flag_update

if TYPE_CHECKING:
    from flagconsole.domain import requests as ask
    from flagconsole.domain import rollout_requests as ask_rollout
    from flagconsole.domain.incident_views import IncidentClose, IncidentDetail, StepConfirm
    from flagconsole.domain.rollout_views import RolloutDetail, RolloutResult
    from flagconsole.domain.views import ChangeResult

Value = TypeVar("Value")

#: The reason of what is only asked about: it is written nowhere.
DRY: Final = "dry run"


class RolloutAnswerer(Protocol):
    """What these questions need of a client."""

    async def update(
        self, name: str, body: ask.FlagUpdate, *, version: int | None = None, idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:  # fmt: skip
        """Set a flag's state."""
        ...

    async def start_rollout(
        self, name: str, body: ask_rollout.RolloutStart, *, version: int | None = None,
        idempotency_key: str | None = None, dry_run: bool = False,
    ) -> RolloutResult:  # fmt: skip
        """Begin a rollout."""
        ...

    async def promote(
        self, name: str, body: ask_rollout.Promote, *, version: int | None = None, idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> RolloutResult:  # fmt: skip
        """Go to the next phase."""
        ...

    async def begin_playbook(
        self, name: str, body: ask_rollout.PlaybookBegin, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> IncidentDetail:
        """Roll a flag back by a playbook."""
        ...

    async def rollout(self, name: str) -> RolloutDetail:
        """A flag's newest rollout, its steps, and the checklist."""
        ...

    async def confirm_step(
        self, incident_id: str, step: str, body: StepConfirm, *, dry_run: bool = False
    ) -> IncidentDetail:
        """Say what a person found of a step."""
        ...

    async def close_incident(self, incident_id: str, body: IncidentClose, *, dry_run: bool = False) -> IncidentDetail:
        """Close an incident."""
        ...

    async def export_incident(self, incident_id: str) -> str:
        """One incident as Markdown."""
        ...


class RolloutQuestions:
    """Mixed into ``Questions``. Each answers with a value, or in words why it can't be."""

    async def _ask_rollout(self, question: Callable[[RolloutAnswerer], Awaitable[Value]]) -> Value | str:
        raise NotImplementedError

    async def dry_set(self, action: Action) -> ChangeResult | str:
        """What setting a flag's state would do."""
        body, version = flag_update(action), action.version
        return await self._ask_rollout(
            lambda client: client.update(action.flag_name, body, version=version, dry_run=True)
        )

    async def dry_start(self, name: str, version: int, plan: str, *, checked: bool) -> RolloutRow | str:
        """The rollout that would begin; ``checked`` where what is missing of the checklist was seen to."""
        from flagconsole.domain.rollout_requests import RolloutStart

        body = RolloutStart(start_reason=DRY, plan_name=plan or None, checked=checked)
        found = await self._ask_rollout(lambda client: client.start_rollout(name, body, version=version, dry_run=True))
        return found if isinstance(found, str) else rollout_row(found.rollout.model_dump(mode="json"))

    async def dry_promote(self, name: str, version: int, *, past_verdict: bool, checked: bool) -> RolloutRow | str:
        """The rollout as it would be after a promotion; ``checked`` as in a start."""
        from flagconsole.domain.rollout_requests import Promote

        body = Promote(promote_reason=DRY, past_verdict=past_verdict, checked=checked)
        found = await self._ask_rollout(lambda client: client.promote(name, body, version=version, dry_run=True))
        return found if isinstance(found, str) else rollout_row(found.rollout.model_dump(mode="json"))

    async def dry_playbook(self, name: str, playbook: str) -> str:
        """Why a playbook would be refused; empty where it would begin."""
        from flagconsole.domain.rollout_requests import PlaybookBegin

        body = PlaybookBegin.model_validate({"playbook_reason": DRY, "playbook_name": playbook})
        found = await self._ask_rollout(lambda client: client.begin_playbook(name, body, dry_run=True))
        return found if isinstance(found, str) else ""

    async def checklist(self, name: str) -> Json | str:
        """A flag's newest rollout with its steps and checklist, as the API gives it."""
        found = await self._ask_rollout(lambda client: client.rollout(name))
        return found if isinstance(found, str) else found.model_dump(mode="json")

    async def confirm_step(self, incident_id: str, step: str, note: str, *, done: bool) -> Json | str:
        """Say what was found of a step, or of a point of the list at the end. The incident as the API gives it."""
        from flagconsole.domain.incident_views import StepConfirm

        body = StepConfirm(done=done, note=note)
        found = await self._ask_rollout(lambda client: client.confirm_step(incident_id, step, body))
        return found if isinstance(found, str) else found.model_dump(mode="json")

    async def close_incident(self, incident_id: str, root_cause: str) -> Json | str:
        """Close an incident with its root cause. The incident as the API gives it."""
        from flagconsole.domain.incident_views import IncidentClose

        body = IncidentClose(root_cause=root_cause)
        found = await self._ask_rollout(lambda client: client.close_incident(incident_id, body))
        return found if isinstance(found, str) else found.model_dump(mode="json")

    async def report(self, incident_id: str) -> tuple[bool, str]:
        """An incident as Markdown; or, with False, why it can't be had."""
        found = await self._ask_rollout(lambda client: _boxed(client.export_incident(incident_id)))
        return (False, found) if isinstance(found, str) else (True, found[0])


async def _boxed(text: Awaitable[str]) -> tuple[str]:
    """The text where text would be mistaken for the words of a failure."""
    return (await text,)
