"""A domain's history is what filtering the whole log would give, page by page, however the domain's flags lie in it."""

from __future__ import annotations

import random
from itertools import product

from flagconsole.domain.change import Change

from .test_contract import a_draft, a_flag, apply


async def test_pages_are_those_of_the_filtered_log(store, clock):
    """Many flags of two domains, one of them rare, and neighbours that only begin alike."""
    drawn = random.Random(7)
    names = ["pos.a", "pos.b", *(f"pos.flag_{number}" for number in range(8)), "position.x", "po.y"]
    order = ["pos.long-ago", "rare.flag", *drawn.choices(names, k=40), "rare.flag", "pos.a"]
    log = [await apply(store, a_draft(clock, a_flag(clock, name=name))) for name in order]
    async with store.read() as reader:
        for domain, limit in product(("pos", "rare", "po", "nothing"), (1, 3, 50)):
            wanted = [change for change in reversed(log) if change.flag_name.startswith(f"{domain}.")]
            found: list[Change] = []
            before = None
            while page := await reader.changes(domain=domain, before=before, limit=limit):
                assert len(page) <= limit
                found += page
                before = page[-1].change_id
            assert found == wanted
