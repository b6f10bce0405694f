"""``config``: the file, the environment, and where a key may go."""

from __future__ import annotations

import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from flagconsole.cli import configuration, credentials
from flagconsole.cli.configuration import server_url
from flagconsole.cli.invocation import Invocation
from flagconsole.cli.target import resolve
from flagconsole.domain.errors import FlagConsoleError, InvalidInput, Unauthenticated

SECRET = "fc_admin_very-secret"
KEEP_IN_KEYRING = credentials.keep_in_keyring


def path() -> Path:
    return configuration.configuration_path()


def test_what_is_set_is_used(fc: Any):
    assert fc("config", "set-url", "HTTPS://Flags.example.com/").out == "url is https://flags.example.com\n"
    fc("config", "set-tenant", "acme")
    fc("config", "set-api-key", SECRET)
    target = resolve(Invocation(), {})
    assert (target.url, target.store, target.tenant) == ("https://flags.example.com", None, "acme")
    assert target.api_key() == SECRET


def test_the_file_is_private_and_keeps_what_people_wrote(fc: Any):
    path().parent.mkdir(parents=True)
    path().write_text("# mine\n[extra]\nx = 1\n")
    shown = fc("config", "set-api-key", SECRET)
    assert "kept in" in shown.out
    assert str(path()) in shown.out
    assert stat.S_IMODE(path().stat().st_mode) == 0o600
    text = path().read_text()
    assert "# mine" in text
    assert "x = 1" in text
    assert [child.name for child in path().parent.iterdir()] == ["config.toml"]


def test_a_key_is_never_printed(fc: Any):
    outputs = [
        fc("config", "set-api-key", SECRET, "--json"),
        fc("config", "set-api-key", "-", stdin=f"{SECRET}\n"),
        fc("config", "show"),
        fc("config", "show", "--json"),
        fc("config", "set-api-key", f"two {SECRET}"),
    ]
    assert all(SECRET not in shown.out + shown.err for shown in outputs)
    assert [shown.code for shown in outputs] == [0, 0, 0, 0, 2]
    assert resolve(Invocation(url="http://localhost:1"), {}).api_key() == SECRET


def test_a_key_is_sent_to_no_other_server(fc: Any):
    fc("config", "set-url", "https://flags.example.com")
    fc("config", "set-api-key", SECRET)
    with pytest.raises(Unauthenticated, match=r"is for https://flags\.example\.com"):
        resolve(Invocation(url="https://evil.example.com"), {}).api_key()
    note = fc("config", "set-url", "https://other.example.com")
    assert "the configured key is for https://flags.example.com" in note.err
    assert fc("list").code == 7


def test_options_then_environment_then_configuration(fc: Any):
    fc("config", "set-url", "https://configured")
    fc("config", "set-tenant", "configured")
    variables = {"FLAGCONSOLE_URL": "http://env", "FLAGCONSOLE_TENANT": "env", "FLAGCONSOLE_API_KEY": "fc_env"}
    from_environment = resolve(Invocation(), variables)
    assert (from_environment.url, from_environment.tenant, from_environment.api_key()) == (
        "http://env",
        "env",
        "fc_env",
    )
    asked = resolve(Invocation(store="sqlite:x.db", tenant="me", api_key="fc_me"), variables)
    assert (asked.url, asked.store, asked.tenant) == (None, "sqlite:x.db", "me")
    assert resolve(Invocation(), {"FLAGCONSOLE_STORE": "sqlite:y.db"}).store == "sqlite:y.db"


def test_a_server_and_a_store_at_once_are_refused(fc: Any):
    shown = fc("list", "--url", "http://x", "--store", "sqlite:x.db")
    assert (shown.code, "only one of them" in shown.err) == (2, True)


def test_nothing_configured_is_the_embedded_store(fc: Any, home: Path):
    shown = fc("config", "show", "--json").json
    assert shown["store"] == f"sqlite:{home}/data/flagconsole/flagconsole.db"
    assert (shown["url"], shown["api_key_in"]) == (None, None)


def test_unset_forgets(fc: Any):
    fc("config", "set-url", "https://flags.example.com")
    fc("config", "set-api-key", SECRET)
    for name in ("url", "api-key"):
        assert fc("config", "unset", name).code == 0
    assert SECRET not in path().read_text()
    assert fc("config", "show", "--json").json["url"] is None


def test_a_dry_run_writes_nothing(fc: Any):
    for arguments in (("set-url", "https://x"), ("set-tenant", "x"), ("set-api-key", SECRET), ("unset", "url")):
        assert fc("config", *arguments, "--dry-run").code == 0
    assert not path().exists()


