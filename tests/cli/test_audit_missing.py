"""``audit missing``: what an older backup that took the store's place has lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any


def test_a_restored_store_tells_which_kills_it_lacks_until_they_are_made_again(
    flags: Any, store_path: Path, tmp_path: Path
):
    backup, log = tmp_path / "backup.db", str(tmp_path / "log.jsonl")
    shutil.copy(store_path, backup)
    assert flags("kill", "pos.lite", "it's charging twice\u202e").code == 0
    assert flags("set", "invoices.write", "on", "later").code == 0
    assert flags("keys", "create", "ci", "--role", "sdk").code == 0
    assert flags("audit", "export", log).code == 0
    whole = flags("audit", "missing", log)
    assert (whole.code, whole.err) == (0, "")
    assert "nothing is missing" in whole.out

    here = ("--store", f"sqlite:{tmp_path / 'restored.db'}")
    assert flags("migrate", "--from", f"sqlite:{backup}", "--to", here[1], "--new-lineage").code == 0
    lacking = flags("audit", "missing", log, *here)
    assert lacking.code == 4
    what = [line.split()[2] for line in lacking.out.splitlines()[1:]]
    assert what[:2] == ["pos.lite", "invoices.write"]
    assert what[2].startswith("key-")  # made after the backup, so it opens nothing here
    assert "  flagconsole kill pos.lite 'it'\"'\"'s charging twice\\u{202e}'\n" in lacking.err
    assert "\u202e" not in lacking.out + lacking.err
    told = flags("audit", "missing", log, "--json", *here)
    assert told.code == 4
    assert [change["change_id"] for change in told.json["missing"]] == [28, 29]
    assert [change["flag_name"] for change in told.json["kill_again"]] == ["pos.lite"]

    assert flags("kill", "pos.lite", "again", *here).code == 0
    done = flags("audit", "missing", log, *here)
    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) == 4


def test_a_log_that_was_cut_or_edited_is_refused(flags: Any, tmp_path: Path):
    log = tmp_path / "log.jsonl"
    assert flags("audit", "export", str(log)).code == 0
    whole = log.read_text()
    for broken in ("".join(whole.splitlines(True)[:-1]), whole.replace("ai.core", "ai.corn", 1), "no log\n"):
        assert broken != whole
        log.write_text(broken)
        refused = flags("audit", "missing", str(log))
        assert (refused.code, refused.out) == (2, ""), refused.err
