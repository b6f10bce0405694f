"""``list --stale``."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_expired_flags_are_listed_with_the_reason_and_the_places_in_the_code(flags: Any, tmp_path: Path):
    assert flags("list", "--stale").err.startswith("no flag is stale")
    flags("create", "exp.banner", "for a test", "--expires-on", "2024-02-29", "--owner", "growth")
    code = tmp_path / "code"
    (code / "node_modules").mkdir(parents=True)
    (code / "app.py").write_text(
        'x = 1\nif flags.is_enabled("exp.banner"):\n    other("exp.banner.more", "my-exp.banner")\n'
    )
    (code / "node_modules" / "copy.js").write_text('"exp.banner"')
    (code / "image.png").write_bytes(b"\0exp.banner")
    shown = flags("list", "--stale", "--code", str(code))
    header, row = shown.out.splitlines()
    assert header.split() == ["FLAG", "STATE", "STALE", "FOR", "OWNER", "IN", "THE", "CODE", "WHY"]
    assert row.startswith("exp.banner")
    assert f"growth  {code / 'app.py'}:2  expired on 2024-02-29" in row
    assert "nothing is called unused" in shown.err
    listed = flags("list", "--stale", "--json", "--code", str(code)).json
    assert [flag["flag_name"] for flag in listed["flags"]] == ["exp.banner"]
    assert listed["code"] == {"exp.banner": [f"{code / 'app.py'}:2"]}
    assert flags("list", "--stale", "--domain", "pos", "--json").json["flags"] == []


def test_wrong_use_is_refused(flags: Any):
    assert flags("list", "--code", ".").code == 2
    flags("create", "exp.banner", "for a test", "--expires-on", "2024-02-29")
    missing = flags("list", "--stale", "--code", "/nowhere/at/all")
    assert (missing.code, "--code: is no file or folder" in missing.err) == (2, True)
