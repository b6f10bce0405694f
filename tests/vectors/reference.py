"""Bucketing and evaluation once more, written from their definitions only, to hold the real ones against.

Slow and plain on purpose: the hash works byte by byte, the effective state is the recursive definition itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

ORDER = ("kill", "off", "shadow", "canary", "on")


def murmur3_x86_32(data: bytes, seed: int = 0) -> int:
    def rotate(value: int, by: int) -> int:
        return ((value << by) | (value >> (32 - by))) & 0xFFFFFFFF

    def scramble(block: int) -> int:
        return rotate(block * 0xCC9E2D51 & 0xFFFFFFFF, 15) * 0x1B873593 & 0xFFFFFFFF

    state = seed
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        block = data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24
        state = (rotate(state ^ scramble(block), 13) * 5 + 0xE6546B64) & 0xFFFFFFFF
    rest = 0
    for position, byte in enumerate(data[whole:]):
        rest |= byte << (8 * position)
    state ^= scramble(rest) if rest or len(data) > whole else 0
    state ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        state = (state ^ state >> shift) * factor & 0xFFFFFFFF
    return state


def bucket(flag: str, tenant: str) -> int:
    return murmur3_x86_32(f"{flag}:{tenant}".encode()) % 100 + 1


def effective(snapshot: dict[str, Any], flag: str, tenant: str, now: float) -> tuple[str, str]:
    """The effective state and its reason, as the specification says it: own state, then each dependency's *effective* one."""
    flags = {item["flag_name"]: item for item in snapshot["flags"]}
    if flag not in flags:
        return "off", "flag_not_found"
    item = flags[flag]
    if item["current_state"] == "kill":
        return "kill", "killed"
    state, reason = _before_dependencies(snapshot, item, tenant, now)
    result, why = state, reason
    for name in item["dependencies"]:
        if name not in flags:
            continue
        theirs, _ = effective(snapshot, name, tenant, now)
        cap = "off" if theirs in ("off", "kill") else "shadow" if theirs == "shadow" else "on"
        if ORDER.index(cap) < ORDER.index(result):
            result, why = cap, "dependency"
    return result, why


def _before_dependencies(snapshot: dict[str, Any], item: dict[str, Any], tenant: str, now: float) -> tuple[str, str]:
    for override in snapshot["overrides"]:
        if (override["flag_name"], override["tenant_id"]) == (item["flag_name"], tenant):
            expires = override["expires_at"]
            if expires is None or now < datetime.fromisoformat(expires).timestamp():
                return override["override_state"], "override"
    if item["current_state"] != "canary":
        return item["current_state"], "state"
    by_hash = bucket(item["flag_name"], tenant) <= item["canary_percentage"]
    holdout = item.get("canary_holdout_ids")
    if tenant in item["canary_tenant_ids"]:
        inside = True
    elif holdout is not None:
        inside = by_hash and tenant not in holdout
    else:
        inside = by_hash and not item["canary_tenant_ids"]
    return ("canary", "cohort") if inside else ("off", "outside_cohort")
