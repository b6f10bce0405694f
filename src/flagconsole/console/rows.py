"""What the console knows of each flag, change, instance and override: light rows read from the API's JSON.

No pydantic here: these rows are needed for the first paint, and the JSON was checked by the client that fetched it. A
field that is missing or strange gives the harmless value, and a state that can't be read is ``off``, never "on".
"""

# Annotations are evaluated here: as text, each field of a row would be compiled once more, a millisecond of the first paint.

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from flagconsole.domain.states import FlagState

Json = Mapping[str, Any]

_STATES: Mapping[str, FlagState] = {state.value: state for state in FlagState}


class ChangeRow(NamedTuple):
    """One entry of the audit log. ``before`` and ``after`` say the setting in words; times are seconds since the epoch.

    ``told`` is the whole entry as the API spells it; None where it came in short. What only the history shows is worked out
    from it when it is looked at: of a thousand changes a second hardly one is.
    """

    change_id: int
    flag_name: str
    tenant_id: str | None
    action: str
    change_type: str
    reason: str
    who: str
    at: float
    before: str
    after: str
    reverts: tuple[int, ...] = ()
    version: int = 0
    hash: str = ""
    previous_hash: str = ""
    correlation: str = ""
    told: Json | None = None

    @property
    def intact(self) -> bool | None:
        """Whether the entry's content gives its hash; None where there is no hash to compare."""
        return None if self.told is None else _intact(self.told)

    @property
    def break_glass(self) -> str:
        """The grant of admin's rights under which it was made; empty where there was none."""
        return "" if self.told is None else str(self.told.get("break_glass") or "")

    @property
    def allowed_by(self) -> str:
        """The second person who allowed it; empty where none was asked for."""
        return "" if self.told is None else str(self.told.get("approved_by") or "")

    @property
    def fields(self) -> tuple[tuple[str, str, str], ...]:
        """The fields that differ, each with what it was and what it became, in words."""
        return () if self.told is None else differing(self.told.get("previous"), self.told.get("new"))


class FlagRow(NamedTuple):
    """One flag. ``cohort`` is the number of chosen tenants of a canary, 0 where the hash decides; ``drawn`` says that they are
    a draw of its percentage, not picked by hand."""

    name: str
    flag_type: str
    state: FlagState
    percentage: int
    cohort: int
    dependencies: tuple[str, ...]
    version: int
    description: str
    owner: str
    tags: tuple[str, ...]
    expires_on: str
    rollback_seconds: int
    updated_at: float
    updated_by: str
    last: ChangeRow | None
    drawn: bool = False

    @property
    def setting(self) -> str:
        """The state with its share: ``on``, ``canary 10 %``, ``canary 50 tenants`` where they were picked by hand."""
        return setting_text(self.state, self.percentage, 0 if self.drawn else self.cohort)

    @property
    def standing(self) -> str:
        """The same as the end of "it is …": ``killed``, not the state's name."""
        return "killed" if self.state is FlagState.KILL else self.setting


class InstanceRow(NamedTuple):
    """One running SDK; ``revision`` is the newest that it has confirmed, of ``epoch``. ``told_revision`` is the newest that was
    written to the open stream of a client that has no way to confirm any; None for all others."""

    instance_id: str
    service: str
    epoch: str
    revision: int
    presence: str
    status: str
    transport: str
    sdk_version: str
    last_seen: float
    received_at: float | None
    told_revision: int | None = None

    @property
    def expected(self) -> bool:
        """Whether a kill waits for this instance: it runs, or has been silent only for a while."""
        return self.presence in {"live", "silent"}

    @property
    def can_confirm(self) -> bool:
        """Whether it ever says what it holds."""
        return self.told_revision is None

    @property
    def newest(self) -> int:
        """The newest revision that it has confirmed, or was told of where it can't confirm."""
        return self.revision if self.told_revision is None else self.told_revision

    def confirms(self, epoch: str, revision: int) -> bool:
        """Whether it has applied ``revision`` of ``epoch``."""
        return self.can_confirm and self.epoch == epoch and self.revision >= revision

    def told(self, epoch: str, revision: int) -> bool:
        """Whether it can't confirm ``revision`` of ``epoch``, and was sent it. What it made of that isn't known."""
        return self.told_revision is not None and self.epoch == epoch and self.told_revision >= revision


class OverrideRow(NamedTuple):
    """One tenant's own state for a flag; ``expires_at`` is None where it never expires."""

    flag_name: str
    tenant_id: str
    state: FlagState
    reason: str
    who: str
    expires_at: float | None


def setting_text(state: FlagState, percentage: int, cohort: int) -> str:
    """A setting in words."""
    if state is not FlagState.CANARY:
        return state.value
    return f"canary {cohort} tenant{'s' if cohort != 1 else ''}" if cohort else f"canary {percentage} %"


def state_of(value: object) -> FlagState:
    """The state that ``value`` names; ``off`` for anything else."""
    return _STATES.get(value, FlagState.OFF) if isinstance(value, str) else FlagState.OFF


