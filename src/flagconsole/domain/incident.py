"""Incidents: what a kill or a rollback opens, what became of it, and what is due afterwards."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AwareDatetime, Field

from flagconsole.domain.exposure import raises
from flagconsole.domain.flag import Frozen, Setting
from flagconsole.domain.states import FlagState


class Impact(StrEnum):
    """How many customers an incident reached."""

    NONE = "none"
    MINIMAL = "minimal"
    MODERATE = "moderate"
    SEVERE = "severe"

    @property
    def post_mortem_due(self) -> bool:
        """Any impact asks for a post-mortem."""
        return self is not Impact.NONE

    @property
    def communication_due(self) -> bool:
        """Customers are told from a moderate impact on."""
        return self in {Impact.MODERATE, Impact.SEVERE}


#: Shares of the active tenants up to which an impact is minimal (the first canary) and moderate (the second).
MINIMAL_SHARE: Final = 0.10
MODERATE_SHARE: Final = 0.50


def impact_of(affected: int, tenants: int, before: Setting) -> Impact:
    """The impact on ``affected`` of ``tenants`` active tenants, for whom the flag was ``before``.

    Affected is who had the feature enabled: nobody is ``none``, up to 10 % ``minimal``, up to 50 % ``moderate``, more is
    ``severe``. Where the store knows no tenants, the setting itself tells the share: that nobody is known is no reason to
    believe that nobody was reached.
    """
    if tenants > 0:
        return _of_share(affected / tenants)
    if before.current_state is FlagState.ON:
        return Impact.SEVERE
    if before.current_state is not FlagState.CANARY:
        return Impact.NONE
    return Impact.MINIMAL if before.canary_tenant_ids else _of_share(before.canary_percentage / 100)


def _of_share(share: float) -> Impact:
    if share <= 0:
        return Impact.NONE
    if share <= MINIMAL_SHARE:
        return Impact.MINIMAL
    return Impact.MODERATE if share <= MODERATE_SHARE else Impact.SEVERE


_AND_THEN: Final = "; then "
#: A trigger that tells of more is cut.
TRIGGER_LENGTH: Final = 2000


class Incident(Frozen):
    """One incident of one flag.

    ``playbook`` is the newest one that ran, None for a rollback by hand. ``trigger`` says why it was opened, and what came
    after that. ``before`` is the flag's setting right before, the most exposing one where several things happened;
    ``tenant_id`` is set where only that tenant's override was rolled back. ``change_ids`` are the changes that belong to it.
    ``affected_tenants`` is None until somebody has counted. ``completed_at`` is when service was restored: the playbook's
    end, or every expected instance's receipt.
    """

    incident_id: str
    flag_name: str
    playbook: str | None = None
    trigger: str
    opened_by: str
    before: Setting
    tenant_id: str | None = None
    change_ids: tuple[int, ...] = ()
    started_at: AwareDatetime
    completed_at: AwareDatetime | None = None
    closed_at: AwareDatetime | None = None
    closed_by: str | None = None
    estimate_minutes: float | None = None
    affected_tenants: tuple[str, ...] | None = None
    tenants_known: int = 0
    computed_impact: Impact | None = None
    overridden_impact: Impact | None = None
    root_cause: str = ""
    resolution_steps: tuple[str, ...] = ()
    prevention: str = ""

    @property
    def open(self) -> bool:
        """Whether nobody has closed it yet."""
        return self.closed_at is None

    @property
    def waiting(self) -> bool:
        """Whether it is open, and service isn't restored or the tenants aren't counted."""
        return self.open and (self.completed_at is None or self.affected_tenants is None)

    @property
    def impact(self) -> Impact | None:
        """The impact: what a person says, else what was computed, None before that."""
        return self.overridden_impact or self.computed_impact

    @property
    def restoration_minutes(self) -> float | None:
        """How long it took until service was restored; None while it isn't."""
        if self.completed_at is None:
            return None
        return (self.completed_at - self.started_at).total_seconds() / 60

    @property
    def first_trigger(self) -> str:
        """Why it was opened, without what came after that."""
        return self.trigger.partition(_AND_THEN)[0]

    def assessed(self, affected: tuple[str, ...], tenants: int) -> Incident:
        """The incident with the tenants that it reached, and the impact that follows."""
        impact = impact_of(len(affected), tenants, self.before)
        if self.tenant_id is not None:
            impact = Impact.MINIMAL if affected else Impact.NONE
        return self.model_copy(
            update={"affected_tenants": affected, "tenants_known": tenants, "computed_impact": impact}
        )

    def grown(self, trigger: str, before: Setting) -> Incident:
        """The incident after something more happened to its flag, which was ``before`` until then. Where more tenants had
        the feature than when it was opened, they are its tenants too, and are counted anew."""
        told = trigger if trigger in self.trigger else f"{self.trigger}{_AND_THEN}{trigger}"
        if len(told) > TRIGGER_LENGTH:
            told = f"{told[: TRIGGER_LENGTH - 1]}…"
        grown = self.model_copy(update={"trigger": told})
        wider = raises(self.before, before, self.flag_name) and not raises(before, self.before, self.flag_name)
        if not wider:
            return grown
        uncounted = {"before": before, "affected_tenants": None, "tenants_known": 0, "computed_impact": None}
        return grown.model_copy(update=uncounted)

    def counted_as(self, counted: Incident) -> Incident:
        """The incident with what was counted of it elsewhere, where it has no count yet."""
        if self.affected_tenants is not None or counted.affected_tenants is None:
            return self
        return self.assessed(counted.affected_tenants, counted.tenants_known)


class TimelineKind(StrEnum):
    """Where an entry of a timeline comes from."""

    CHANGE = "change"
    VERDICT = "verdict"
    RECEIPTS = "receipts"
    STEP = "step"
    NOTICE = "notice"
    INCIDENT = "incident"


class TimelineEntry(Frozen):
    """Something that happened during an incident. ``text`` may hold outside text."""

    at: AwareDatetime
    kind: TimelineKind
    text: str
    actor: str = ""


class AffectedTenant(Frozen):
    """A tenant that an incident reached, by name where one is known."""

    tenant_id: str
    name: str = ""


Note = Annotated[str, Field(max_length=4000)]
