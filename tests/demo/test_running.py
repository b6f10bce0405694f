"""Which demo ``--store demo`` finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from flagconsole.demo.running import announced, running_demo
from flagconsole.domain.errors import InvalidInput


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    found = [tmp_path / "first.db", tmp_path / "second.db"]
    for one in found:
        one.touch()
    return found


def test_the_newest_demo_is_found_which_says_so_and_the_one_before_afterwards(stores: list[Path]) -> None:
    first, second = (f"sqlite:{one}" for one in stores)
    said: list[str] = []
    with announced(first, said.append):
        assert said == []
        with announced(second, said.append):
            assert running_demo() == second
            assert len(said) == 1
            assert "another demo runs" in said[0]
        assert running_demo() == first
    with pytest.raises(InvalidInput, match="no demo is running"):
        running_demo()


def test_a_demo_whose_folder_is_gone_is_none(stores: list[Path]) -> None:
    first, second = (f"sqlite:{one}" for one in stores)
    said: list[str] = []
    with announced(first):
        with announced(second, said.append):
            stores[0].unlink()
        with pytest.raises(InvalidInput, match="no demo is running"):
            running_demo()
