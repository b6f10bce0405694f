"""The demo's folder: gone with its demo, or with the next one; nobody else's is touched."""

from __future__ import annotations

import fcntl

import pytest

from flagconsole.demo.folder import PREFIX, demo_folder, remove_stale


@pytest.fixture
def left_behind(tmp_path):
    """A folder as a demo leaves it that was killed."""

    def make(name):
        folder = tmp_path / f"{PREFIX}{name}"
        (folder / "cache").mkdir(parents=True)
        (folder / "cache" / "rules").write_text("x")
        (folder / "alive").write_text("")
        return folder

    return make


def test_a_dead_demos_folder_goes_when_the_next_one_starts(tmp_path, left_behind, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead = left_behind("dead")
    with demo_folder() as folder:
        assert not dead.exists()
        assert [path.name for path in tmp_path.iterdir()] == [folder.path.name]
        # A third one finds the second alive.
        remove_stale(tmp_path)
        assert folder.path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_any_process_of_its_demo_holds_stays(tmp_path, left_behind):
    folder = left_behind("living")
    with (folder / "alive").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        remove_stale(tmp_path)
        assert folder.exists()
    remove_stale(tmp_path)
    assert not folder.exists()


def test_what_is_no_demos_folder_stays(tmp_path, left_behind):
    (tmp_path / f"{PREFIX}notes").mkdir()
    (tmp_path / f"{PREFIX}file").write_text("alive")
    elsewhere = tmp_path / "elsewhere"
    left_behind("x").rename(elsewhere)
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    remove_stale(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "elsewhere",
        f"{PREFIX}file",
        f"{PREFIX}link",
        f"{PREFIX}notes",
    ]
    assert (elsewhere / "cache" / "rules").exists()
