"""``serve`` on PostgreSQL, as its user starts it: the first key, what is refused at start, the second way for listening."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from ..server_process import ServerProcess, eventually


@pytest.fixture
def backend() -> str:
    return "postgresql"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def refused(*arguments: str) -> tuple[int, str]:
    """Start a server that must not start."""
    command = [sys.executable, "-m", "flagconsole", "serve", "--port", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    return done.returncode, done.stderr


def keys_in(home: Path) -> list[Path]:
    return list((home / "data" / "flagconsole").glob("postgresql-*.admin-key"))


def test_a_new_database_gets_one_admin_key_and_its_place_is_said(home, store_url):
    with ServerProcess(store_url) as first, ServerProcess(store_url) as second:
        first.wait()
        second.wait()
        (path,) = keys_in(home)
        assert path.stat().st_mode & 0o777 == 0o600
        said = [line for line in first.said + second.said if "admin key" in line]
        assert said == [f"the first admin key of this database is in {path}"]
        for server in (first, second):
            answer = server.ask("GET", "/api/status", path.read_text().strip())
            assert (answer.status_code, answer.json()["you"]["role"]) == (200, "admin")
    # Who lost the file asks an admin for another key; each start leaving one would open the store a little wider.
    path.unlink()
    with ServerProcess(store_url) as again:
        again.wait()
        assert not keys_in(home)
        assert not any("admin key" in line for line in again.said)


def test_a_database_that_may_lose_changes_is_refused_with_one_line(home, store_url):
    name = store_url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    code, said = refused("--store", store_url)
    assert code == 6
    assert said.count("\n") == 1
    assert "its synchronous_commit is off: a crash could take acknowledged kills with it" in said


def test_listening_has_a_way_of_its_own_past_a_pooler(home, store_url):
    def sessions() -> dict[str, str]:
        with psycopg.connect(store_url) as connection:
            rows = connection.execute(
                "SELECT application_name, query FROM pg_stat_activity WHERE datname = current_database()"
            )
            return {query: name for name, query in rows.fetchall()}

    listen_url = f"{store_url}&application_name=direct"
    with ServerProcess(store_url, "--listen-url", listen_url) as server:
        server.wait()
        assert eventually(lambda: sessions().get("LISTEN flagconsole")) == "direct"
        (path,) = keys_in(home)
        answer = server.ask("POST", "/api/flags", path.read_text().strip(), json={"flag_name": "pos.lite"})
        assert answer.status_code == 201, answer.text


def test_a_listen_url_that_leads_elsewhere_is_refused(home, store_url, postgres):
    code, said = refused("--store", store_url, "--listen-url", postgres())
    assert (code, "leads to another database" in said) == (6, True)
    code, said = refused("--store", f"sqlite:{home}/flags.db", "--listen-url", store_url)
    assert (code, "is for stores on PostgreSQL" in said) == (2, True)


def test_a_url_that_cannot_be_read_is_told_without_its_password(home):
    code, said = refused("--store", "postgresql://ada:s3cret@[::1/flags")
    assert (code, "postgresql://user@host:5432/database" in said, "s3cret" in said) == (2, True, False)
