"""Which bucket of a hundred a tenant falls into, for cohorts that are drawn by hash.

The algorithm is version 1 and never changes under that number: murmur3 (x86, 32 bit, seed 0) of the UTF-8 text
``"{flag}:{tenant}"``, modulo 100, plus 1. Unleash's client specification computes the same normalised hash with the flag
name as group id and the tenant as stickiness value, so its clients pick the same tenants. Golden vectors:
``tests/vectors/bucketing.json``.
"""

from __future__ import annotations

import mmh3

ALGORITHM_VERSION = 1


def bucket(flag_name: str, tenant_id: str) -> int:
    """The tenant's bucket for this flag, 1 to 100. A lone surrogate is hashed as ``?`` rather than refused."""
    key = f"{flag_name}:{tenant_id}".encode("utf-8", "replace")
    return mmh3.hash(key, 0, signed=False) % 100 + 1


def in_percentage(flag_name: str, tenant_id: str, percentage: int) -> bool:
    """Whether the tenant is among the first ``percentage`` buckets. 0 and 100 are exact; raising it only adds."""
    return bucket(flag_name, tenant_id) <= percentage
