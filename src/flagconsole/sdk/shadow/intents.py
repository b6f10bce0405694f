"""What a user interface would do: one record for each navigation, component, form, message or table that code asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import uuid4


class IntentType(StrEnum):
    """Everything that can be asked of a user interface."""

    NAVIGATE = "navigate"
    REDIRECT = "redirect"
    BACK = "back"
    UPDATE_COMPONENT = "update_component"
    SHOW_COMPONENT = "show_component"
    HIDE_COMPONENT = "hide_component"
    UPDATE_FORM_FIELD = "update_form_field"
    SUBMIT_FORM = "submit_form"
    RESET_FORM = "reset_form"
    SHOW_MODAL = "show_modal"
    CLOSE_MODAL = "close_modal"
    SHOW_TOAST = "show_toast"
    REFRESH_DATA = "refresh_data"
    UPDATE_TABLE = "update_table"
    ADD_TABLE_ROW = "add_table_row"
    SHOW_LOADING = "show_loading"
    HIDE_LOADING = "hide_loading"
    HIGHLIGHT_ELEMENT = "highlight_element"


#: Intents that need no component; every other one says which it means.
_WITHOUT_COMPONENT: Final = frozenset(
    {
        IntentType.NAVIGATE,
        IntentType.REDIRECT,
        IntentType.BACK,
        IntentType.SHOW_TOAST,
        IntentType.SHOW_LOADING,
        IntentType.HIDE_LOADING,
    }
)
#: The properties that an intent can't do without.
_NEEDED: Final[dict[IntentType, tuple[str, ...]]] = {
    IntentType.NAVIGATE: ("to",),
    IntentType.REDIRECT: ("to",),
    IntentType.UPDATE_FORM_FIELD: ("field", "value"),
    IntentType.SHOW_TOAST: ("message",),
    IntentType.UPDATE_TABLE: ("rows",),
    IntentType.ADD_TABLE_ROW: ("row",),
}
#: Needed properties that must be texts with something in them.
_TEXTS: Final = frozenset({"to", "field", "message"})


@dataclass(frozen=True, slots=True)
class UiIntent:
    """One intent. ``component`` names what it is about, ``props`` say what to do with it, ``state`` is the component's state that
    the intent was made from, ``metadata`` the service's own."""

    type: IntentType
    component: str | None = None
    props: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid4().hex)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def problems(self) -> tuple[str, ...]:
        """What is wrong with it, without any of its values; empty for a valid one."""
        try:
            return tuple(self._problems())
        except Exception:  # made by code that is being tried out: its mappings needn't be any
            return ("can't be read",)

    def _problems(self) -> list[str]:
        found = []
        if self.type not in _WITHOUT_COMPONENT and not (isinstance(self.component, str) and self.component.strip()):
            found.append("needs a component")
        for name in _NEEDED.get(self.type, ()):
            if name not in self.props:
                found.append(f"needs {name}")
            elif name in _TEXTS and not (isinstance(self.props[name], str) and self.props[name].strip()):
                found.append(f"{name} must be a text")
        try:
            json.dumps([dict(self.props), dict(self.state), dict(self.metadata)], allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            found.append("can't be written as JSON")
        return found

    def to_json(self) -> dict[str, Any]:
        """The intent as JSON has it."""
        return {
            "id": self.id,
            "type": self.type.value,
            "time": self.time.isoformat(),
            "component": self.component,
            "props": dict(self.props),
            "state": dict(self.state),
            "metadata": dict(self.metadata),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> UiIntent:
        """What ``to_json`` wrote. Raises ``ValueError`` naming what is missing or wrong."""
        try:
            return cls(
                IntentType(data["type"]),
                data["component"],
                dict(data["props"]),
                dict(data["state"]),
                dict(data["metadata"]),
                str(data["id"]),
                datetime.fromisoformat(data["time"]),
            )
        except KeyError as error:
            raise ValueError(f"not a recorded UI intent: {error.args[0]} is missing") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"not a recorded UI intent: {error}") from None
