"""What is in the store, compared with what clients were told."""

from __future__ import annotations

import asyncio
from collections import Counter

from faults.linear import linearisable
from faults.traffic import Traffic
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.store import open_store


def findings(store_url: str, traffic: Traffic) -> dict[str, object]:
    """The fields that every fault has: what was acknowledged, lost, done twice; gaps in the log, answers that went back, the chain."""
    log, verified = asyncio.run(_log(store_url))
    at = {change.change_reason: change.change_id for change in log}
    reasons = Counter(change.change_reason for change in log if change.change_reason.startswith("trial-"))
    history = traffic.complete()
    return {
        "acknowledged": len(traffic.acknowledged),
        "asked_again": traffic.asked_again,
        "unanswered": len(traffic.unanswered),
        "lost": sum(at.get(reason) != change_id for reason, change_id in traffic.acknowledged.items()),
        "duplicated": sum(count > 1 for count in reasons.values()),
        "gaps": sum(change.change_id != index for index, change in enumerate(log, 1)),
        "regressions": traffic.regressions,
        "chain": verified,
        "operations": sum(len(operations) for operations in history.values()),
        "linearisable": all(linearisable(operations) for operations in history.values()),
        "longest_without_answer_s": round(max(traffic.gaps, default=0.0), 2),
    }


async def _log(store_url: str) -> tuple[list, bool]:
    store = await open_store(store_url)
    try:
        report = await Operations(store).verify_audit(SYSTEM)
        async with store.read() as reader:
            return await reader.changes_after(0, 10_000_000), report.verified
    finally:
        await store.close()


def broken(result: dict[str, object]) -> bool:
    """Whether a promise broke."""
    counted = ("lost", "duplicated", "gaps", "regressions")
    wrong = any(result.get(name) for name in counted) or result.get("kept") is False
    return bool(wrong or not result["chain"] or result.get("linearisable") is False or not result["acknowledged"])
