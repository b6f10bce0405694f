"""One answer to one key, also where tries of the same request overtake each other."""

from __future__ import annotations

import pytest

from flagconsole.domain.bulk import BulkItem, BulkSet
from flagconsole.domain.errors import FlagKilled, IdempotencyKeyReused, VersionConflict
from flagconsole.domain.requests import CohortDraw, FlagUpdate, Kill, Revive
from flagconsole.domain.states import FlagState
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.rollout.playbook_file import shipped_playbook

from ..conftest import ADMIN
from ..rollout.plans import a_plan

ON = FlagUpdate(change_reason="go", current_state=FlagState.ON)


async def test_what_was_refused_does_not_happen_when_a_late_try_arrives(operations, flag):
    """The first try hangs in a server that stands still; the second is refused. The flag is revived; the first one goes on."""
    killed = await operations.kill(ADMIN, flag, Kill(kill_reason="bad"))
    with pytest.raises(FlagKilled) as refused:
        await operations.update(ADMIN, flag, ON, idempotency_key="k")
    await operations.revive(ADMIN, flag, Revive(revive_reason="mended"), version=killed.flag.version)
    with pytest.raises(FlagKilled) as again:
        await operations.update(ADMIN, flag, ON, idempotency_key="k")
    assert (str(again.value), again.value.details) == (str(refused.value), refused.value.details)
    assert (await operations.flag(ADMIN, flag)).flag.current_state is FlagState.OFF
    with pytest.raises(IdempotencyKeyReused):
        await operations.update(ADMIN, flag, FlagUpdate(change_reason="other"), idempotency_key="k")
    # Asked for anew, it happens.
    assert (await operations.update(ADMIN, flag, ON, idempotency_key="k2")).flag.current_state is FlagState.ON


async def test_a_refused_version_may_be_put_right_under_the_same_key(operations, flag):
    with pytest.raises(VersionConflict):
        await operations.update(ADMIN, flag, ON, version=7, idempotency_key="k")
    assert (await operations.update(ADMIN, flag, ON, version=1, idempotency_key="k")).changed


async def test_a_late_try_of_a_refused_version_does_not_lower_what_was_raised_meanwhile(operations, flag):
    """It was refused as a raise; now that the flag is on, the same request would lower it, which no version keeps from happening."""
    await operations.update(ADMIN, flag, FlagUpdate(change_reason="x", description="other"))
    canary = FlagUpdate(change_reason="go", current_state=FlagState.CANARY, canary_percentage=10)
    with pytest.raises(VersionConflict):
        await operations.update(ADMIN, flag, canary, version=1, idempotency_key="k")
    await operations.update(ADMIN, flag, ON, version=2)
    with pytest.raises(VersionConflict):
        await operations.update(ADMIN, flag, canary, version=1, idempotency_key="k")
    assert (await operations.flag(ADMIN, flag)).flag.current_state is FlagState.ON


async def _draw(operations, flag, key):
    body = CohortDraw(change_reason="go", percentage=10, seed=1, start=True)
    return await operations.draw_cohort(ADMIN, flag, body, idempotency_key=key)


async def _bulk(operations, flag, key):
    item = BulkItem(flag_name=flag, current_state=FlagState.ON)
    return await operations.bulk_set(ADMIN, BulkSet(change_reason="go", changes=(item,)), idempotency_key=key)


async def _start(operations, flag, key):
    return await RolloutOperations(operations.store).start(ADMIN, flag, a_plan(), "go", seed=1, idempotency_key=key)


@pytest.mark.parametrize("ask", [_draw, _bulk, _start])
async def test_a_refused_draw_set_or_start_stays_refused_under_its_key(operations, flag, ask):
    killed = await operations.kill(ADMIN, flag, Kill(kill_reason="bad"))
    with pytest.raises(FlagKilled) as refused:
        await ask(operations, flag, "k")
    await operations.revive(ADMIN, flag, Revive(revive_reason="mended"), version=killed.flag.version)
    with pytest.raises(FlagKilled) as again:
        await ask(operations, flag, "k")
    assert (str(again.value), again.value.details) == (str(refused.value), refused.value.details)
    assert (await operations.flag(ADMIN, flag)).flag.current_state is FlagState.OFF


async def test_the_key_of_a_playbook_is_good_for_nothing_else(operations, flag):
    await operations.update(ADMIN, flag, ON)
    playbook = shipped_playbook("immediate")
    first = await operations.begin_playbook(ADMIN, flag, playbook, "bad", idempotency_key="k")
    again = await operations.begin_playbook(ADMIN, flag, playbook, "bad", idempotency_key="k")
    assert again.incident.incident_id == first.incident.incident_id
    with pytest.raises(IdempotencyKeyReused):
        await operations.update(ADMIN, flag, ON, idempotency_key="k")