@pytest.mark.parametrize(
    "address",
    [
        "flags.example.com", "ftp://x", "https://", "https://u:p@x", "https://x:99999", "https://x/?a=1",
        "https://x#y", "https://a b", "https://x\x1b[31m", "http://[::1",
    ],
)  # fmt: skip
def test_a_url_that_is_none_is_refused(fc: Any, address: str):
    shown = fc("config", "set-url", address)
    assert shown.code == 2
    assert "\x1b" not in shown.err
    assert "u:p" not in shown.err


def test_a_url_may_have_a_port_a_path_and_an_ipv6_address():
    assert server_url("http://[::1]:8765/flags/") == "http://[::1]:8765/flags"


def test_a_plain_http_server_far_away_is_remarked_on(fc: Any):
    assert "use https" in fc("config", "set-url", "http://flags.example.com").err
    assert fc("config", "set-url", "http://localhost:8765").err == ""


def test_a_broken_file_is_named_and_never_overwritten(fc: Any):
    path().parent.mkdir(parents=True)
    for text in ("url = \n", "url = 3\n"):
        path().write_text(text)
        for arguments in (("list",), ("config", "set-tenant", "x")):
            shown = fc(*arguments)
            assert (shown.code, str(path()) in shown.err) == (2, True)
        assert path().read_text() == text


def test_a_linked_file_stays_a_link(fc: Any, home: Path):
    real = home / "dotfiles.toml"
    real.write_text("")
    path().parent.mkdir(parents=True)
    path().symlink_to(real)
    fc("config", "set-tenant", "acme")
    assert path().is_symlink()
    assert "acme" in real.read_text()


def test_a_tenant_that_cannot_be_one_is_refused(fc: Any):
    assert fc("config", "set-tenant", "a\nb").code == 2
    assert fc("config", "set-tenant", "x" * 200).code == 2


class Keyring:
    """A keyring in memory."""

    name = "memory"
    priority = 5

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_keyring(self) -> Keyring:
        return self

    def set_password(self, service: str, entry: str, key: str) -> None:
        self.kept[service, entry] = key

    def get_password(self, service: str, entry: str) -> str | None:
        return self.kept.get((service, entry))

    def delete_password(self, service: str, entry: str) -> None:
        del self.kept[service, entry]


@pytest.fixture
def keyring(fc: Any, monkeypatch: pytest.MonkeyPatch) -> Keyring:
    found = Keyring()
    monkeypatch.setattr(credentials, "keep_in_keyring", KEEP_IN_KEYRING)
    for name in ("get_keyring", "set_password", "get_password", "delete_password"):
        monkeypatch.setattr(f"keyring.{name}", getattr(found, name))
    return found


def test_a_keyring_keeps_the_key_instead_of_the_file(fc: Any, keyring: Keyring):
    fc("config", "set-url", "https://flags.example.com")
    assert "kept in the keyring (memory)" in fc("config", "set-api-key", SECRET).out
    assert SECRET not in path().read_text()
    assert resolve(Invocation(), {}).api_key() == SECRET
    assert fc("config", "show", "--json").json["api_key_in"] == "keyring"
    fc("config", "unset", "api-key")
    assert keyring.kept == {}


def test_a_keyring_that_keeps_nothing_is_not_trusted(fc: Any, keyring: Keyring, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("keyring.get_password", lambda service, entry: None)
    fc("config", "set-api-key", SECRET)
    assert SECRET in path().read_text()


def test_a_keyring_that_hangs_or_fails_is_left_behind(fc: Any, keyring: Keyring, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(credentials, "PATIENCE", 0.05)
    release = threading.Event()
    monkeypatch.setattr("keyring.get_keyring", lambda: release.wait(10))
    assert credentials.keep_in_keyring("https://x", SECRET) is None
    release.set()

    def locked() -> Keyring:
        raise RuntimeError("locked")

    monkeypatch.setattr("keyring.get_keyring", locked)
    assert credentials.keep_in_keyring("https://x", SECRET) is None


def test_a_keyring_that_lost_the_key_is_an_error_with_a_way_out(fc: Any, keyring: Keyring):
    fc("config", "set-url", "https://flags.example.com")
    fc("config", "set-api-key", SECRET)
    keyring.kept.clear()
    with pytest.raises(Unauthenticated, match="FLAGCONSOLE_API_KEY"):
        resolve(Invocation(), {}).api_key()


def test_errors_are_of_the_family():
    assert issubclass(InvalidInput, FlagConsoleError)
