"""How models lie in table rows; the same for every backend."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from flagconsole.domain.change import Change
from flagconsole.domain.flag import Flag, Override
from flagconsole.domain.instance import Instance, Presence
from flagconsole.domain.role import ApiKey
from flagconsole.domain.states import FlagState, FlagType
from flagconsole.domain.tenant import Blackout, Size, TenantProfile
from flagconsole.domain.views import FlagView, LastChange
from flagconsole.store.session import Row

FLAG_COLUMNS = (
    "flag_name",
    "flag_type",
    "description",
    "default_state",
    "current_state",
    "affects",
    "dependencies",
    "rollback_time_seconds",
    "is_kill_switch",
    "canary_percentage",
    "canary_tenant_ids",
    "canary_holdout_ids",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "owner",
    "tags",
    "expires_on",
    "plan",
)
_FLAG_LISTS = ("affects", "dependencies", "canary_tenant_ids", "canary_holdout_ids", "tags")
_FLAG_STATES = ("flag_type", "default_state", "current_state")
CHANGE_COLUMNS = (
    "change_id",
    "epoch",
    "flag_name",
    "tenant_id",
    "action",
    "change_type",
    "previous",
    "new",
    "change_reason",
    "changed_by",
    "changed_at",
    "reverts",
    "correlation_id",
    "version",
    "previous_hash",
    "hash",
    "break_glass",
    "approved_by",
)
OVERRIDE_COLUMNS = (
    "flag_name",
    "tenant_id",
    "override_state",
    "override_reason",
    "expires_at",
    "created_at",
    "created_by",
)
INSTANCE_COLUMNS = (
    "instance_id",
    "service",
    "sdk_version",
    "epoch",
    "revision",
    "applied_at",
    "received_at",
    "last_seen",
    "status",
    "transport",
    "presence",
    "told_revision",
)
TENANT_COLUMNS = (
    "tenant_id",
    "name",
    "active",
    "users",
    "size",
    "industry",
    "region",
    "risk_score",
    "engagement_score",
    "beta_participant",
    "timezone",
    "transaction_volume",
    "tickets_90d",
    "last_escalation_on",
    "open_escalation",
    "custom_configuration",
    "blackouts",
)
KEY_COLUMNS = (
    "key_id",
    "name",
    "role",
    "tenant_id",
    "created_at",
    "created_by",
    "expires_at",
    "replaced_by",
    "revoked_at",
    "revoked_by",
)


#: Both are made once: ``json.dumps`` makes them anew for each call that asks for more than the usual.
_spelled = json.JSONEncoder(ensure_ascii=False).encode
_spelled_in_order = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode


def timestamp(at: datetime) -> str:
    """A point in time as text that sorts by time: UTC, microseconds, ``Z``."""
    # A fifth of what strftime takes.
    return f"{at.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"


def flag_row(flag: Flag) -> dict[str, Any]:
    """A flag as a row of ``feature_flags``."""
    row: dict[str, Any] = {name: getattr(flag, name) for name in FLAG_COLUMNS}
    for name in _FLAG_LISTS:
        names = row[name]
        # Nearly all are empty.
        row[name] = None if names is None else _spelled(names) if names else "[]"
    for name in _FLAG_STATES:
        row[name] = row[name].value
    row["is_kill_switch"] = int(flag.is_kill_switch)
    row["created_at"], row["updated_at"] = timestamp(flag.created_at), timestamp(flag.updated_at)
    row["expires_on"] = None if flag.expires_on is None else flag.expires_on.isoformat()
    return row


def _flag_fields(row: Row) -> dict[str, Any]:
    """The fields of a flag from a row that begins with its columns. What is stored was checked before: nothing is checked again."""
    fields = dict(zip(FLAG_COLUMNS, row, strict=False))
    for name in _FLAG_LISTS:
        text = fields[name]
        fields[name] = () if text == "[]" else None if text is None else tuple(json.loads(text))
    for name in ("default_state", "current_state"):
        fields[name] = FlagState(fields[name])
    fields["flag_type"] = FlagType(fields["flag_type"])
    fields["is_kill_switch"] = bool(fields["is_kill_switch"])
    for name in ("created_at", "updated_at"):
        fields[name] = datetime.fromisoformat(fields[name])
    if fields["expires_on"] is not None:
        fields["expires_on"] = date.fromisoformat(fields["expires_on"])
    return fields


def flag_of(row: Row) -> Flag:
    """A flag from its row."""
    return Flag.model_construct(**_flag_fields(row))


def flag_view_of(row: Row, last_change: Row | None) -> FlagView:
    """A flag with its newest change, from the two rows."""
    last = last_change_of(change_of(last_change)) if last_change is not None else None
    return FlagView.model_construct(**_flag_fields(row), last_change=last)


def last_change_of(change: Change) -> LastChange:
    """A change in short."""
    return LastChange(
        change_id=change.change_id,
        action=change.action,
        change_type=change.change_type,
        change_reason=change.change_reason,
        changed_by=change.changed_by,
        changed_at=change.changed_at,
        tenant_id=change.tenant_id,
        previous_state=change.previous_state,
        new_state=change.new_state,
        previous_setting=change.previous_setting,
        new_setting=change.new_setting,
    )


def change_row(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A change as a row of ``flag_change_log``, from its fields as JSON has them."""
    row = dict(fields)
    for name in ("previous", "new"):
        row[name] = None if row[name] is None else _spelled_in_order(row[name])
    row["reverts"] = _spelled(row["reverts"]) if row["reverts"] else "[]"
    return row


