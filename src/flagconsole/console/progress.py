"""How far an action is, in words: for its sheet and for the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from flagconsole.console.actions import PARTIAL_AFTER, UNSPREAD, Action, Kind, Stage
from flagconsole.console.ages import clock_text, milliseconds_text, precise_text
from flagconsole.console.arrival import CANT_CONFIRM
from flagconsole.console.figures import metric_label, with_unit
from flagconsole.console.glyphs import ARROW, DONE, EMPTY, FAILED, FULL
from flagconsole.console.line import Line, cell, joined, line, line_width, wrapped
from flagconsole.console.rollouts import kind_of
from flagconsole.console.safe import span

VERB = {
    Kind.KILL: "KILL",
    Kind.REVIVE: "REVIVE",
    Kind.ROLLBACK: "ROLLBACK",
    Kind.PLAYBOOK: "ROLLBACK",
    Kind.REVERT: "UNDO SET",
    Kind.SET: "SET",
    Kind.OVERRIDE: "OVERRIDE",
    Kind.START: "START ROLLOUT",
    Kind.PROMOTE: "PROMOTE",
    Kind.HOLD: "HOLD",
    Kind.RESUME: "RESUME",
    Kind.ABORT: "ABORT ROLLOUT",
}


def ledger_line(action: Action, now: float) -> Line:
    """An action with its stage in one row; ``now`` is monotonic."""
    return line(
        " ",
        span(clock_text(action.begun_at), "muted"),
        " ",
        span(VERB[action.kind], "strong"),
        " ",
        span(subject_of(action)),
        "  ",
        *_stage(action, now),
    )


def subject_of(action: Action) -> str:
    """What the action is about: its flag, or how many changes it undoes."""
    count = len(action.asked.changes)
    return f"{action.flag_name} and {count - 1} more" if count > 1 else action.flag_name


def progress_lines(action: Action, width: int, now: float, most: int | None = None) -> list[Line]:
    """An action's walk from being sent to being confirmed everywhere, a row for each step; ``now`` is monotonic. At most
    ``most`` rows name instances."""
    rows = [line(span("REASON  ", "header"), span(action.reason))]
    if action.stage is Stage.INTENT:
        return [*rows, line(span("· writing it into the journal", "muted"))]
    begun = joined([_sent(action), _accepted(action)])
    if action.stage is Stage.REJECTED:
        head = line(span(f"{FAILED} REJECTED", "danger"), "  nothing was changed")
        return [*rows, begun, head, *wrapped(action.message, width, "danger", most=3)]
    if action.stage is Stage.UNKNOWN:
        again = (
            f"asked {action.attempts}×, always with the same key" if not action.earlier else "read back from the log"
        )
        head = line(span("? UNKNOWN", "warning"), f"  whether it took effect; {again}")
        return [*rows, begun, head, *wrapped(action.message, width, "warning", most=3)]
    if action.accepted_at is None:
        return [*rows, begun, line(span(f"· waiting for the server {_since(action, now)}", "muted"))]
    rows.append(begun)
    if action.kind in UNSPREAD:
        done = line(span(f"{DONE} {action.after}", "good"))
        return [*rows, done, line(span("  the flag is as it was: instances have nothing to do", "muted"))]
    if action.expected:
        rows.append(_bar(action, width, now))
    elif not action.told:
        rows.append(line(span("· no running SDK is known, so nobody can confirm it", "warning")))
    rows += _told(action, width)
    if action.expected:
        rows += _at_most(_instances(action, width), most)
    return [*rows, *effect_lines(action, width)] if action.metric and action.changed else rows


def effect_lines(action: Action, width: int) -> list[Line]:
    """The metric before and after, each with its group and over how long it was measured, and what the judge had seen of it
    over the phase. What isn't measured yet is said to be missing."""
    effect = action.effect
    label = span(metric_label(action.metric, kind_of(action.metric), unit=False))
    if effect is None or effect.after is None:
        known = "" if effect is None or effect.before is None else f"{with_unit(effect.before, effect.kind)} {ARROW} "
        waiting = span("waiting for data since the change" if known else "waiting for data", "muted")
        head = line(span("· EFFECT ", "muted"), label, span(f"  {known}", "strong"), waiting)
    else:
        head = line(
            span(f"{DONE} EFFECT ", "good"),
            label,
            span(f"  {with_unit(effect.before, effect.kind)} {ARROW} {with_unit(effect.after, effect.kind)}", "strong"),
        )
    measured, judged = _measured_words(action), _judged_words(action)
    for words in filter(None, ("; ".join(filter(None, (measured, judged))), measured)):
        if line_width(head) + len(words) + 3 <= width:
            return [line(*head, span(f"   {words}", "muted"))]
        if len(words) + 2 <= width:
            return [head, line(span(f"  {words}", "muted"))]
    return [head]


