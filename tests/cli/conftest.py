"""The command line in this process, with a home of its own."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from flagconsole.cli.main import run


class Result(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folders that nobody else has, no keyring, no variables, a wide pipe instead of a terminal."""
    for name in ("URL", "STORE", "API_KEY", "TENANT", "CONFIG", "DEBUG", "ENVIRONMENT"):
        monkeypatch.delenv(f"FLAGCONSOLE_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("flagconsole.cli.credentials.keep_in_keyring", lambda url, key: None)
    return tmp_path


@pytest.fixture
def fc(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``flagconsole`` with these arguments."""

    def call(*arguments: str, stdin: str = "") -> Result:
        data = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
        monkeypatch.setattr("sys.stdin", data)
        capsys.readouterr()
        code = run(list(arguments), "flagconsole")
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def loaded_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the shipped catalogue, made once."""
    from flagconsole.cli.embedded import open_embedded
    from flagconsole.operations.catalogue import shipped_catalogue

    path = tmp_path_factory.mktemp("loaded") / "flags.db"

    async def load() -> None:
        async with open_embedded(f"sqlite:{path}") as embedded:
            await embedded.load_catalogue(shipped_catalogue("thorbis"))

    asyncio.run(load())
    return path


@pytest.fixture
def store_path(home: Path, loaded_store: Path) -> Path:
    """The user's embedded store, holding the shipped catalogue."""
    path = home / "data" / "flagconsole" / "flagconsole.db"
    path.parent.mkdir(parents=True)
    shutil.copy(loaded_store, path)
    return path


@pytest.fixture
def flags(fc: Run, store_path: Path) -> Run:
    """``fc`` on a store with the 27 flags, all off."""
    return fc
