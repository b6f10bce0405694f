"""An operation as a service writes it: evaluated once, counted as it went, and out of its way."""

from __future__ import annotations

import asyncio

import pytest

from flagconsole.domain.group import Group
from flagconsole.sdk import FlagState, Mode, current_operation
from flagconsole.sdk.usage import MAX_CELLS, MAX_TABLES

from ..fake_server import until


@pytest.fixture
def client(server, make_client):
    server.put("pos.lite", "on")
    server.put("pos.dark", "shadow")
    server.put("pos.off", "off")
    server.put("pos.half", "canary", canary_tenant_ids=["in"])
    made = make_client()
    assert made.wait_ready(10)
    return made


def counted(client):
    """Every cell that was counted, by flag, tenant and group."""
    tables = client._usage.take(0, everything=True)
    return {key: cell for table in tables for key, cell in table.cells.items()}


def one(client):
    [cell] = counted(client).values()
    return cell


@pytest.mark.parametrize(
    ("flag", "mode"),
    [("pos.lite", "enabled"), ("pos.dark", "shadow"), ("pos.off", "disabled"), ("no.such", "disabled")],
)
def test_the_mode_is_what_the_state_means(client, flag, mode):
    with client.operation(flag, "t1") as operation:
        assert operation.mode == mode
        assert (operation.enabled, operation.shadow) == (mode == "enabled", mode == "shadow")


def test_a_success_is_counted_with_its_time(client):
    with client.operation("pos.half", "in") as operation:
        assert operation.state is FlagState.CANARY
    with client.operation("pos.half", "out") as operation:
        assert operation.mode is Mode.DISABLED
    cells = counted(client)
    assert set(cells) == {("pos.half", "in", Group.CANARY), ("pos.half", "out", Group.CONTROL)}
    for cell in cells.values():
        assert (cell.operations, cell.errors, sum(cell.bins.values()), cell.seconds > 0) == (1, 0, 1, True)


def test_an_exception_is_an_error_and_is_the_callers(client):
    with pytest.raises(ValueError, match="mine"), client.operation("pos.lite", "t1"):
        raise ValueError("mine")
    cell = one(client)
    assert (cell.operations, cell.errors, cell.criticals) == (1, 1, None)


def test_critical_errors_are_those_of_the_named_classes(client):
    for error in (KeyError("lost"), ValueError("small")):
        with pytest.raises(type(error)), client.operation("pos.lite", "t1", critical=LookupError):
            raise error
    with client.operation("pos.lite", "t1") as operation:
        operation.fail(critical="TaxTableMissing")
    with client.operation("pos.lite", "t1") as operation:
        operation.fail()
    cell = one(client)
    assert (cell.operations, cell.errors, cell.criticals) == (4, 4, {"KeyError": 1, "TaxTableMissing": 1})


def test_conversions_and_metrics_of_ones_own(client):
    with client.operation("pos.lite", "t1") as operation:
        operation.conversion = True
        operation.measure(accepted=True)
        operation.measure(gap=0.5)
        operation.count(retries=2)
    cell = one(client)
    assert cell.conversions == 1
    assert cell.custom == {"accepted": ["ratio", 1.0, 1], "gap": ["gauge", 0.5, 1], "retries": ["count", 2.0, 1]}


def test_the_time_may_be_known_otherwise_and_what_was_none_is_not_counted(client):
    with client.operation("pos.lite", "t1") as operation:
        operation.seconds = 2.5
    with client.operation("pos.lite", "t1") as operation:
        operation.discard()
    cell = one(client)
    assert (cell.operations, cell.errors, cell.seconds) == (1, 0, 2.5)


async def test_async_blocks_run_beside_each_other_and_a_cancelled_one_is_not_counted(client):
    gate = asyncio.Event()

    async def work(tenant):
        async with client.operation("pos.lite", tenant):
            await gate.wait()

    tasks = [asyncio.create_task(work(f"t{number}")) for number in range(20)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    gate.set()
    await asyncio.gather(*tasks[1:])
    assert {tenant for _, tenant, _ in counted(client)} == {f"t{number}" for number in range(1, 20)}


async def test_as_a_decorator_each_call_is_an_operation(client):
    @client.operation("pos.lite", lambda tenant, amount: tenant, critical=ZeroDivisionError)
    def split(tenant, amount):
        assert current_operation().enabled
        return 10 / amount

    @client.operation("pos.dark", "t9")
    async def quote():
        await asyncio.sleep(0)
        return current_operation().mode

    assert (split("t1", 2), split("t2", amount=5), await quote()) == (5.0, 2.0, "shadow")
    with pytest.raises(ZeroDivisionError):
        split("t1", 0)
    with pytest.raises(LookupError):
        current_operation()
    cells = {tenant: (cell.operations, cell.errors, cell.criticals) for (_, tenant, _), cell in counted(client).items()}
    assert cells == {"t1": (2, 1, {"ZeroDivisionError": 1}), "t2": (1, 0, None), "t9": (1, 0, None)}


def test_a_generator_can_not_be_decorated(client):
    with pytest.raises(TypeError, match="as a block inside"):

        @client.operation("pos.lite", "t1")
        def pages():
            yield 1


def test_the_whole_block_goes_by_one_answer(server, client):
    until(lambda: server.streams)
    with client.operation("pos.lite", "t1") as operation:
        server.change("pos.lite", "kill")
        until(lambda: client.state("pos.lite", "t1") is FlagState.KILL)
        assert operation.enabled
    with client.operation("pos.lite", "t1") as operation:
        assert not operation.enabled
    assert {group for _, _, group in counted(client)} == {Group.ON, Group.OFF}


def test_memory_is_bounded_whatever_the_number_of_tenants_and_the_oldest_goes_first(client, monkeypatch):
    # As if nobody could send anything: the background thread takes nothing away.
    monkeypatch.setattr(client._usage, "take", lambda *_, **__: [])
    tenants = MAX_CELLS * (MAX_TABLES + 3)
    for number in range(tenants):
        with client.operation("pos.lite", f"t{number}"):
            pass
    monkeypatch.undo()
    kept = counted(client)
    assert len(kept) <= MAX_CELLS * (MAX_TABLES + 1)
    assert ("pos.lite", f"t{tenants - 1}", Group.ON) in kept
    assert ("pos.lite", "t0", Group.ON) not in kept
    assert len(kept) + client._usage.dropped == tenants
