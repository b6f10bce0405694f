"""How an incident stands: one word for each way, the same wherever it is told."""

from __future__ import annotations

from flagconsole.domain.incident_standing import standing_of


def test_every_way_an_incident_can_stand_has_one_word() -> None:
    words = {
        (closed, restored, waits, run): standing_of(closed=closed, restored=restored, waits=waits, run=run).value
        for closed in (True, False)
        for restored in (True, False)
        for waits in (True, False)
        for run in (None, "running", "done", "stopped", "expired")
    }
    assert {words[True, restored, waits, run] for _, restored, waits, run in words} == {"closed"}
    assert {words[False, restored, True, run] for _, restored, _, run in words} == {"needs you"}
    assert words[False, True, False, "expired"] == "restored"
    assert words[False, False, False, "expired"] == words[False, True, False, "stopped"] == "needs you"
    assert words[False, False, False, None] == words[False, False, False, "running"] == "not restored"
