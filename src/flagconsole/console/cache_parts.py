"""The names of what the cache keeps. Each part is fetched by itself, and so has an age of its own."""

from __future__ import annotations

from typing import Final

FLAGS: Final = "flags"
OVERRIDES: Final = "overrides"
#: The cohorts of the flags, beside them: an event leaves out the one that its change left alone.
COHORTS: Final = "cohorts"
INSTANCES: Final = "instances"
TENANTS: Final = "tenants"
HISTORY: Final = "history"
ROLLOUTS: Final = "rollouts"
METRICS: Final = "metrics"
INCIDENTS: Final = "incidents"
