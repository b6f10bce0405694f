"""Which of two settings exposes more tenants: ``kill < off < shadow < canary(p) < on``."""

from __future__ import annotations

from flagconsole.domain.flag import Setting
from flagconsole.domain.states import EXPOSURE_RANK, FlagState


def raises(before: Setting, after: Setting) -> bool:
    """Whether going from ``before`` to ``after`` can give the feature, or a shadow of it, to anyone who lacked it.

    Two cohorts compare only where one surely contains the other: both by hash (the percentage decides) or both chosen (the
    new one must be a subset). Between a chosen cohort and a hashed one anything may happen, so that counts as raising, but
    for the two hashed cohorts that are exact: nobody and everybody.
    """
    rank_before, rank_after = EXPOSURE_RANK[before.current_state], EXPOSURE_RANK[after.current_state]
    if rank_before != rank_after:
        return rank_after > rank_before
    if after.current_state is not FlagState.CANARY:
        return False
    if before.canary_tenant_ids and after.canary_tenant_ids:
        return not set(after.canary_tenant_ids) <= set(before.canary_tenant_ids)
    if not before.canary_tenant_ids and not after.canary_tenant_ids:
        return after.canary_percentage > before.canary_percentage
    hashed = after if before.canary_tenant_ids else before
    everybody_before = hashed is before and before.canary_percentage == 100
    nobody_after = hashed is after and after.canary_percentage == 0
    return not (everybody_before or nobody_after)


def raises_state(before: FlagState, after: FlagState) -> bool:
    """``raises`` for one tenant's state, where a canary needs no cohort."""
    return EXPOSURE_RANK[after] > EXPOSURE_RANK[before]
