"""Every Python block in the documentation runs, in the order of its page, against a real server."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from flagconsole.domain.role import Role
from flagconsole.sdk import FlagClient

from .pages import WALKED

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
FLAGS = {
    "invoices.write": "shadow",
    "invoices.payment_links": "on",
    "estimates.ai_pricing": "on",
    "scheduling.write": "on",
    "billing.calculate": "on",
}
TENANT = "tenant-0042"


def python_in(path: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)


def blocks(page: str) -> list[str]:
    return python_in((ROOT if page == "README.md" else DOCS) / page)


def test_every_page_with_python_is_run():
    # protocols.md needs other clients, and is run by tests/interop.
    pages = {path.name for path in [*DOCS.rglob("*.md"), *ROOT.glob("*.md")] if path not in WALKED and python_in(path)}
    assert pages == {"README.md", "sdk.md", "middleware.md", "shadow.md", "judge.md", "protocols.md"}


@pytest.fixture
def run(live_server):
    """Runs a page's blocks in one namespace, which it returns."""
    for flag, state in FLAGS.items():
        assert live_server.request("POST", "/api/flags", json={"flag_name": flag}).status_code == 201
        body = {"current_state": state, "change_reason": "docs"}
        assert live_server.request("PUT", f"/api/flags/{flag}", json=body).status_code == 200
    clients: list[FlagClient] = []

    def run(page: str, **world: Any) -> dict[str, Any]:
        space: dict[str, Any] = {"__name__": "docs", "tenant": SimpleNamespace(id=TENANT), **world}
        for block in blocks(page):
            code = block.replace("http://127.0.0.1:8765", live_server.url).replace(
                "fc_sdk_…", live_server.keys[Role.SDK]
            )
            exec(compile(code, page, "exec"), space)
            client = space.get("flags")
            if isinstance(client, FlagClient) and client not in clients:
                clients.append(client)
                assert client.wait_ready(10)
        return space

    yield run
    for client in clients:
        client.close()


def client_of(server) -> FlagClient:
    client = FlagClient(server.url, server.keys[Role.SDK], cache_dir=False)
    assert client.wait_ready(10)
    return client


def test_readme(run):
    wrote: list[bool] = []
    run("README.md", write_invoice=lambda: wrote.append(True))
    assert wrote == []  # the flag is in shadow


def test_sdk(run, live_server):
    wrote: list[str] = []
    world = run(
        "sdk.md",
        write_invoice=lambda: wrote.append("new"),
        write_invoice_the_old_way=lambda: wrote.append("old"),
        ai_price=lambda: 12,
        list_price=lambda: 10,
        accepted=True,
        error=KeyError("x"),
    )
    assert (wrote, world["total"]) == (["old"], 12)
    assert world["estimate"](SimpleNamespace(tenant=TENANT)) == 12
    world["flags"].close()
    totals = live_server.request("GET", "/api/flags/invoices.write/metrics").json()["groups"]["shadow"]["totals"]
    assert (totals["operations"], totals["critical_errors"]) == (3, 1)
    own = live_server.request("GET", "/api/flags/estimates.ai_pricing/metrics").json()["groups"]["on"]["totals"]
    assert own["custom"]["suggestion_accuracy"]["value"] == 1.0


async def test_middleware(run):
    world = await asyncio.to_thread(run, "middleware.md")
    headers = {"X-Tenant": TENANT}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world["app"]), base_url="http://service") as client:
        assert (await client.post("/invoices", headers=headers)).json() == {"mode": "shadow"}
        assert (await client.get("/estimate", headers=headers)).json() == {"mode": "enabled"}
        assert (await client.get("/jobs", headers=headers)).json() == {"mode": "enabled"}
        assert (await client.get("/report", headers=headers)).json()["state"] == "shadow"
        assert (await client.get("/estimate")).json()["code"] == "TENANT_REQUIRED"
    assert world["payment_link"]({"tenant": TENANT, "number": "A-1"}).endswith("/A-1")


async def test_shadow(run, live_server, tmp_path):
    database = tmp_path / "orders.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE orders (number TEXT, total INTEGER)")
    connection.close()

    async def new(order):
        return {"total": 5.5}

    async def old(order):
        return {"total": 5}

    shown: list[str] = []
    flags = await asyncio.to_thread(client_of, live_server)
    world = await asyncio.to_thread(
        run,
        "shadow.md",
        flags=flags,
        order=SimpleNamespace(number="A-1", total=5, tenant=TENANT),
        new_invoice=lambda order: {"id": 2, "total": order.total},
        old_invoice=lambda order: {"id": 1, "total": order.total},
        new_invoice_async=new,
        old_invoice_async=old,
        database=str(database),
        mailer=SimpleNamespace(send=print),
        printer=SimpleNamespace(print=lambda order: "printed"),
        shown=shown,
    )
    assert world["result"].success
    assert (world["invoice"], shown) == ({"id": 1, "total": 5}, ["Saved"])
    assert world["result"].differences == ()
    assert await world["write"](SimpleNamespace(tenant=TENANT)) == {"total": 5}
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT * FROM orders").fetchall() == [("A-1", 5)]
    connection.close()
    assert world["print_label"]("order") == "printed"
    world["payments"].close()


def test_judge_blocks_are_python():
    # They show three lines out of the controller; what they do is what tests/domain/judge does at length.
    for block in blocks("judge.md"):
        compile(block, "judge.md", "exec")
