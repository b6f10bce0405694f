"""The guards for functions and notifications."""

from __future__ import annotations

import pytest

from flagconsole.sdk.shadow import EffectKind, Shadow
from flagconsole.sdk.shadow.guards.function import FunctionGuard
from flagconsole.sdk.shadow.guards.notification import NotificationGuard


def test_a_function_is_not_called_and_its_answer_is_given():
    called = []
    guard = FunctionGuard(answer=lambda amount: {"charged": amount}, name="charge", always=True)

    @guard
    def charge(amount):
        called.append(amount)

    assert (charge(5), called, guard.prevented, charge.__name__) == ({"charged": 5}, [], 1, "charge")


async def test_coroutine_functions_too():
    called = []

    @FunctionGuard(answer="kept")
    async def charge():
        called.append(1)
        return "real"

    assert await charge() == "real"
    result = await Shadow("invoices.write").aexecute("x", charge, tenant="t")
    assert (result.result, called, dict(result.effect_counts)) == ("kept", [1], {EffectKind.FUNCTION: 1})


def test_a_generator_can_not_be_guarded():
    with pytest.raises(TypeError, match="generator"):

        @FunctionGuard()
        def rows():
            yield 1


def test_each_recipient_of_a_notification_counts_and_none_is_named():
    sent = []
    guard = NotificationGuard("email", recipients=lambda to, body: len(to), answer="message-1")
    send = guard(lambda to, body: sent.append(to))

    def handler():
        return send(["ada@example.com", "bob@example.com"], "Your invoice")

    result = Shadow("invoices.write").execute("remind", handler, tenant="t")
    assert (result.result, dict(result.effect_counts), guard.prevented) == (
        "message-1",
        {EffectKind.NOTIFICATION: 2},
        2,
    )
    assert "ada" not in str(result.effects)
    send(["ada@example.com"], "Your invoice")
    assert sent == [["ada@example.com"]]
