"""Environments that are made and renamed while servers run: served without a restart, and without a gap."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import httpx
import pytest

from flagconsole.domain.role import Role
from flagconsole.operations.store_environments import (
    create_environment,
    environment_named,
    environments_of,
    rename_environment,
)
from flagconsole.server import environment_roster
from flagconsole.server import serving as serving_module
from flagconsole.server.hub import Hub
from flagconsole.server.serving import Demand, Serving
from flagconsole.store import open_store

from .environments import EnvironmentsServer, make_keys


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request) -> str:
    name: str = request.param
    return name


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


# FastAPI silences it while it makes an application; another thread that ends its own silence at that moment takes this one away too.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.UnsupportedFieldAttributeWarning")
def test_a_new_one_is_served_by_every_server_and_a_renamed_one_without_a_gap(store_url, monkeypatch):
    monkeypatch.setattr(environment_roster, "LOOK_SECONDS", 0.1)
    # Two servers in one process: what FastAPI does with warnings while it makes an application is meant for one thread at a time.
    alone, really = threading.Lock(), serving_module.create_app

    def create_app(*arguments, **options):
        with alone:
            return really(*arguments, **options)

    monkeypatch.setattr(serving_module, "create_app", create_app)

    async def begin() -> dict[Role, str]:
        await (await open_store(store_url)).close()
        (first,) = await environments_of(store_url)
        return await make_keys(store_url, first)

    old = asyncio.run(begin())
    approvals = Serving(requires_approvals=Demand(names=frozenset({"local"})))
    with (
        EnvironmentsServer(store_url, keys_of=(), serving=approvals) as one,
        EnvironmentsServer(store_url, keys_of=()) as other,
    ):
        servers = (one, other)
        for server in servers:
            server.keys["production"] = old
        assert "environments" not in one.ask(None, "GET", "/health").json()
        one.ask("production", "POST", "/api/flags", json={"flag_name": "pos.lite"})
        over, failed = threading.Event(), []

        def go_on_asking() -> None:
            headers = {"Authorization": f"Bearer {old[Role.ADMIN]}"}
            number = 0
            while not over.is_set():
                number += 1
                for server in servers:
                    made = {"name": f"key {number} {server.url}", "role": "sdk"}
                    answers = (
                        httpx.get(f"{server.url}/api/status", headers=headers, timeout=60),
                        httpx.post(f"{server.url}/api/keys", headers=headers, json=made, timeout=60),
                    )
                    failed.extend(answer.text for answer in answers if is_a_gap(answer))
                over.wait(0.02)

        asking = threading.Thread(target=go_on_asking)
        asking.start()
        try:
            with httpx.stream(
                "GET", f"{one.url}/api/stream", headers={"Authorization": f"Bearer {old[Role.SDK]}"}, timeout=60
            ) as stream:
                lines = stream.iter_lines()
                next(lines)
                asyncio.run(rename_environment(store_url, "local", "production", "ada"))
                for server in servers:
                    until(lambda server=server: named(server, "production") == "production", "the new name")
                # Its streams are told to come again, and do.
                assert "goodbye" in "".join(lines)
            asyncio.run(create_environment(store_url, "staging", "ada"))
            staging = asyncio.run(environment_named(store_url, "staging"))
            keys = asyncio.run(make_keys(store_url, staging))
            for server in servers:
                server.keys["staging"] = keys
                until(lambda server=server: named(server, "staging") == "staging", "the new environment")
                assert server.ask("staging", "GET", "/api/flags").json()["flags"] == []
                assert sorted(server.ask(None, "GET", "/health").json()["environments"]) == ["production", "staging"]
            asyncio.run(rename_environment(store_url, "staging", "pre-prod", "ada"))
            for server in servers:
                until(lambda server=server: named(server, "staging") == "pre-prod", "the new name of the second one")
        finally:
            over.set()
            asking.join(60)
        assert failed == []
        # It is led and tended as ever, and what the server was told for the first one still holds for it.
        raising = {"current_state": "on", "change_reason": "x"}
        for server, status in ((one, 409), (other, 200)):
            answer = server.ask("production", "PUT", "/api/flags/pos.lite", json=raising, headers={"If-Match": '"1"'})
            assert answer.status_code == status, answer.text
        assert one.ask("staging", "POST", "/api/flags", json={"flag_name": "pos.new"}).status_code == 201
        until(
            lambda: (
                [flag["flag_name"] for flag in other.ask("staging", "GET", "/api/flags").json()["flags"]] == ["pos.new"]
            ),
            "what one server did there, the other streams",
        )
        acts = one.ask("production", "GET", "/api/audit/log?limit=500").json()["acts"]
        assert [act["kind"] for act in acts if act["kind"].startswith("environment_")] == [
            "environment_renamed",
            "environment_created",
            "environment_renamed",
        ]


def is_a_gap(answer: httpx.Response) -> bool:
    """Whether somebody wasn't served. That a database is too slow for a moment is another matter."""
    return not (answer.is_success or (answer.status_code == 503 and "open" not in answer.text))


def named(server: EnvironmentsServer, environment: str) -> str:
    answer = server.ask(environment, "GET", "/api/status")
    return answer.json()["environment"] if answer.is_success else f"{answer.status_code}"


async def test_a_server_for_one_environment_serves_no_new_one_and_a_name_that_is_reused_brings_no_rights(store_url):
    await (await open_store(store_url)).close()
    await rename_environment(store_url, "local", "production", "ada")
    opened: list[tuple[str, str | None]] = []

    def opening(environment, settled):
        opened.append((environment.name, settled))
        return Opened()

    only = roster(store_url, Serving(environment="production"), await environments_of(store_url), opening)
    every = roster(store_url, Serving(), await environments_of(store_url), opening)
    for one in (only, every):
        for served in one.environments:
            await served.start()
    await rename_environment(store_url, "production", "live", "ada")
    await create_environment(store_url, "staging", "ada")
    await rename_environment(store_url, "staging", "test", "ada")
    for one in (only, every):
        await one.look()
        await one.look()
    assert [served.name for served in only.environments] == ["live"]
    assert [served.name for served in every.environments] == ["live", "test"]
    # What was told for production is production's, whatever it is called now, and not another's that is called so later.
    assert opened[2:] == [("live", "production"), ("live", "production"), ("test", "test")]
    await create_environment(store_url, "production", "ada")
    await every.look()
    assert opened[5:] == [("production", None)]
    for one in (only, every):
        for served in one.environments:
            await served.stop()


def roster(store_url, serving, known, opening) -> environment_roster.EnvironmentRoster:
    made = environment_roster.EnvironmentRoster(store_url, serving, known, opening)

    async def read():
        return await environments_of(store_url)

    made._known = read
    return made


class Opened:
    """An application that runs, as far as a roster can tell."""

    async def __aenter__(self):
        return SimpleNamespace(state=SimpleNamespace(hub=Hub()))

    async def __aexit__(self, *error) -> None:
        return None
