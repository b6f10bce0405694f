"""Writes the golden vectors from the reference: ``python tests/vectors/make.py``. Run it when the meaning changes, else never."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reference import bucket, effective

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 23, 3, 0, 0, tzinfo=UTC)
INSIDE, OUTSIDE = "tenant-0007", "tenant-0008"

OVERRIDES: dict[str, tuple[str, str | None] | None] = {
    "none": None,
    "off": ("off", None),
    "shadow": ("shadow", None),
    "canary": ("canary", None),
    "on": ("on", "2026-11-23T03:00:01Z"),
    "expired": ("on", "2026-11-23T03:00:00Z"),
}
#: Each dependency case: what the dependency itself is.
DEPENDENCIES = ("none", "external", "off", "shadow", "canary", "on", "kill", "far-off", "far-shadow")


def bucketing() -> dict[str, Any]:
    names = ("invoices.write", "estimates.ai_pricing", "pos.lite", "gr1", "groupX", "ümlaut.日本")
    tenants = ("123", "999", "tenant-0001", "tenant-0042", "tenant-0499", "", "ünï-日本-😀", "a" * 128)
    cases = [{"flag": name, "tenant": tenant, "bucket": bucket(name, tenant)} for name in names for tenant in tenants]
    return {"algorithm_version": 1, "definition": 'murmur3_x86_32("{flag}:{tenant}", seed 0) % 100 + 1', "cases": cases}


def flag(name: str, state: str, percentage: int = 0, cohort: tuple[str, ...] = (), needs: tuple[str, ...] = ()) -> Any:
    return {
        "flag_name": name,
        "flag_type": "feature",
        "current_state": state,
        "canary_percentage": percentage,
        "canary_tenant_ids": list(cohort),
        "dependencies": list(needs),
        "version": 1,
    }


def evaluation() -> dict[str, Any]:
    flags = [
        *(flag(f"base.{state}", state, cohort=(INSIDE,) if state == "canary" else ()) for state in
          ("off", "shadow", "canary", "on", "kill")),
        flag("base.far-off", "on", needs=("base.on", "base.off")),
        flag("base.far-shadow", "on", needs=("base.shadow",)),
    ]  # fmt: skip
    overrides = []
    for state, percentage, cohort in (
        ("off", 0, ()),
        ("shadow", 0, ()),
        ("canary", 0, (INSIDE,)),
        ("canary", 50, ()),
        ("on", 0, ()),
        ("kill", 100, ()),
    ):
        for override_name, override in OVERRIDES.items():
            for dependency in DEPENDENCIES:
                kind = f"{state}{percentage}" if state == "canary" else state
                name = f"{kind}.override-{override_name}.needs-{dependency}"
                needs = (
                    ()
                    if dependency == "none"
                    else ("sendgrid",)
                    if dependency == "external"
                    else (f"base.{dependency}",)
                )
                flags.append(flag(name, state, percentage, cohort, needs))
                if override is not None:
                    overrides.append(
                        {
                            "flag_name": name,
                            "tenant_id": INSIDE,
                            "override_state": override[0],
                            "expires_at": override[1],
                        }
                    )
    for percentage, holdout in ((100, ()), (100, (OUTSIDE,)), (0, ()), (50, ())):
        name = f"drawn{percentage}.holdout-{len(holdout)}"
        flags.append(flag(name, "canary", percentage, (INSIDE,)) | {"canary_holdout_ids": list(holdout)})
    snapshot = {"schema": 1, "epoch": "vectors", "revision": 1, "flags": flags, "overrides": overrides}
    names = [item["flag_name"] for item in flags] + ["no.such"]
    cases = []
    for name in names:
        for tenant in (INSIDE, OUTSIDE):
            state, reason = effective(snapshot, name, tenant, NOW.timestamp())
            cases.append({"flag": name, "tenant": tenant, "state": state, "reason": reason})
    return {"now": NOW.isoformat().replace("+00:00", "Z"), "snapshot": snapshot, "cases": cases}


def write(name: str, vectors: dict[str, Any]) -> None:
    """One line for each entry of a list, so that a difference can be read."""
    text = json.dumps(vectors, ensure_ascii=False, separators=(",", ":"))
    (HERE / name).write_text(text.replace("[{", "[\n{").replace("},{", "},\n{").replace("}]", "}\n]") + "\n", "utf-8")


if __name__ == "__main__":
    write("bucketing.json", bucketing())
    write("evaluation.json", evaluation())
