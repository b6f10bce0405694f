"""The impact follows from the share of tenants that had the feature, and says what is due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flagconsole.domain.flag import Setting
from flagconsole.domain.incident import Impact, Incident, impact_of
from flagconsole.domain.states import FlagState

ON = Setting(current_state=FlagState.ON)


@pytest.mark.parametrize(
    ("affected", "impact"),
    [
        (0, "none"),
        (1, "minimal"),
        (50, "minimal"),
        (51, "moderate"),
        (250, "moderate"),
        (251, "severe"),
        (500, "severe"),
    ],
)
def test_the_share_of_tenants_decides(affected, impact):
    assert impact_of(affected, 500, ON) == impact


@pytest.mark.parametrize(
    ("before", "impact"),
    [
        (ON, "severe"),
        (Setting(current_state=FlagState.CANARY, canary_percentage=10), "minimal"),
        (Setting(current_state=FlagState.CANARY, canary_percentage=11), "moderate"),
        (Setting(current_state=FlagState.CANARY, canary_percentage=0), "none"),
        (Setting(current_state=FlagState.CANARY, canary_tenant_ids=("t1",)), "minimal"),
        (Setting(current_state=FlagState.SHADOW), "none"),
        (Setting(current_state=FlagState.OFF), "none"),
    ],
)
def test_without_known_tenants_the_setting_decides(before, impact):
    assert impact_of(0, 0, before) == impact


def test_what_is_due():
    due = {impact: (impact.post_mortem_due, impact.communication_due) for impact in Impact}
    assert due == {
        Impact.NONE: (False, False),
        Impact.MINIMAL: (True, False),
        Impact.MODERATE: (True, True),
        Impact.SEVERE: (True, True),
    }


def test_a_person_knows_better_and_one_tenant_is_minimal():
    incident = Incident(
        incident_id="inc-1",
        flag_name="a.b",
        trigger="x",
        opened_by="olu",
        before=ON,
        tenant_id="t1",
        started_at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    assert incident.impact is None
    counted = incident.assessed(("t1",), 1)
    assert counted.impact is Impact.MINIMAL
    assert counted.model_copy(update={"overridden_impact": Impact.SEVERE}).impact is Impact.SEVERE
