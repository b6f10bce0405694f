"""Keys are in no log, whatever goes wrong."""

from __future__ import annotations

import logging

import httpx
import pytest

from flagconsole.cli.configuration import Configuration
from flagconsole.cli.invocation import Invocation
from flagconsole.console.place import Place
from flagconsole.domain.role import Role
from flagconsole.operations.service import Operations
from flagconsole.sdk.settings import Settings


def test_no_key_is_in_what_a_crash_report_shows_of_variables():
    settings = Settings("https://a.example", "fc_secret", "i", "s", "", 10.0, True, None, kill_list_key="fc_secret too")
    shown = [
        settings,
        Place("https://a.example", "fc_secret"),
        Configuration(api_key="fc_secret"),
        Invocation(api_key="fc_secret"),
    ]
    assert settings.api_key == "fc_secret"
    for value in shown:
        assert "fc_secret" not in repr(value) + str(value) + f"{value}"


def test_a_key_is_in_no_log_line_and_no_answer(live_server, caplog: pytest.LogCaptureFixture, monkeypatch):
    caplog.set_level(logging.DEBUG)
    secret = live_server.keys[Role.ADMIN]

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("something unforeseen")

    answers = [
        live_server.request("GET", "/api/flags"),
        live_server.request("GET", "/api/keys"),
        live_server.request("POST", "/api/keys", json={"name": "x"}),
        live_server.request("PUT", "/api/flags/none.such", json={"current_state": "on", "change_reason": "x"}),
        httpx.get(f"{live_server.url}/api/flags", headers={"Authorization": f"Basic {secret}"}),
        httpx.get(f"{live_server.url}/api/flags", headers={"Authorization": f"Bearer {secret}x"}),
    ]
    monkeypatch.setattr(Operations, "keys", broken)
    answers.append(live_server.request("GET", "/api/keys"))
    assert answers[-1].status_code == 500
    assert "something unforeseen" not in answers[-1].text
    assert any("unexpected error" in record.getMessage() for record in caplog.records)
    # The client's own log is the test's: what counts is what the server and what it is made of write.
    told = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    shown = "\n".join(logging.Formatter().format(record) for record in told)
    for text in (shown, *(answer.text for answer in answers)):
        assert secret not in text
