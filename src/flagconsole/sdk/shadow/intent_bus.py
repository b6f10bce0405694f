"""The way from code to the user interface: intents are delivered where code runs for real, and recorded in shadow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from flagconsole.sdk.shadow.context import current
from flagconsole.sdk.shadow.intents import IntentType, UiIntent

IntentHandler = Callable[[UiIntent], None]


class Replayed(NamedTuple):
    """What became of recorded intents: how many were ``delivered``, and the ones that nobody handles."""

    delivered: int
    unhandled: tuple[UiIntent, ...]


class IntentBus:
    """Tells handlers of intents. In a shadow execution the intent is recorded with it instead, and no handler hears of it."""

    def __init__(self) -> None:
        self._handlers: dict[IntentType, list[IntentHandler]] = {}

    def on(self, intent_type: IntentType, handler: IntentHandler) -> Callable[[], None]:
        """Call ``handler(intent)`` for each intent of this type. Returns what takes it away again."""
        handlers = self._handlers.setdefault(intent_type, [])
        handlers.append(handler)
        return lambda: handlers.remove(handler) if handler in handlers else None

    def emit(self, intent: UiIntent) -> UiIntent:
        """Record or deliver one intent. What a handler raises is the emitter's."""
        context = current.get()
        if context is not None:
            context.record_intent(intent)
        else:
            self._deliver(intent)
        return intent

    def replay(self, intents: Iterable[UiIntent]) -> Replayed:
        """Deliver recorded intents in their order, in shadow as well: whoever replays wants to see them happen."""
        delivered, unhandled = 0, []
        for intent in intents:
            if self._deliver(intent):
                delivered += 1
            else:
                unhandled.append(intent)
        return Replayed(delivered, tuple(unhandled))

    def _deliver(self, intent: UiIntent) -> bool:
        handlers = list(self._handlers.get(intent.type, ()))
        for handler in handlers:
            handler(intent)
        return bool(handlers)

    def navigate(self, to: str, **more: Any) -> UiIntent:
        """Go to another page. ``more`` is ``component``, ``state`` and ``metadata``, here as everywhere below."""
        return self._made(IntentType.NAVIGATE, {"to": to}, more)

    def redirect(self, to: str, **more: Any) -> UiIntent:
        """Go to another page in place of this one."""
        return self._made(IntentType.REDIRECT, {"to": to}, more)

    def back(self, **more: Any) -> UiIntent:
        """Go to the page before."""
        return self._made(IntentType.BACK, {}, more)

    def update_component(self, component: str, props: Mapping[str, Any], **more: Any) -> UiIntent:
        """Give a component new properties."""
        return self._made(IntentType.UPDATE_COMPONENT, props, {"component": component, **more})

    def show_component(self, component: str, **more: Any) -> UiIntent:
        """Make a component visible."""
        return self._made(IntentType.SHOW_COMPONENT, {}, {"component": component, **more})

    def hide_component(self, component: str, **more: Any) -> UiIntent:
        """Make a component invisible."""
        return self._made(IntentType.HIDE_COMPONENT, {}, {"component": component, **more})

    def update_form_field(self, form: str, field: str, value: Any, **more: Any) -> UiIntent:
        """Write a value into a form's field."""
        return self._made(IntentType.UPDATE_FORM_FIELD, {"field": field, "value": value}, {"component": form, **more})

    def submit_form(self, form: str, **more: Any) -> UiIntent:
        """Send a form."""
        return self._made(IntentType.SUBMIT_FORM, {}, {"component": form, **more})

    def reset_form(self, form: str, **more: Any) -> UiIntent:
        """Empty a form."""
        return self._made(IntentType.RESET_FORM, {}, {"component": form, **more})

    def show_modal(self, modal: str, props: Mapping[str, Any] | None = None, **more: Any) -> UiIntent:
        """Open a modal."""
        return self._made(IntentType.SHOW_MODAL, props or {}, {"component": modal, **more})

    def close_modal(self, modal: str, **more: Any) -> UiIntent:
        """Close a modal."""
        return self._made(IntentType.CLOSE_MODAL, {}, {"component": modal, **more})

    def show_toast(self, message: str, level: str = "info", **more: Any) -> UiIntent:
        """Show a message for a moment."""
        return self._made(IntentType.SHOW_TOAST, {"message": message, "level": level}, more)

    def refresh_data(self, component: str, **more: Any) -> UiIntent:
        """Fetch a component's data again."""
        return self._made(IntentType.REFRESH_DATA, {}, {"component": component, **more})

    def update_table(self, table: str, rows: Any, **more: Any) -> UiIntent:
        """Replace rows of a table."""
        return self._made(IntentType.UPDATE_TABLE, {"rows": rows}, {"component": table, **more})

    def add_table_row(self, table: str, row: Any, **more: Any) -> UiIntent:
        """Add a row to a table."""
        return self._made(IntentType.ADD_TABLE_ROW, {"row": row}, {"component": table, **more})

    def show_loading(self, **more: Any) -> UiIntent:
        """Show that something is under way, of the page or of a component."""
        return self._made(IntentType.SHOW_LOADING, {}, more)

    def hide_loading(self, **more: Any) -> UiIntent:
        """Show it no more."""
        return self._made(IntentType.HIDE_LOADING, {}, more)

    def highlight_element(self, component: str, **more: Any) -> UiIntent:
        """Draw the eye to a component."""
        return self._made(IntentType.HIGHLIGHT_ELEMENT, {}, {"component": component, **more})

    def _made(self, intent_type: IntentType, props: Mapping[str, Any], more: Mapping[str, Any]) -> UiIntent:
        unknown = set(more) - {"component", "state", "metadata"}
        if unknown:
            raise TypeError(
                f"{intent_type.value}() takes component, state and metadata, not {', '.join(sorted(unknown))}"
            )
        return self.emit(
            UiIntent(intent_type, more.get("component"), props, more.get("state") or {}, more.get("metadata") or {})
        )
