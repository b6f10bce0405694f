"""UI intents: every type there is, recorded with all it has, valid or said not to be, and played again."""

from __future__ import annotations

import json

import pytest

from flagconsole.sdk.shadow import IntentBus, IntentType, Shadow, UiIntent

EVERY = {
    "navigate": lambda bus: bus.navigate("/a"),
    "redirect": lambda bus: bus.redirect("/a"),
    "back": lambda bus: bus.back(),
    "update_component": lambda bus: bus.update_component("total", {"value": 5}),
    "show_component": lambda bus: bus.show_component("total"),
    "hide_component": lambda bus: bus.hide_component("total"),
    "update_form_field": lambda bus: bus.update_form_field("invoice", "due", "2026-12-01"),
    "submit_form": lambda bus: bus.submit_form("invoice"),
    "reset_form": lambda bus: bus.reset_form("invoice"),
    "show_modal": lambda bus: bus.show_modal("confirm", {"title": "Sure?"}),
    "close_modal": lambda bus: bus.close_modal("confirm"),
    "show_toast": lambda bus: bus.show_toast("Saved"),
    "refresh_data": lambda bus: bus.refresh_data("invoices"),
    "update_table": lambda bus: bus.update_table("invoices", [[1]]),
    "add_table_row": lambda bus: bus.add_table_row("invoices", [1]),
    "show_loading": lambda bus: bus.show_loading(component="invoices"),
    "hide_loading": lambda bus: bus.hide_loading(),
    "highlight_element": lambda bus: bus.highlight_element("total", state={"value": 4}, metadata={"why": "changed"}),
}


def test_there_is_a_way_to_emit_every_type():
    assert set(EVERY) == {kind.value for kind in IntentType}


@pytest.mark.parametrize("name", EVERY)
def test_each_is_valid_recorded_and_can_be_played_again(name):
    bus, seen = IntentBus(), []
    result = Shadow("invoices.write", "ui_intents").execute("x", lambda: EVERY[name](bus), tenant="t")
    [intent] = result.ui_intents
    assert (intent.type.value, intent.problems()) == (name, ())
    again = UiIntent.from_json(json.loads(json.dumps(intent.to_json())))
    assert again == intent
    assert bus.replay([again]) == (0, (intent,))
    bus.on(IntentType(name), seen.append)
    assert bus.replay([again]).delivered == 1
    assert seen == [intent]


def test_outside_of_shadow_handlers_get_them_until_they_are_taken_away():
    bus, seen = IntentBus(), []
    away = bus.on(IntentType.SHOW_TOAST, seen.append)
    intent = bus.show_toast("Saved", level="success", metadata={"by": "test"})
    assert seen == [intent]
    assert (intent.props, intent.metadata) == ({"message": "Saved", "level": "success"}, {"by": "test"})
    away()
    away()
    bus.show_toast("Saved")
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("intent", "said"),
    [
        (UiIntent(IntentType.NAVIGATE), "needs to"),
        (UiIntent(IntentType.NAVIGATE, props={"to": " "}), "to must be a text"),
        (UiIntent(IntentType.SUBMIT_FORM), "needs a component"),
        (UiIntent(IntentType.UPDATE_FORM_FIELD, "f", {"field": "x"}), "needs value"),
        (UiIntent(IntentType.ADD_TABLE_ROW, "t", {"row": object()}), "can't be written as JSON"),
        (UiIntent(IntentType.BACK, state={"x": float("nan")}), "can't be written as JSON"),
        (UiIntent(IntentType.NAVIGATE, props=None), "can't be read"),
    ],
)
def test_what_is_wrong_is_said_without_a_value(intent, said):
    assert said in intent.problems()


def test_wrong_arguments_and_wrong_records_are_named():
    with pytest.raises(TypeError, match="not colour"):
        IntentBus().back(colour="red")
    with pytest.raises(ValueError, match="component is missing"):
        UiIntent.from_json({"type": "back"})
    with pytest.raises(ValueError, match="fly"):
        UiIntent.from_json({"type": "fly"})
