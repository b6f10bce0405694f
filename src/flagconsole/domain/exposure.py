"""Which of two settings exposes more tenants: ``kill < off < shadow < canary(p) < on``."""

from __future__ import annotations

from flagconsole.domain.bucketing import in_percentage
from flagconsole.domain.flag import Setting
from flagconsole.domain.states import EXPOSURE_RANK, FlagState


def raises(before: Setting, after: Setting, flag_name: str | None = None) -> bool:
    """Whether going from ``before`` to ``after`` can give the feature, or a shadow of it, to anyone who lacked it.

    Two cohorts compare only where one surely contains the other: both by hash (the percentage decides) or both chosen (the
    new one must be a subset, and neither take newcomers that the old one did not nor release any that it held out). Between
    a chosen cohort and a hashed one anything may happen, so that counts as raising, but for the two hashed cohorts that are
    exact: nobody and everybody. With the ``flag_name`` it is known whom the hash takes, so that going back from a wider drawn
    cohort to a narrower one is seen to lower exposure.
    """
    rank_before, rank_after = EXPOSURE_RANK[before.current_state], EXPOSURE_RANK[after.current_state]
    if rank_before != rank_after:
        return rank_after > rank_before
    if after.current_state is not FlagState.CANARY:
        return False
    if not before.canary_tenant_ids and not before.canary_holdout_ids and before.canary_percentage == 100:
        return False
    return not (_chosen_within(after, before) and _newcomers_within(after, before, flag_name))


def _chosen_within(after: Setting, before: Setting) -> bool:
    return set(after.canary_tenant_ids) <= set(before.canary_tenant_ids)


def _newcomers_within(after: Setting, before: Setting, flag_name: str | None) -> bool:
    """Whether everyone whom the hash takes after was in before: then as well by hash, or chosen."""
    if not after.takes_newcomers or after.canary_percentage == 0:
        return True
    if not before.takes_newcomers or after.canary_percentage > before.canary_percentage:
        return False
    released = (
        set(before.canary_holdout_ids or ()) - set(before.canary_tenant_ids) - set(after.canary_holdout_ids or ())
    )
    if flag_name is not None:
        released = {tenant for tenant in released if in_percentage(flag_name, tenant, after.canary_percentage)}
    return not released


def raises_state(before: FlagState, after: FlagState) -> bool:
    """``raises`` for one tenant's state, where a canary needs no cohort."""
    return EXPOSURE_RANK[after] > EXPOSURE_RANK[before]
