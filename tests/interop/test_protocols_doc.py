"""The examples of docs/protocols.md, run as they are there, against a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flagconsole.domain.role import Role

from ..live_server import LiveServer
from .harness import KNOWN, Client, folder, missing, python_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocols.md"
EXAMPLES = re.findall(r"^```(python|js)\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


def client_of(code: str) -> Client | None:
    """The public client that the example needs; None where it needs none but our own."""
    for client in KNOWN:
        name = "openfeature.contrib.provider.ofrep" if client.name == "ofrep-python" else client.package
        if f"from {name}" in code or f"from '{name}'" in code:
            return client
    return None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(f"sqlite:{tmp_path_factory.mktemp('doc') / 'flags.db'}") as running:
        running.request("POST", "/api/flags", json={"flag_name": "invoices.write"})
        body = {"change_reason": "x", "current_state": "on"}
        assert running.request("PUT", "/api/flags/invoices.write", json=body).status_code == 200
        yield running


def test_there_is_an_example_of_each_kind():
    found = [client_of(code) for _, code in EXAMPLES]
    assert [None if client is None else client.name for client in found] == [
        None, "ofrep-python", "ofrep-web", "unleash-python-streaming", "unleash-node-streaming",
    ]  # fmt: skip


@pytest.mark.parametrize(("language", "code"), EXAMPLES)
def test_an_example_does_what_it_says(server: LiveServer, tmp_path: Path, language: str, code: str):
    client = client_of(code)
    problem = None if client is None else missing(client)
    if problem is not None:
        pytest.skip(problem)
    assert "http://127.0.0.1:8765" in code
    code = code.replace("http://127.0.0.1:8765", server.url).replace("fc_sdk_…", server.keys[Role.SDK])
    # Node looks for packages beside the file.
    script = (tmp_path if language == "python" else folder()) / f"example-{os.getpid()}.{language.replace('js', 'mjs')}"
    program: list[str | Path] = ["node", "--experimental-eventsource", "--no-warnings"]
    if language == "python":
        program = [Path(sys.executable) if client is None else python_of(client)]
    script.write_text(code)
    try:
        done = subprocess.Popen(
            [*program, script],
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        )
        try:
            # A page stays; what it has said is enough.
            assert done.stdout is not None
            said = next((line for line in done.stdout if line.startswith("writes")), None)
        finally:
            done.terminate()
            done.communicate(timeout=20)
    finally:
        script.unlink()
    assert said == "writes the new way\n"
