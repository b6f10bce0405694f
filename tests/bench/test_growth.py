"""Stores are filled as the store itself would fill them, costs are fitted rightly, and a statement that reads the whole log is noticed."""

from __future__ import annotations

import pytest
from bench.growth import CONSTANT, Plan, at_size, explained, exponent
from bench.growth_world import FLAG, RARE_FLAG, World

from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.store import open_store


async def test_what_is_filled_in_bulk_is_what_the_store_takes_for_its_own(tmp_path):
    world = World(tmp_path / "filled.db")
    await world.begin()
    world.flags(40)
    world.overrides(35)
    world.tenants(5)
    world.instances(3)
    world.history(400)
    store = await open_store(world.url)
    try:
        operations = Operations(store)
        report = await operations.verify_audit(SYSTEM)
        assert (report.verified, report.entries) == (True, 400), report.problem
        listed = await operations.flags(SYSTEM)
        assert (len(listed.flags), len(listed.overrides)) == (41, 35)
        assert len((await operations.tenants(SYSTEM)).tenants) == 5
        assert (await operations.instances(SYSTEM)).confirmed == 0  # they confirmed what was then the head
        assert (await operations.history(SYSTEM, RARE_FLAG)).changes
        with explained() as plans:
            await operations.history(SYSTEM, FLAG)
            await operations.verify_audit(SYSTEM)
        assert plans
        assert not any(plan.reads_all_of_the_log for plan in plans)
    finally:
        await store.close()


async def test_every_call_is_measured_on_a_store_of_some_size(tmp_path):
    found, _ = await at_size(tmp_path, "history", 60)
    assert {"kill", "evaluate", "list", "history of a domain that has little"} <= found.keys()
    assert list(tmp_path.iterdir()) == []


def test_the_exponent_is_that_of_the_larger_sizes():
    assert exponent([(10, 7.0), (100, 7.0), (1000, 70.0), (10_000, 700.0)]) == pytest.approx(1.0)
    assert abs(exponent([(10, 1.0), (1000, 2.0), (10_000, 2.0), (100_000, 2.0)])) < CONSTANT


@pytest.mark.parametrize(
    ("statement", "steps", "all_of_it"),
    [
        ("SELECT * FROM flag_change_log ORDER BY change_id DESC LIMIT ?", "SCAN flag_change_log", False),
        ("SELECT count(*) FROM flag_change_log", "SCAN flag_change_log", True),
        (
            "SELECT * FROM flag_change_log ORDER BY x LIMIT ?",
            "SCAN flag_change_log; USE TEMP B-TREE FOR ORDER BY",
            True,
        ),
        (
            "SELECT * FROM flag_change_log WHERE change_id = ?",
            "SEARCH flag_change_log USING INTEGER PRIMARY KEY",
            False,
        ),
    ],
)
def test_a_plan_that_reads_the_whole_log_is_noticed(statement, steps, all_of_it):
    assert Plan(statement, steps).reads_all_of_the_log is all_of_it
