"""What screens ask the server for beside the stream. Each question is answered with a value, or with words why it can't be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

from flagconsole.console.feed import problem_text
from flagconsole.console.rollout_questions import RolloutAnswerer, RolloutQuestions
from flagconsole.console.rows import ChangeRow, Json, change_row
from flagconsole.domain.errors import FlagConsoleError

if TYPE_CHECKING:
    from flagconsole.domain.approval import Approval, ApprovalDecline
    from flagconsole.domain.audit_report import AuditReport
    from flagconsole.domain.break_glass import GrantReview, GrantView
    from flagconsole.domain.bulk import BulkResult, BulkRollback
    from flagconsole.domain.cohort_views import AnyCohort
    from flagconsole.domain.environment import EnvironmentExport
    from flagconsole.domain.incident_views import IncidentDetail, IncidentList
    from flagconsole.domain.requests import Rollback
    from flagconsole.domain.shadow_report import ShadowReport
    from flagconsole.domain.views import ChangeResult, FlagDetail, HistoryPage

Answer = TypeVar("Answer")

#: Changes that are asked for at once.
HISTORY_PAGE: Final = 100
#: Tenants of a cohort that are asked for at once.
COHORT_PAGE: Final = 500
#: Newest incidents that are asked who they reached.
INCIDENTS: Final = 20


class Answerer(RolloutAnswerer, Protocol):
    """What questions need of a client."""

    async def flag(self, name: str) -> FlagDetail:
        """One flag."""
        ...

    async def history(
        self, flag_name: str | None = None, *, limit: int = 100, before: int | None = None
    ) -> HistoryPage:
        """Changes, newest first."""
        ...

    async def rollback(
        self, name: str, body: Rollback, *, version: int | None = None, idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:  # fmt: skip
        """Undo a change, or say what that would do."""
        ...

    async def bulk_rollback(
        self, body: BulkRollback, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> BulkResult:
        """Undo several changes as one set, or say what that would do."""
        ...

    async def cohort(
        self, name: str, *, tenant_id: str | None = None, inside: bool | None = None, after: str | None = None,
        limit: int = 100,
    ) -> AnyCohort:  # fmt: skip
        """The cohort of a flag."""
        ...

    async def shadow_report(self, name: str) -> ShadowReport:
        """What shadow executions say of a flag."""
        ...

    async def verify_audit(self) -> AuditReport:
        """Whether the log's chain holds."""
        ...

    async def incidents(
        self, *, flag_name: str | None = None, open_only: bool = False, limit: int = 50
    ) -> IncidentList:
        """Incidents, newest first."""
        ...

    async def incident(self, incident_id: str) -> IncidentDetail:
        """One incident with whom it reached."""
        ...

    async def export(self) -> EnvironmentExport:
        """The environment as a file, with its plans."""
        ...

    async def approve(self, approval_id: str) -> Approval:
        """Allow what somebody else asked for."""
        ...

    async def decline(self, approval_id: str, body: ApprovalDecline) -> Approval:
        """Refuse it, or take the consent back."""
        ...

    async def review_break_glass(self, grant_id: str, body: GrantReview) -> GrantView:
        """Say that what was done under a grant was looked at."""
        ...


class OlderChanges(NamedTuple):
    """A page of the log and whether there is more behind it."""

    rows: tuple[ChangeRow, ...]
    more: bool


class Reached(NamedTuple):
    """An incident and the tenants that it reached; None where nobody has counted them yet."""

    incident_id: str
    flag_name: str
    started_at: float
    tenants: frozenset[str] | None


