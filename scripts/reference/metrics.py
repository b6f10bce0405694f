"""What a server tells Prometheus about itself."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from flagconsole.operations.service import Operations
from flagconsole.server.app import create_app
from flagconsole.store import open_store
from reference.page import code, page, sentence, table

ABOUT = """What `GET /metrics` answers, in Prometheus' text format and without a key: figures of this one server about itself. What
is measured of flags is [another thing](../api.md). Histograms have `_bucket`, `_sum` and `_count`."""


def text() -> str:
    """The page: what a server that has just begun answers."""
    with tempfile.TemporaryDirectory() as folder:
        answer = asyncio.run(_scraped(f"sqlite:{Path(folder) / 'flags.db'}"))
    rows = [
        (
            code(family.name + ("_total" if family.type == "counter" else "")),
            family.type,
            sentence(family.documentation),
        )
        for family in sorted(text_string_to_metric_families(answer), key=lambda family: family.name)
        if not family.name.endswith("_created")
    ]
    return page("Metrics", ABOUT, table(("metric", "kind", "meaning"), rows))


async def _scraped(url: str) -> str:
    store = await open_store(url)
    try:
        app = create_app(Operations(store))
        async with app.router.lifespan_context(app):
            rendered: bytes = app.state.server.meters.render()
    finally:
        await store.close()
    return rendered.decode()
