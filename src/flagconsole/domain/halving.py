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
    kept = tuple(chosen[: len(chosen) // 2])
    # Without chosen tenants the percentage decides, so a chosen cohort that is used up must leave nobody to it.
    percentage = 0 if chosen and not kept else setting.canary_percentage // 2
    return Setting(current_state=FlagState.CANARY, canary_percentage=percentage, canary_tenant_ids=kept)