class Questions(RolloutQuestions):
    """Asks whatever client there is at the moment. ``keep_changes`` is told of changes that were fetched, for the cache."""

    def __init__(self, client: Callable[[], Answerer | None], keep_changes: Callable[[list[Json]], None]) -> None:
        self._client = client
        self._keep_changes = keep_changes
        self._reached: dict[str, Reached] = {}

    async def _ask(self, question: Callable[[Answerer], Awaitable[Answer]]) -> Answer | str:
        client = self._client()
        if client is None:
            return "not connected yet"
        try:
            return await question(client)
        except (FlagConsoleError, OSError) as error:
            return problem_text(error)

    async def _ask_rollout(self, question: Callable[[RolloutAnswerer], Awaitable[Answer]]) -> Answer | str:
        return await self._ask(question)

    async def dry_rollback(self, name: str, version: int, *, allow_raise: bool = False) -> ChangeResult | str:
        """What a rollback would do."""
        from flagconsole.domain.requests import Rollback

        body = Rollback(rollback_reason="dry run", allow_raise=allow_raise)
        return await self._ask(lambda client: client.rollback(name, body, version=version, dry_run=True))

    async def dry_revert(
        self, change_ids: tuple[int, ...], *, allow_raise: bool, leave_raising: bool
    ) -> BulkResult | str:
        """What undoing exactly these changes would do."""
        from flagconsole.domain.bulk import BulkRollback

        body = BulkRollback(
            rollback_reason="dry run", change_ids=change_ids, allow_raise=allow_raise, leave_raising=leave_raising
        )
        return await self._ask(lambda client: client.bulk_rollback(body, dry_run=True))

    async def older_changes(
        self, name: str | None, before: int | None, limit: int = HISTORY_PAGE
    ) -> OlderChanges | str:
        """The changes before one, of a flag or of all."""
        page = await self._ask(lambda client: client.history(name, limit=limit, before=before))
        if isinstance(page, str):
            return page
        changes: list[Json] = [item.model_dump(mode="json") for item in page.changes]
        self._keep_changes(changes)
        return OlderChanges(tuple(map(change_row, changes)), page.next_before is not None)

    async def flag_json(self, name: str) -> dict[str, Any] | str:
        """A flag as the API gives it."""
        found = await self._ask(lambda client: client.flag(name))
        return found if isinstance(found, str) else found.flag.model_dump(mode="json")

    async def cohort(self, name: str) -> AnyCohort | str:
        """The cohort of a flag, with those who are in it first."""
        return await self._ask(lambda client: client.cohort(name, limit=COHORT_PAGE))

    async def placement(self, name: str, tenant_id: str) -> AnyCohort | str:
        """Why one tenant is in a flag's cohort, or isn't."""
        return await self._ask(lambda client: client.cohort(name, tenant_id=tenant_id, limit=1))

    async def audit(self) -> AuditReport | str:
        """Whether the whole log's chain holds."""
        return await self._ask(lambda client: client.verify_audit())

    async def shadow_report(self, name: str) -> ShadowReport | str:
        """What shadow executions of the last 24 h say of a flag."""
        return await self._ask(lambda client: client.shadow_report(name))

    async def plan_names(self) -> tuple[str, ...] | str:
        """The rollout plans that the environment keeps by name."""
        found = await self._ask(lambda client: client.export())
        return found if isinstance(found, str) else tuple(sorted(entry.name for entry in found.environment.plans))

    async def approve(self, approval_id: str) -> Json | str:
        """Allow what somebody else asked for. The request as the API gives it."""
        found = await self._ask(lambda client: client.approve(approval_id))
        return found if isinstance(found, str) else found.model_dump(mode="json")

    async def decline(self, approval_id: str, reason: str) -> Json | str:
        """Refuse what was asked for, or take the consent back. The request as the API gives it: declined by this, or before it."""
        from flagconsole.domain.approval import ApprovalDecline

        body = ApprovalDecline(decline_reason=reason)
        found = await self._ask(lambda client: client.decline(approval_id, body))
        return found if isinstance(found, str) else found.model_dump(mode="json")

    async def review(self, grant_id: str, note: str) -> Json | str:
        """Say that what was done under break-glass was looked at. The grant with all of that, as the API gives it."""
        from flagconsole.domain.break_glass import GrantReview

        found = await self._ask(lambda client: client.review_break_glass(grant_id, GrantReview(note=note)))
        return found if isinstance(found, str) else found.model_dump(mode="json")

    async def reached(self) -> tuple[Reached, ...] | str:
        """Whom the newest incidents reached. An incident that was counted is asked for only once."""
        listing = await self._ask(lambda client: client.incidents(limit=INCIDENTS))
        if isinstance(listing, str):
            return listing
        unknown = [item.incident_id for item in listing.incidents if item.incident_id not in self._reached]
        answers = await asyncio.gather(*(self._whom(name) for name in unknown))
        fresh = {item.incident_id: item for item in answers if item is not None}
        self._reached.update({name: item for name, item in fresh.items() if item.tenants is not None})
        both = {**fresh, **self._reached}
        return tuple(both[item.incident_id] for item in listing.incidents if item.incident_id in both)

    async def _whom(self, incident_id: str) -> Reached | None:
        found = await self._ask(lambda client: client.incident(incident_id))
        if isinstance(found, str):
            return None
        incident = found.incident
        counted = None if incident.affected is None else frozenset(item.tenant_id for item in found.affected_tenants)
        return Reached(incident_id, incident.flag_name, incident.started_at.timestamp(), counted)