def seconds_of(value: object) -> float | None:
    """An ISO 8601 time as seconds since the epoch; None where there is none or it can't be read."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError):
        return None


def flag_row(data: Json, last: ChangeRow | None = None) -> FlagRow:
    """The row of a flag as the API spells it; ``last`` where its newest change is known from elsewhere."""
    short = data.get("last_change")
    name = str(data["flag_name"])
    if last is None and isinstance(short, Mapping):
        last = _short_change(name, short)
    updated = seconds_of(data.get("updated_at"))
    return FlagRow(
        name,
        str(data.get("flag_type") or "feature"),
        state_of(data.get("current_state")),
        _whole(data.get("canary_percentage")),
        len(data.get("canary_tenant_ids") or ()),
        tuple(map(str, data.get("dependencies") or ())),
        _whole(data.get("version")),
        str(data.get("description") or ""),
        str(data.get("owner") or ""),
        tuple(map(str, data.get("tags") or ())),
        str(data.get("expires_on") or ""),
        _whole(data.get("rollback_time_seconds")),
        updated if updated is not None else 0.0,
        str(data.get("updated_by") or ""),
        last,
        data.get("canary_holdout_ids") is not None,
    )


def change_row(data: Json) -> ChangeRow:
    """The row of an audit entry as the API spells it."""
    at = seconds_of(data.get("changed_at"))
    return ChangeRow(
        _whole(data.get("change_id")),
        str(data.get("flag_name")),
        _text_or_none(data.get("tenant_id")),
        str(data.get("action") or ""),
        str(data.get("change_type") or ""),
        str(data.get("change_reason") or ""),
        str(data.get("changed_by") or ""),
        at if at is not None else 0.0,
        setting_of(data.get("previous")),
        setting_of(data.get("new")),
        tuple(_whole(item) for item in data.get("reverts") or ()),
        _whole(data.get("version")),
        str(data.get("hash") or ""),
        str(data.get("previous_hash") or ""),
        str(data.get("correlation_id") or ""),
        data,
    )


def instance_row(data: Json) -> InstanceRow:
    """The row of an instance as the API spells it."""
    return InstanceRow(
        str(data["instance_id"]),
        str(data.get("service") or ""),
        str(data.get("epoch") or ""),
        _whole(data.get("revision")),
        str(data.get("presence") or "live"),
        str(data.get("status") or ""),
        str(data.get("transport") or ""),
        str(data.get("sdk_version") or ""),
        seconds_of(data.get("last_seen")) or 0.0,
        seconds_of(data.get("received_at")),
        None if data.get("told_revision") is None else _whole(data.get("told_revision")),
    )


def override_row(data: Json) -> OverrideRow:
    """The row of an override as the API spells it."""
    return OverrideRow(
        str(data["flag_name"]),
        str(data["tenant_id"]),
        state_of(data.get("override_state")),
        str(data.get("override_reason") or ""),
        str(data.get("created_by") or ""),
        seconds_of(data.get("expires_at")),
    )


def _short_change(flag_name: str, data: Json) -> ChangeRow:
    at = seconds_of(data.get("changed_at"))
    return ChangeRow(
        _whole(data.get("change_id")),
        flag_name,
        _text_or_none(data.get("tenant_id")),
        str(data.get("action") or ""),
        str(data.get("change_type") or ""),
        str(data.get("change_reason") or ""),
        str(data.get("changed_by") or ""),
        at if at is not None else 0.0,
        str(data.get("previous_setting") or data.get("previous_state") or "–"),
        str(data.get("new_setting") or data.get("new_state") or "–"),
    )


def setting_of(value: object) -> str:
    """A change's ``previous`` or ``new`` in words. Where it left the cohort alone, it tells only how large that is."""
    if not isinstance(value, Mapping):
        return "–"
    state = value.get("current_state", value.get("override_state"))
    if not isinstance(state, str):
        return "–"
    if state != FlagState.CANARY.value:
        return state_of(state).value
    named = value.get("canary_tenant_ids")
    size = _picked(value) if isinstance(named, list | tuple) else _told_picked(value)
    return setting_text(state_of(state), _whole(value.get("canary_percentage")), size)


def _picked(setting: Json) -> int:
    """How many tenants were picked by hand; a drawn cohort, which tells whom it holds out, is told by its percentage."""
    return len(setting.get("canary_tenant_ids") or ()) if setting.get("canary_holdout_ids") is None else 0


def _told_picked(setting: Json) -> int:
    """The same of a change that left the cohort alone."""
    return 0 if setting.get("canary_drawn") is True else _whole(setting.get("canary_tenants"))


def differing(before: object, after: object) -> tuple[tuple[str, str, str], ...]:
    """The fields in which two settings differ, in words: name, before, after."""
    old = before if isinstance(before, Mapping) else {}
    new = after if isinstance(after, Mapping) else {}
    names = [*new, *(name for name in old if name not in new)]
    words = ((str(name), _value_text(old.get(name)), _value_text(new.get(name))) for name in names)
    return tuple(item for item in words if item[1] != item[2])


def _value_text(value: object) -> str:
    if value is None or value == "" or value == []:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(str, value)) if len(value) <= 5 else f"{len(value)} entries"
    return str(value)


def _intact(data: Json) -> bool | None:
    if not isinstance(data.get("hash"), str):
        return None
    from flagconsole.domain.audit import entry_hash

    entry = {key: value for key, value in data.items() if key != "hash"}
    try:
        return bool(entry_hash(str(data.get("previous_hash")), entry) == data["hash"])
    except (TypeError, ValueError):
        return False


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
