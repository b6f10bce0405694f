"""The pages do what they show: every block that can run runs, in the order of its page, and answers what stands there."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flagconsole.cli.commands.kill import kill
from flagconsole.cli.main import run
from flagconsole.demo.tenants import tenant_records
from flagconsole.domain.requests import TenantsPut
from flagconsole.domain.role import Actor, Role
from flagconsole.operations.catalogue import shipped_catalogue
from flagconsole.operations.service import Operations
from flagconsole.sdk import FlagClient
from flagconsole.store import open_store

from ..fake_server import until
from ..live_server import LiveServer
from .console_blocks import NotHere, Said, Step, Typist, blocks, differences_filled_in, steps
from .pages import PAGES, READERS, ROOT, UNRUN, WALKED, WRITTEN, typed

#: Pages about an environment that asks for more than others.
OPTIONS = {"approvals": {"requires_approvals": True}}
#: Pages about the embedded store: commands find it in the data folder, where a server with so many instances runs on it.
EMBEDDED = {"README": 12}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the shipped catalogue and the demo's tenants, made once."""
    path = tmp_path_factory.mktemp("fleet") / "flags.db"

    async def fill() -> None:
        store = await open_store(f"sqlite:{path}")
        operations = Operations(store)
        ada = Actor(name="ada", role=Role.ADMIN)
        await operations.load_catalogue(ada, shipped_catalogue("thorbis"))
        await operations.put_tenants(ada, TenantsPut(tenants=tenant_records(1)))
        await store.close()

    asyncio.run(fill())
    return path


@pytest.fixture
def typist(
    request: pytest.FixtureRequest,
    fleet: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Typist]:
    """Somebody with an empty home and an admin's key, in front of a server that two instances of a service follow."""
    page: Path = request.getfixturevalue("page")
    embedded = page.stem in EMBEDDED
    store = tmp_path / (".local/share/flagconsole/flagconsole.db" if embedded else "flags.db")
    store.parent.mkdir(parents=True, exist_ok=True)
    if not embedded:
        shutil.copy(fleet, store)
    for name in [name for name in os.environ if name.startswith(("FLAGCONSOLE_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("flagconsole.cli.credentials.keep_in_keyring", lambda url, key: None)
    for option in kill.params:
        if option.name == "wait":
            monkeypatch.setattr(option, "default", 60)  # a machine may be slow
    with ExitStack() as ending:
        server = ending.enter_context(LiveServer(f"sqlite:{store}", **OPTIONS.get(page.stem, {})))
        instances = EMBEDDED.get(page.stem, 2)
        for _ in range(instances):
            client = FlagClient(server.url, server.keys[Role.SDK], service="billing", cache_dir=False)
            assert ending.enter_context(client).wait_ready(60)
        second = server.request("POST", "/api/keys", json={"name": "second", "role": "admin"}).json()["secret"]
        keys = {"SECOND_KEY": second} | {f"{role.value.upper()}_KEY": key for role, key in server.keys.items()}
        here = {} if embedded else {"FLAGCONSOLE_URL": server.url, "FLAGCONSOLE_API_KEY": server.keys[Role.ADMIN]}
        typist = Typist(
            folder=tmp_path,
            environment={**os.environ, **keys, **here},
            here={
                "http://127.0.0.1:8765": server.url,
                "/home/olu": str(tmp_path),
                "/etc/flagconsole": str(tmp_path),
                # Nothing can be scheduled for a day that is over, or more than a year ahead.
                "2026-12-01": f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}",
            },
            readers=READERS,
            flagconsole=lambda words, environment: Said(-1),
        )

        def flagconsole(words: list[str], environment: Mapping[str, str]) -> Said:
            with monkeypatch.context() as changed:
                for name, value in environment.items():
                    changed.setenv(name, value)
                if words[0] == "bulk-verify":  # it doesn't wait for receipts
                    until(lambda: server.request("GET", "/api/instances").json()["confirmed"] == instances, 60)
                capsys.readouterr()
                code = run(words, "flagconsole")
            said = capsys.readouterr()
            return Said(code, said.out, said.err)

        typist.flagconsole = flagconsole
        yield typist


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_shows_is_what_happens(typist: Typist, page: Path) -> None:
    try:
        typist.type_page(page, typed(page))
    except NotHere as program:
        pytest.skip(f"no {program} on this machine: the page was typed up to there")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_metrics_that_pages_watch_are_there(page: Path) -> None:
    known = set(re.findall(r"`(flagconsole_\w+)`", (ROOT / "docs" / "reference" / "metrics.md").read_text()))
    named = set(re.findall(r"\bflagconsole_\w+", "".join(block.text for block in blocks(page))))
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in named} <= known


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    linked = {str((ROOT / "docs" / link).resolve()) for link in re.findall(r"\]\(([^)#]+)", index)}
    pages = {str(page) for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "adr"}
    pages -= {str(ROOT / "docs" / "README.md")}
    assert sorted(pages - linked) == []


def test_every_block_is_run_or_listed_with_a_reason() -> None:
    for page in WRITTEN:
        for block in typed(page):
            walked = page in WALKED and (block.kind in ("run", "see") or block.language == "text")
            assert walked or block.kind == "file" or block.language == "console", f"{page.name}:\n{block.text}"


def test_what_isnt_run_is_there() -> None:
    for name, listed in UNRUN.items():
        texts = [block.text for block in blocks(ROOT / name)]
        for beginning in listed:
            assert sum(text.startswith(beginning) for text in texts) == 1, f"{name}: {beginning}"


def test_an_answer_that_differs_is_found(tmp_path: Path) -> None:
    assert list(steps("$ a \\\n  b  # exit code 4\nx … y\n$ c\n")) == [Step("a   b", 4, ["x … y"]), Step("c")]
    assert differences_filled_in(["a … c", "…", "z"], "a b c\nd\ne\nz\n") == {}
    assert differences_filled_in(["a … c"], "a b\n") is None
    assert differences_filled_in(["a"], "a\nb\n") is None
    written, given = "key-000000000000", "key-0123456789ab"
    assert differences_filled_in([f"id {written}", written], f"id {given}\n{given}\n") == {written: given}
    page = tmp_path / "page.md"
    page.write_text("```console\n$ flagconsole list | cat\nflags\n```\n")
    typist = Typist(lambda words, environment: Said(0, "none\n"), tmp_path, dict(os.environ), {})
    with pytest.raises(AssertionError, match="none"):
        typist.type_page(page, blocks(page))
