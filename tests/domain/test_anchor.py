"""Anchors find what the log alone can't show; the chain itself names the first bad entry of everything else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flagconsole.domain.act import Act, ActDraft, ActKind, sealed
from flagconsole.domain.anchor import Anchor, anchor_key, anchor_line, read_anchors, verify_acts, verify_log
from flagconsole.domain.audit import GENESIS, hash_of
from flagconsole.domain.change import Action, Change, ChangeType
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.log_export import LogExport, LogHead, dump_log, read_log

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
    kept, changes, _ = read_log("".join(dump_log(LogExport(head, log, ()))).splitlines(), "export")
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


def acted(subjects: list[str], *, first: int = 1, after: str = GENESIS) -> list[Act]:
    chain: list[Act] = []
    for number, subject in enumerate(subjects, start=first):
        draft = ActDraft(kind=ActKind.KEY_CREATED, subject=subject, by="ada", at=AT)
        previous = chain[-1].hash if chain else after
        chain.append(sealed(draft, act_id=number, epoch="e1", revision=7, previous_hash=previous))
    return chain


ACTS = acted([f"key-{number}" for number in range(1, 9)])


def knowing(act_id: int) -> Anchor:
    known = {"act_id": act_id, "act_hash": ACTS[act_id - 1].hash}
    return anchor(10).model_copy(update=known).signed(KEY)


def found_in_acts(acts: list[Act], anchors: list[Anchor]):
    """What verifying says of an export with these acts, whose head was made to fit."""
    head = LogHead(epoch="e1", head_revision=10, head_hash=LOG[-1].hash, act_id=len(acts), act_hash=acts[-1].hash)
    export = read_log("".join(dump_log(LogExport(head, LOG, acts))).splitlines(), "export")
    assert verify_log(export.changes, 10, LOG[-1].hash, anchors).verified
    return verify_acts(export.acts, export.head.act_id, export.head.act_hash, anchors)


edited_act = [*ACTS[:3], ACTS[3].model_copy(update={"details": {"role": "viewer"}}), *ACTS[4:]]
inserted_act = acted(["a forged one"], first=4, after=ACTS[2].hash)


@pytest.mark.parametrize(
    ("acts", "act"),
    [
        (edited_act, 4),
        ([*ACTS[:3], *ACTS[4:]], 4),
        ([*ACTS[:2], ACTS[3], ACTS[2], *ACTS[4:]], 3),
        ([*ACTS[:3], *inserted_act, *ACTS[3:]], 4),
        (ACTS[1:], 1),
    ],
    ids=["edit", "delete", "swap", "insert", "first one gone"],
)
def test_the_first_bad_act_is_named(acts, act):
    for anchors in ([], [knowing(8)]):
        report = found_in_acts(acts, anchors)
        assert report is not None
        assert (report.verified, report.first_broken in {act, act + 1}) == (False, True), report


def test_only_anchors_find_acts_that_were_cut_off_or_written_anew():
    cut, anew = ACTS[:5], ACTS[:5] + acted(["never happened"] * 3, first=6, after=ACTS[4].hash)
    for acts, said in ((cut, "the log ends at 5, but entry 8 was anchored"), (anew, "written anew")):
        assert found_in_acts(acts, []).verified
        report = found_in_acts(acts, [knowing(5), knowing(8)])
        assert (report.verified, report.first_broken) == (False, 6)
        assert said in report.problem


def test_an_export_without_acts_is_told_from_one_whose_acts_were_left_out():
    head = LogHead(format=1, epoch="e1", head_revision=10, head_hash=LOG[-1].hash)
    old = read_log("".join(dump_log(LogExport(head, LOG, None))).splitlines(), "export")
    assert old.acts is None
    assert verify_acts(old.acts, 0, GENESIS, [anchor(3)]) is None
    left_out = verify_acts(old.acts, 0, GENESIS, [knowing(8)])
    assert left_out is not None
    assert (left_out.verified, left_out.first_broken) == (False, 1)


def test_an_anchor_of_an_older_version_is_still_signed():
    older = anchor(3)
    assert '"act_id"' not in anchor_line(older)
    assert read_anchors(anchor_line(older) + anchor_line(knowing(4)), KEY, "anchors")[1].act_id == 4
    forged = anchor_line(knowing(4)).replace('"act_id": 4', '"act_id": 3')
    with pytest.raises(InvalidInput, match="is not signed"):
        read_anchors(forged, KEY, "anchors")


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
    lines = list(dump_log(LogExport(LogHead(epoch="e1", head_revision=2, head_hash="x"), LOG[:2], ())))
    for number, broken in ((1, "{}"), (3, "{"), (2, lines[1].replace('"version"', '"extra": 1, "version"'))):
        wrong = [*lines[: number - 1], broken, *lines[number:]]
        with pytest.raises(InvalidInput, match=f"line {number}"):
            read_log(wrong, "export")