def change_of(row: Row) -> Change:
    """A change from its row."""
    fields = dict(zip(CHANGE_COLUMNS, row, strict=False))
    for name in ("previous", "new"):
        fields[name] = None if fields[name] is None else json.loads(fields[name])
    fields["reverts"] = json.loads(fields["reverts"])
    return Change.model_validate(fields)


def override_row(override: Override) -> dict[str, Any]:
    """An override as a row of ``tenant_flag_overrides``."""
    row = override.model_dump(mode="json")
    row["created_at"] = timestamp(override.created_at)
    row["expires_at"] = None if override.expires_at is None else timestamp(override.expires_at)
    return row


def override_of(row: Row) -> Override:
    """An override from its row."""
    return Override.model_validate({name: row[name] for name in OVERRIDE_COLUMNS})


def instance_row(instance: Instance) -> dict[str, Any]:
    """An instance as a row of ``instances``."""
    return instance.model_dump(mode="json", include=set(INSTANCE_COLUMNS))


def instance_of(row: Row) -> Instance:
    """An instance from its row. As with tenants, nothing is checked again: open incidents read all of a fleet again and again."""
    fields = {name: row[name] for name in INSTANCE_COLUMNS}
    for name in ("applied_at", "received_at", "last_seen"):
        moment = fields[name]
        fields[name] = None if moment is None else datetime.fromisoformat(moment)
    fields["presence"] = Presence(fields["presence"])
    return Instance.model_construct(**fields)


def tenant_row(tenant: TenantProfile) -> dict[str, Any]:
    """A tenant as a row of ``tenants``."""
    row: dict[str, Any] = {name: getattr(tenant, name) for name in TENANT_COLUMNS}
    row["size"] = None if tenant.size is None else tenant.size.value
    row["last_escalation_on"] = None if tenant.last_escalation_on is None else tenant.last_escalation_on.isoformat()
    row["custom_configuration"] = json.dumps(tenant.custom_configuration, ensure_ascii=False)
    blackouts = [item.model_dump(mode="json") for item in tenant.blackouts]
    row["blackouts"] = json.dumps(blackouts, ensure_ascii=False)
    return row


def tenant_of(row: Row) -> TenantProfile:
    """A tenant from its row. What is stored was checked before, and there may be many: nothing is checked again."""
    fields = {name: row[name] for name in TENANT_COLUMNS}
    size, escalated = fields["size"], fields["last_escalation_on"]
    blackouts, custom = fields["blackouts"], fields["custom_configuration"]
    fields["active"] = bool(fields["active"])
    fields["size"] = None if size is None else Size(size)
    for name in ("beta_participant", "open_escalation"):
        fields[name] = None if fields[name] is None else bool(fields[name])
    fields["last_escalation_on"] = None if escalated is None else date.fromisoformat(escalated)
    fields["custom_configuration"] = () if custom in {None, "[]"} else tuple(json.loads(custom))
    known = [] if blackouts in {None, "[]"} else json.loads(blackouts)
    fields["blackouts"] = tuple(Blackout.model_validate(item) for item in known)
    return TenantProfile.model_construct(**fields)


def key_of(row: Row) -> ApiKey:
    """An API key from its row."""
    return ApiKey.model_validate({name: row[name] for name in KEY_COLUMNS})
