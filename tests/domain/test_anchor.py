"""Anchors find what the log alone can't show; the chain itself names the first bad entry of everything else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flagconsole.domain.anchor import Anchor, anchor_key, anchor_line, read_anchors, verify_log
from flagconsole.domain.audit import GENESIS, hash_of
from flagconsole.domain.change import Action, Change, ChangeType
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.log_export import LogHead, dump_log, read_log

KEY = b"kept by somebody else"
AT = datetime(2026, 11, 22, 3, tzinfo=UTC)


def chained(reasons: list[str], *, first: int = 1, after: str = GENESIS) -> list[Change]:
    log: list[Change] = []
    for number, reason in enumerate(reasons, start=first):
        change = Change(
            change_id=number,
            epoch="e1",
            flag_name="pos.lite",
            action=Action.SET,
            change_type=ChangeType.MANUAL,
            new={"current_state": "off"},
            change_reason=reason,
            changed_by="ada",
            changed_at=AT + timedelta(minutes=number),
            version=number,
            previous_hash=log[-1].hash if log else after,
            hash="",
        )
        log.append(change.model_copy(update={"hash": hash_of(change)}))
    return log


LOG = chained([f"reason {number}" for number in range(1, 11)])


def anchor(revision: int) -> Anchor:
    made = Anchor(environment="production", epoch="e1", revision=revision, audit_hash=LOG[revision - 1].hash, at=AT)
    return made.signed(KEY)


def found(log: list[Change], anchors: list[Anchor] | None = None):
    """What verifying says of an exported log, whose head was made to fit."""
    head = LogHead(epoch="e1", head_revision=log[-1].change_id, head_hash=log[-1].hash)
    kept, changes = read_log("".join(dump_log(head, log)).splitlines(), "export")
    return verify_log(changes, kept.head_revision, kept.head_hash, anchors or [])


def test_a_log_that_nobody_touched_holds():
    report = found(LOG, [anchor(3), anchor(10)])
    assert (report.verified, report.entries, report.head_hash) == (True, 10, LOG[-1].hash)


edited = [*LOG[:4], LOG[4].model_copy(update={"change_reason": "a nicer one"}), *LOG[5:]]
rehashed = LOG[4].model_copy(update={"changed_by": "nobody"})
rehashed = rehashed.model_copy(update={"hash": hash_of(rehashed)})
forged = chained(["slipped in"], first=6, after=LOG[4].hash)[0]


@pytest.mark.parametrize(
    ("log", "entry"),
    [
        (edited, 5),
        ([*LOG[:4], rehashed, *LOG[5:]], 6),
        ([*LOG[:4], *LOG[5:]], 5),
        ([*LOG[:3], LOG[4], LOG[3], *LOG[5:]], 4),
        ([*LOG[:5], forged, *LOG[5:]], 6),
        ([*LOG[:5], LOG[4], *LOG[5:]], 5),
        (LOG[1:], 1),
    ],
    ids=["edit", "edit with its own hash", "delete", "swap", "insert", "twice", "first one gone"],
)
def test_the_first_bad_entry_is_named(log, entry):
    for anchors in ([], [anchor(2), anchor(10)]):
        report = found(log, anchors)
        assert (report.verified, report.first_broken) == (False, entry), report.problem


def test_only_anchors_find_a_tail_that_was_cut_off():
    assert found(LOG[:6]).verified
    report = found(LOG[:6], [anchor(2), anchor(6), anchor(9)])
    assert (report.verified, report.first_broken) == (False, 7)
    assert "ends at 6, but entry 9 was anchored" in report.problem


def test_only_anchors_find_a_chain_that_was_written_anew():
    anew = LOG[:4] + chained(["never happened"] * 6, first=5, after=LOG[3].hash)
    assert found(anew).verified
    report = found(anew, [anchor(3), anchor(8)])
    assert (report.verified, report.first_broken) == (False, 4)
    assert "written anew" in report.problem


def test_anchors_are_signed_and_every_line_is_looked_at():
    text = anchor_line(anchor(3)) + anchor_line(anchor(8))
    assert [item.revision for item in read_anchors(text, KEY, "anchors")] == [3, 8]
    for wrong in (text.replace('"revision": 8', '"revision": 7'), text.replace("production", "staging")):
        with pytest.raises(InvalidInput, match=r"anchors line [12]: is not signed"):
            read_anchors(wrong, KEY, "anchors")
    with pytest.raises(InvalidInput, match="line 1"):
        read_anchors(text, b"another key altogether", "anchors")
    with pytest.raises(InvalidInput, match="line 3"):
        read_anchors(text + "{}\n", KEY, "anchors")
    for short in (None, "", "short"):
        with pytest.raises(InvalidInput, match="FLAGCONSOLE_ANCHOR_KEY"):
            anchor_key(short)


def test_an_export_that_is_none_is_refused_by_line():
    lines = list(dump_log(LogHead(epoch="e1", head_revision=2, head_hash="x"), LOG[:2]))
    for number, broken in ((1, "{}"), (3, "{"), (2, lines[1].replace('"version"', '"extra": 1, "version"'))):
        wrong = [*lines[: number - 1], broken, *lines[number:]]
        with pytest.raises(InvalidInput, match=f"line {number}"):
            read_log(wrong, "export")
