"""``import --from``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FILES = Path(__file__).parent.parent / "operations" / "foreign"


def test_flags_of_unleash_are_taken_over_and_what_is_not_is_listed(flags: Any):
    file = str(FILES / "unleash.json")
    shown = flags("import", "--from", "unleash", file, "--dry-run")
    assert shown.code == 0
    assert "= pos.lite is there already, and left alone" in shown.out
    assert "+ pos.tips is new  raises exposure" in shown.out
    assert "! line 12, darkMode: its name isn't like domain.feature" in shown.out
    assert "nothing was changed (dry run)" in shown.out
    done = flags("import", "--from", "unleash", file, "--json").json
    assert done["known"] == ["pos.lite"]
    assert done["result"]["changed"] == 8
    assert flags("get", "pos.tips", "--json").json["flag"]["current_state"] == "on"
    log = flags("history", "pos.tips", "--json").json["changes"]
    assert log[0]["change_reason"].startswith("imported from ")
    again = flags("import", "--from", "unleash", file)
    assert (again.code, "nothing to take over" in again.out) == (0, True)


def test_flags_of_flagd_make_a_new_store(fc: Any, home: Path):
    store = ("--store", f"sqlite:{home / 'new.db'}")
    assert fc("import", "--from", "flagd", str(FILES / "flagd.json"), "--dry-run", *store).code == 3, (
        "a look makes none"
    )
    done = fc("import", "--from", "flagd", str(FILES / "flagd.json"), "--yes", "we moved", *store)
    assert (done.code, "8 taken over as one set" in done.out) == (0, True)
    assert fc("get", "pos.share", "--json", *store).json["flag"]["current_state"] == "off"
    assert fc("import", "--from", "launchdarkly", "x").code == 2
    assert fc("import", "--from", "flagd", "nowhere.json").code == 2
