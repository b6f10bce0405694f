"""What a canary is compared with its control for, beside the limits of its plan: the judge's guards in words, with figures.

Light, since a console says it before it has loaded anything else; the judge takes its figures from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: So many cohorts that the same draw could have given are compared with the one that is.
COHORTS: Final = 20_000
#: Errors of many tenants at once are a gross failure from this many times the control's on.
GROSS_RATIO: Final = 2.0
#: The chance of rolling a healthy canary back in a whole phase, all tests together.
ERROR_BUDGET: Final = 0.01
#: So many of the comparisons' lines have figures of their phase; the rest is the same in all.
OF_ONE_PHASE: Final = 2
#: Metrics whose success limit says how much worse than the control the plan tolerates.
_ERRORS: Final = ("error_rate", "success_rate")
_LATENCY: Final = ("p95_regression",)


def against_control(kind: str, success: Mapping[str, str], min_difference_ms: float) -> tuple[str, ...]:
    """The comparisons of a phase of this ``kind``, one a line; none where everybody is in, so that there is no control.

    ``success`` are the phase's success limits in words, by metric.
    """
    if kind != "canary":
        return ()
    apart = f" by {min_difference_ms:g} ms or more" if min_difference_ms else ""
    return (
        f"error rate certainly above control's, {_unless(success, _ERRORS)}; "
        f"or above {_times(GROSS_RATIO)} control's in many tenants at once",
        f"p95 certainly above control's{apart}, {_unless(success, _LATENCY)}",
        "critical errors that meet the canary's tenants first; one broken tenant",
        f"certain: past what {COHORTS:,} cohorts of the same draw show; of healthy canaries "
        f"{ERROR_BUDGET * 100:g} % at most are rolled back",
    )


def in_short(kind: str, limits: Mapping[str, str], min_difference_ms: float) -> str:
    """The same in one row; empty where there is no control. ``limits`` are the success limits' numbers with units."""
    if kind != "canary":
        return ""
    errors, latency = limits.get("error_rate"), limits.get("p95_regression")
    if errors is None and "success_rate" in limits:
        errors = f"a success rate of {limits['success_rate']}"
    least = f"{min_difference_ms:g} ms" if min_difference_ms else ""
    p95 = " and ".join(part for part in (latency, least) if part)
    parts = [f"errors past {errors}" if errors else "any more errors", f"p95 past {p95}" if p95 else "any slower p95"]
    said = f"also against control: {', '.join(parts)}, criticals, one broken tenant"
    return f"{said}; false alarms {ERROR_BUDGET * 100:g} %"


def _unless(success: Mapping[str, str], metrics: tuple[str, ...]) -> str:
    limits = [success[metric] for metric in metrics if metric in success]
    return f"unless {' or '.join(limits)}" if limits else "since the plan has no success limit that would allow it"


def _times(ratio: float) -> str:
    return "twice" if ratio == 2 else f"{ratio:g} times"
