"""Tenants as the console knows them: light rows read from the API's JSON, like those of ``rows``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class TenantRow(NamedTuple):
    """One customer business. A text that isn't known is empty, a number or a yes that isn't known is None."""

    tenant_id: str
    name: str
    active: bool
    users: int | None
    size: str
    industry: str
    region: str
    risk: float | None
    engagement: float | None
    beta: bool | None
    timezone: str
    volume: float | None
    tickets: int | None
    escalated_on: str
    escalation_open: bool | None
    custom: tuple[str, ...]
    blackouts: tuple[str, ...]

    @property
    def profiled(self) -> bool:
        """Whether anything is known that a cohort could be drawn by."""
        return any((self.size, self.industry, self.region, self.risk is not None, self.engagement is not None))


def tenant_row(data: Mapping[str, Any]) -> TenantRow:
    """The row of a tenant as the API spells it."""
    return TenantRow(
        str(data["tenant_id"]),
        _text(data.get("name")),
        data.get("active") is not False,
        _whole(data.get("users")),
        _text(data.get("size")),
        _text(data.get("industry")),
        _text(data.get("region")),
        _number(data.get("risk_score")),
        _number(data.get("engagement_score")),
        _yes(data.get("beta_participant")),
        _text(data.get("timezone")),
        _number(data.get("transaction_volume")),
        _whole(data.get("tickets_90d")),
        _text(data.get("last_escalation_on")),
        _yes(data.get("open_escalation")),
        tuple(map(str, data.get("custom_configuration") or ())),
        tuple(_blackout(item) for item in data.get("blackouts") or () if isinstance(item, Mapping)),
    )


def _blackout(data: Mapping[str, Any]) -> str:
    why = _text(data.get("why"))
    return f"{data.get('starts_on')} to {data.get('ends_on')}" + (f" ({why})" if why else "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _yes(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
