"""Executing in shadow: each type does what it says, results tell what happened, and the live request never notices."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest

from flagconsole.sdk import FlagState
from flagconsole.sdk.shadow import (
    Budget,
    Comparison,
    EffectKind,
    ExecutionType,
    IntentBus,
    IntentType,
    Shadow,
    Skipped,
    in_shadow,
)
from flagconsole.sdk.shadow.guards.function import FunctionGuard
from flagconsole.sdk.shadow.shadow import MAX_ABANDONED

from ...fake_server import until

FLAG = "invoices.write"
charged: list[int] = []


@pytest.fixture(autouse=True)
def _uncharged():
    charged.clear()


@FunctionGuard(answer={"paid": True})
def charge(amount):
    charged.append(amount)
    return {"paid": True}


def shadow(kind=ExecutionType.DRY_RUN, **options):
    return Shadow(FLAG, kind, **options)


def test_a_dry_run_goes_the_whole_path_without_its_effects():
    result = shadow().execute("pay", lambda: charge(5)["paid"], tenant="t1")
    assert (result.result, result.success, result.shadow_mode) == (True, True, True)
    assert (charged, dict(result.effect_counts)) == ([], {EffectKind.FUNCTION: 1})
    assert result.effects[0].what == "charge"
    assert (result.execution_type, result.operation) == ("dry_run", "pay")
    assert len(result.execution_id) == 32
    assert result.time_ms > 0
    charge(5)
    assert charged == [5]


def test_the_shadow_handler_takes_the_handlers_place():
    assert shadow().execute("pay", lambda: "real", lambda: "gentle", tenant="t1").result == "gentle"


def test_validate_runs_the_validations_only():
    def amount_is_positive():
        raise ValueError("amount is -5")

    checks = {"billing.calculate": lambda: True, "customer": lambda: "unknown customer", "empty": lambda: None}
    result = shadow("validate").execute(
        "pay", lambda: charge(5), validators=[*checks.values(), amount_is_positive], tenant="t1"
    )
    assert [item.passed for item in result.validations] == [True, False, True, False]
    assert result.validations[1].problem == "unknown customer"
    assert result.validations[3] == ("amount_is_positive", False, "amount is -5")
    assert (result.success, result.errors, result.result, result.effects) == (False, (), None, ())
    named = shadow("validate").execute("pay", lambda: 1, validators=checks, tenant="t1")
    assert [item.name for item in named.validations] == ["billing.calculate", "customer", "empty"]


def test_a_validation_that_fails_keeps_the_handler_from_running_as_it_would_for_real():
    result = shadow().execute("pay", lambda: charge(5), validators=[lambda: False], tenant="t1")
    assert (result.success, result.effects) == (False, ())


def test_ui_intents_are_recorded_and_reach_nobody():
    bus, seen = IntentBus(), []
    bus.on(IntentType.NAVIGATE, seen.append)

    def handler():
        charge(1)
        bus.show_toast("Saved")
        bus.navigate("/invoices/7")

    result = shadow("ui_intents").execute("save", handler, tenant="t1")
    assert [intent.type for intent in result.ui_intents] == ["show_toast", "navigate"]
    assert (seen, charged, result.intent_count) == ([], [], 2)
    assert bus.replay(result.ui_intents).delivered == 1
    assert seen[0].props == {"to": "/invoices/7"}


def test_log_only_runs_nothing_and_says_what_it_knows(caplog):
    def write_invoice():
        raise AssertionError

    with caplog.at_level(logging.INFO, "flagconsole.shadow"):
        result = shadow("log_only").execute("invoice", write_invoice, tenant="t\x1b1", validators=[write_invoice])
    assert (result.success, result.validations, result.result) == (True, (), None)
    [said] = [record.getMessage() for record in caplog.records]
    assert "invoices.write" in said
    assert "write_invoice" in said
    assert "\x1b" not in said


def test_what_the_old_way_returns_is_live_and_compared():
    seen = []
    result = shadow(comparison=Comparison(ignore=["id"])).execute(
        "quote",
        lambda: {"id": 2, "total": 10.5, "lines": [1]},
        tenant="t1",
        compare=lambda: seen.append(in_shadow()) or {"id": 1, "total": 10.4, "lines": [1]},
    )
    assert (seen, result.live["id"], result.result["id"]) == ([False], 1, 2)
    assert [(item.field, item.kind) for item in result.differences] == [("total", "value")]
    same = shadow().execute("quote", lambda: [1], tenant="t1", compare=lambda: [1])
    assert same.differences == ()
    assert shadow().execute("quote", lambda: [1], tenant="t1").differences is None


@pytest.mark.parametrize(
    "error", [KeyError("x"), SystemExit(3), GeneratorExit(), asyncio.CancelledError(), RecursionError()]
)
async def test_whatever_shadow_work_raises_the_live_request_goes_on(error):
    def bad():
        raise error

    async def bad_async():
        raise error

    async def live():
        return "live"

    for result in (
        shadow().execute("pay", bad, tenant="t1", compare=lambda: "live"),
        await shadow().aexecute("pay", bad_async, tenant="t1", compare=live),
    ):
        assert result.live == "live"
        assert [(item.error, item.source) for item in result.errors] == [(type(error).__name__, "handler")]
        assert (result.result, result.success, result.differences[0].kind) == (None, False, "error")


@pytest.mark.parametrize("validators", [None, 5, [3], {"x": None}, (1 / 0 for _ in range(1))])
def test_validators_that_are_none_reach_nobody(validators):
    result = shadow().execute("pay", lambda: 1, validators=validators, tenant="t1", compare=lambda: "live")
    assert result.live == "live"
    assert result.errors[0].source == "validation"


def test_what_the_live_request_raises_is_its_own():
    with pytest.raises(ZeroDivisionError):
        shadow().execute("pay", lambda: 1, tenant="t1", compare=lambda: 1 // 0)


def test_what_would_run_later_is_refused():
    async def coroutine():
        charge(1)

    def generator():
        yield charge(1)

    for handler in (coroutine, generator):
        result = shadow().execute("pay", handler, tenant="t1")
        assert (result.errors[0].error, result.result) == ("TypeError", None)
    assert charged == []


async def test_async_handlers_validators_and_old_way():
    async def handler():
        await asyncio.sleep(0)
        return charge(5)["paid"], in_shadow()

    async def check():
        await asyncio.sleep(0)
        return in_shadow()

    async def old():
        return True, in_shadow()

    result = await shadow().aexecute("pay", handler, validators=[check, lambda: True], tenant="t1", compare=old)
    assert (result.result, result.live, charged) == ((True, True), (True, False), [])
    assert [item.passed for item in result.validations] == [True, True]
    assert not in_shadow()


async def test_asynchronous_work_is_cancelled_when_its_time_is_over_and_stubborn_work_is_not_waited_for():
    ended = asyncio.Event()

    async def stubborn():
        while not ended.is_set():
            try:
                await asyncio.wait_for(ended.wait(), 30)
            except asyncio.CancelledError:
                continue
        charge(1)

    one = shadow(budget=Budget(seconds=0.02))
    began = time.monotonic()
    result = await one.aexecute("pay", stubborn, tenant="t1")
    assert [(item.error, item.source) for item in result.errors] == [("OutOfTime", "budget")]
    assert time.monotonic() - began < 10
    for _ in range(MAX_ABANDONED - 1):
        await one.aexecute("pay", stubborn, tenant="t1")
    assert (await one.aexecute("pay", stubborn, tenant="t1")).skipped is Skipped.HUNG
    ended.set()
    until_loop = asyncio.get_running_loop().time() + 10
    while one._abandoned and asyncio.get_running_loop().time() < until_loop:
        await asyncio.sleep(0.001)
    assert charged == []
    assert (await one.aexecute("pay", lambda: 1, tenant="t1")).success


def test_synchronous_work_ends_at_its_next_effect_when_its_time_is_over():
    def slow():
        for number in range(1000):
            charge(number)
            time.sleep(0.005)

    result = shadow(budget=Budget(seconds=0.01)).execute("pay", slow, tenant="t1")
    assert [(item.error, item.source) for item in result.errors] == [("OutOfTime", "budget")]
    assert sum(result.effect_counts.values()) < 1000


def test_the_budget_leaves_out_requests_but_never_the_live_one():
    half = shadow(budget=Budget(share=0.5))
    results = [half.execute("pay", lambda: 1, tenant="t1", compare=lambda: "live") for _ in range(100)]
    assert [result.live for result in results] == ["live"] * 100
    assert sum(result.executed for result in results) == 50
    assert {result.skipped for result in results} == {None, Skipped.SHARE}


def test_with_a_client_it_runs_only_where_the_flag_is_in_shadow(server, make_client):
    server.put(FLAG, "shadow")
    client = make_client()
    assert client.wait_ready(10)
    until(lambda: server.streams)
    runs = Shadow(FLAG, client=client)
    assert runs.execute("pay", lambda: 1, tenant="t1").executed
    for state in ("on", "off", "kill"):
        server.change(FLAG, state)
        until(lambda state=state: client.state(FLAG, "t1") is FlagState(state))
        result = runs.execute("pay", lambda: charge(1), tenant="t1", compare=lambda: "live")
        assert (result.skipped, result.live, charged) == (Skipped.STATE, "live", [])


def test_context_variables_of_shadow_work_stay_there():
    seen = threading.local()

    def handler():
        seen.inside = in_shadow()

    shadow().execute("pay", handler, tenant="t1")
    assert (seen.inside, in_shadow()) == (True, False)
