"""The newest log entries of a domain, found without reading all that it has.

A domain may have most of a log of ten million entries, or five of them. Sorting all that it has is as slow in the first case as walking
the log from its end is in the second. So each of the domain's flags is asked, through the index, for its newest entry, and only those
that were changed last for more.
"""

from __future__ import annotations

import heapq
from typing import Final

from flagconsole.store.session import Session

#: Steps from one flag of the domain to the next in the index, and looks where each one's entries end.
_NEWEST: Final = """
WITH RECURSIVE names(flag_name) AS (
    SELECT min(flag_name) FROM flag_change_log WHERE flag_name >= ? AND flag_name < ?
    UNION ALL
    SELECT (SELECT min(log.flag_name) FROM flag_change_log AS log WHERE log.flag_name > names.flag_name AND log.flag_name < ?)
    FROM names WHERE names.flag_name IS NOT NULL
)
SELECT flag_name, (
    SELECT max(log.change_id) FROM flag_change_log AS log WHERE log.flag_name = names.flag_name AND log.change_id < ?
) AS newest
FROM names WHERE flag_name IS NOT NULL
"""
_OF_FLAG: Final = """
SELECT change_id FROM flag_change_log WHERE flag_name = ? AND change_id < ? ORDER BY change_id DESC LIMIT ?
"""
#: Beyond any change's id.
_END: Final = 2**62


async def newest_of_domain(session: Session, domain: str, *, before: int | None, limit: int) -> list[int]:
    """The ids of the domain's ``limit`` newest changes with an id below ``before``, newest first."""
    # A domain is the range of names between "pos." and "pos/", the character after the dot.
    begin, end, below = f"{domain}.", f"{domain}/", _END if before is None else before
    found = await session.all(_NEWEST, begin, end, end, below)
    flags = sorted(((row["newest"], row["flag_name"]) for row in found if row["newest"] is not None), reverse=True)
    newest: list[int] = []
    for of_flag, name in flags:
        if len(newest) == limit and of_flag < newest[0]:
            break
        for row in await session.all(_OF_FLAG, name, below, limit):
            if len(newest) < limit:
                heapq.heappush(newest, row["change_id"])
            elif row["change_id"] > newest[0]:
                heapq.heapreplace(newest, row["change_id"])
            else:
                break
    return sorted(newest, reverse=True)
