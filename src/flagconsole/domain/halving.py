"""Half of an exposure: which tenants keep a feature when a rollback begins gently."""

from __future__ import annotations

from flagconsole.domain.bucketing import bucket
from flagconsole.domain.flag import Setting
from flagconsole.domain.states import FlagState


def halved(flag_name: str, setting: Setting) -> Setting:
    """The setting that keeps half of those who have the feature, rounded down; other states stay as they are.

    A hashed cohort keeps its lower buckets, so everyone who stays was in before; ``on`` becomes half of everyone. A chosen
    cohort keeps those with the lowest buckets, which is the same half whenever and wherever it is asked for.
    """
    if setting.current_state is FlagState.ON:
        return Setting(current_state=FlagState.CANARY, canary_percentage=50)
    if setting.current_state is not FlagState.CANARY:
        return setting
    chosen = sorted(setting.canary_tenant_ids, key=lambda tenant: (bucket(flag_name, tenant), tenant))
    kept, dropped = chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]
    if chosen and not kept:
        # Without chosen tenants the percentage would decide, so a cohort that is used up must leave nobody to it.
        return Setting(current_state=FlagState.CANARY, canary_percentage=0)
    held = setting.canary_holdout_ids
    return Setting(
        current_state=FlagState.CANARY,
        canary_percentage=setting.canary_percentage // 2,
        canary_tenant_ids=tuple(kept),
        # Who is dropped from a drawn cohort must not come back by the hash, as those do who joined after the draw.
        canary_holdout_ids=None if held is None else (*held, *dropped),
    )