def _measured_words(action: Action) -> str:
    """Of whom the numbers are, and over how long."""
    effect = action.effect
    if effect is None:
        return ""
    group, seconds = effect.before_group, effect.before_seconds
    if effect.after is None:
        return f"{_group_words(group)}, {seconds:.0f} s before" if effect.before is not None else ""
    before = f"{_group_words(group)}, {seconds:.0f} s before" if effect.before is not None else _group_words("")
    return f"{before} {ARROW} {_group_words(effect.after_group)}, {effect.after_seconds:.0f} s since"


def _judged_words(action: Action) -> str:
    """What the judge had seen when the action was decided on: the number that the fleet showed."""
    if action.judged is None:
        return ""
    return f"the judge saw {with_unit(action.judged, kind_of(action.metric))}"


def _group_words(group: str) -> str:
    return {"": "nobody measured", "on": "everyone", "off": "everyone, off"}.get(group, group)


def _short_effect(action: Action) -> Line:
    effect = action.effect
    if effect is None or effect.after is None:
        return ()
    label = metric_label(effect.metric, effect.kind, unit=False)
    return line(
        span(f"  {label} {with_unit(effect.before, effect.kind)} {ARROW} {with_unit(effect.after, effect.kind)}")
    )


def _stage(action: Action, now: float) -> Line:
    done, expected = len(action.confirmed), action.expected
    count = f"{done}/{expected}"
    at_revision = f"rev {action.revision}"
    told = span(f"  {len(action.told)} {CANT_CONFIRM}" if action.told else "", "warning")
    match action.stage:
        case Stage.INTENT:
            return (span("· about to be sent", "muted"),)
        case Stage.SENT:
            return (span(f"· SENT {_since(action, now)}", "muted"),)
        case Stage.ACCEPTED:
            if action.kind in UNSPREAD:
                return line(span(f"{DONE} {action.after}", "good"))
            what = f"{DONE} ACCEPTED {at_revision}" if action.changed else f"{DONE} already so since {at_revision}"
            nobody = "" if expected or action.told else "  no running SDK is known to confirm it"
            return line(span(what, "good"), span(nobody, "warning"), told)
        case Stage.PROPAGATING:
            return line(span(f"PROPAGATING {count}", "warning"), told, span(f"  {at_revision}", "muted"))
        case Stage.CONFIRMED:
            took = f"  {milliseconds_text(action.took)}" if action.took is not None and not action.earlier else ""
            return line(
                span(f"{DONE} CONFIRMED {count}", "good"),
                told,
                span(f"  {at_revision}{took}", "muted"),
                *_short_effect(action),
            )
        case Stage.PARTIAL:
            return line(span(f"! PARTIAL {count}", "danger"), "  behind: ", *_names(action.behind, 2), told)
        case Stage.REJECTED:
            return line(span(f"{FAILED} REJECTED", "danger"), " ", span(action.message))
        case Stage.UNKNOWN:
            return line(span("? UNKNOWN", "warning"), " ", span(action.message))


def _sent(action: Action) -> Line:
    return (span(f"{DONE} SENT {precise_text(action.begun_at)}", "good"),)


