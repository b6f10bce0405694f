"""States of a flag and the exposure order between them."""

from __future__ import annotations

from enum import StrEnum


class FlagState(StrEnum):
    """What a flag does. ``canary`` enables it for the cohort, ``shadow`` runs it read-only, ``kill`` overrides all."""

    OFF = "off"
    SHADOW = "shadow"
    CANARY = "canary"
    ON = "on"
    KILL = "kill"


class FlagType(StrEnum):
    """What kind of thing a flag stands for. A ``domain`` flag guards a whole domain's writes."""

    DOMAIN = "domain"
    FEATURE = "feature"
    EXPERIMENT = "experiment"
    KILL_SWITCH = "kill_switch"


#: ``kill < off < shadow < canary < on``. Between two canaries the cohort decides (``exposure.raises``).
EXPOSURE_RANK: dict[FlagState, int] = {
    FlagState.KILL: 0,
    FlagState.OFF: 1,
    FlagState.SHADOW: 2,
    FlagState.CANARY: 3,
    FlagState.ON: 4,
}

#: The states that run the feature for real.
ENABLING = frozenset({FlagState.CANARY, FlagState.ON})

#: The states of a flag that is on its way.
UNDER_WAY = frozenset({FlagState.SHADOW, FlagState.CANARY})

#: The states that one tenant's override may have: everything but ``kill``, which is for all tenants or none.
OVERRIDE_STATES = frozenset({FlagState.OFF, FlagState.SHADOW, FlagState.CANARY, FlagState.ON})
