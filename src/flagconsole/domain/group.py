"""Groups: what a tenant's operations count for while a flag rolls out. No pydantic here, since services import this module."""

from __future__ import annotations

from enum import StrEnum

from flagconsole.domain.evaluation import Evaluation, Reason
from flagconsole.domain.states import FlagState


class Group(StrEnum):
    """``canary``: enabled by the cohort. ``control``: outside the cohort while the flag is in canary. ``shadow`` and ``on``:
    the flag's state for everybody. ``off``: the flag is off or killed, so the feature didn't run. ``other``: the rest,
    such as overrides and what a dependency caps, which are compared with nothing, since nobody drew them."""

    CANARY = "canary"
    CONTROL = "control"
    SHADOW = "shadow"
    ON = "on"
    OFF = "off"
    OTHER = "other"


_BY_STATE = {FlagState.SHADOW: Group.SHADOW, FlagState.ON: Group.ON, FlagState.OFF: Group.OFF}


def group_of(evaluation: Evaluation) -> Group:
    """The group of an operation for which the flag was evaluated so."""
    if evaluation.reason is Reason.COHORT:
        return Group.CANARY
    if evaluation.reason is Reason.OUTSIDE_COHORT:
        return Group.CONTROL
    if evaluation.reason is Reason.KILLED:
        return Group.OFF
    if evaluation.reason is Reason.STATE:
        return _BY_STATE.get(evaluation.state, Group.OTHER)
    return Group.OTHER