def _accepted(action: Action) -> Line:
    if action.accepted_at is None or action.sent_at is None:
        return ()
    if not action.changed:
        return line(span(f"{DONE} already {action.after} since rev {action.revision}: nothing had to change", "good"))
    waited = milliseconds_text(action.accepted_at - action.sent_at)
    if action.kind in UNSPREAD:
        return line(span(f"{DONE} ACCEPTED +{waited}", "good"))
    return line(
        span(f"{DONE} ACCEPTED +{waited}", "good"),
        span(f"  rev {action.revision}  {action.before} {ARROW} {action.after}", "muted"),
    )


def _bar(action: Action, width: int, now: float) -> Line:
    done, expected = len(action.confirmed), action.expected
    cells = max(8, min(expected, 50, width - 40))
    filled = done * cells // expected
    bar = FULL * filled + EMPTY * (cells - filled)
    since = action.accepted_at if action.accepted_at is not None else now
    sent_at = action.sent_at if action.sent_at is not None else since
    match action.stage:
        case Stage.CONFIRMED:
            took = milliseconds_text(action.took or 0.0)
            word = f"{DONE} CONFIRMED {done}/{expected}"
            everyone = "all instances" if not action.told else "all that can confirm"
            return line(span(f"{word}  ", "good"), span(bar, "good"), span(f"  {everyone} in {took}", "strong"))
        case Stage.PARTIAL:
            word = f"! PARTIAL {done}/{expected}"
            return line(span(f"{word}  ", "danger"), span(bar, "danger"), f"  {milliseconds_text(now - sent_at)}")
        case _:
            word = f"· PROPAGATING {done}/{expected}"
            return line(span(f"{word}  ", "warning"), span(bar, "warning"), f"  {milliseconds_text(now - sent_at)}")


def _told(action: Action, width: int) -> list[Line]:
    """Who was sent it and has no way to confirm: neither missing nor done."""
    if not action.told:
        return []
    head = line(span(f"~ {len(action.told)} {CANT_CONFIRM}  ", "warning"), *_names(action.told, 2))
    why = "  an Unleash client on a stream gives no receipt: what it serves isn't known"
    if line_width(head) + len(why) <= width:
        return [line(*head, span(why, "muted"))]
    return [head, line(span(why, "muted"))]


def _instances(action: Action, width: int) -> list[Line]:
    """Who has confirmed and who hasn't, by name; those that are waited for come first."""
    late = action.stage is Stage.PARTIAL
    rows: list[Line] = []
    if late:
        rows.append(line(span(f"  behind for more than {PARTIAL_AFTER:.0f} s:", "danger")))
    named = [(name, "!" if late else "·", "danger" if late else "warning") for name in action.behind]
    named += [(name, DONE, "good") for name in action.confirmed]
    size = min(30, max((len(span(name).text) for name, _, _ in named), default=1)) + 3
    across = max(1, (width - 2) // size)
    for start in range(0, len(named), across):
        parts = [cell(f"{mark} {name}", size - 1, role) for name, mark, role in named[start : start + across]]
        rows.append(line("  ", *joined([(part,) for part in parts], " ")))
    return rows


def _at_most(rows: list[Line], most: int | None) -> list[Line]:
    """The first rows; how many names those that are left out have is said."""
    if most is None or len(rows) <= most:
        return rows
    left = sum(len([part for part in row if part.text.strip()]) for row in rows[most:])
    return [*rows[:most], line(span(f"    and {left} more", "muted"))]


def _names(names: Sequence[str], most: int) -> Line:
    shown = [span(name, limit=60) for name in names[:most]]
    parts = joined([(name,) for name in shown], ", ")
    more = len(names) - len(shown)
    return (*parts, span(f" and {more} more", "muted")) if more else parts


def _since(action: Action, now: float) -> str:
    return milliseconds_text(now - action.sent_at) if action.sent_at is not None else ""
