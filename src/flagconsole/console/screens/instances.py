"""Instances: the running SDKs, which revision each has confirmed, and who is behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from flagconsole.console import filtering
from flagconsole.console.ages import age_role, age_text, ago, ago_words
from flagconsole.console.arrival import CANT_CONFIRM, arrival
from flagconsole.console.glyphs import DONE, EMPTY, FULL
from flagconsole.console.line import BLANK, Line, cell, line, spread
from flagconsole.console.rows import InstanceRow
from flagconsole.console.safe import Span, span
from flagconsole.console.screens.console_screen import Handler
from flagconsole.console.screens.list_screen import ListScreen
from flagconsole.console.state import ConsoleState
from flagconsole.console.widgets.list_table import ListTable
from flagconsole.console.widgets.virtual_table import Column
from flagconsole.domain.states import FlagState

#: The most worrying first: who may still serve an old state, and isn't heard from.
_PRESENCE_ORDER: Final = {"silent": 0, "live": 1, "lost": 2, "left": 3}
_PRESENCE_ROLE: Final = {"live": "good", "silent": "warning", "lost": "danger", "left": "muted"}


def behind_of(state: ConsoleState, row: InstanceRow) -> int | None:
    """How many revisions an instance hasn't confirmed, or wasn't told of where it can't confirm; None where it reports of
    another epoch."""
    return max(0, state.revision - row.newest) if row.epoch == state.epoch else None


def urgency(state: ConsoleState, row: InstanceRow) -> tuple[object, ...]:
    """What instances are sorted by: those that a change waits for and that are behind come first."""
    behind = behind_of(state, row)
    late = row.expected and (behind is None or behind > 0)
    return not late, row.status == "ready", _PRESENCE_ORDER.get(row.presence, 0), row.service, row.instance_id


class InstanceTable(ListTable[str, InstanceRow]):
    """The instances by their ids."""

    NOTHING = "no instance"

    def columns(self, width: int) -> Sequence[Column]:
        """The columns."""
        instances = self.console.state.instances
        longest = max(map(len, instances), default=12)
        service = max((len(row.service) for row in instances.values()), default=12)
        sdk = max((len(row.sdk_version) for row in instances.values()), default=8)
        return [
            Column("id", "INSTANCE", max(12, min(longest, 30)), grows=True),
            Column("service", "SERVICE", 12 if width < 100 else 16, spare=1, most=min(service, 30)),
            Column("presence", "PRESENCE", 8),
            Column("revision", "REV", 6, right=True),
            Column("behind", "BEHIND", 9, right=True),
            Column("seen", "HEARD", 5, right=True),
            Column("status", "STATUS", 6, spare=2),
            Column("transport", "VIA", 7, spare=3),
            Column("sdk", "SDK", 8, spare=4, most=min(sdk, 30)),
        ]

    def found(self, key: str) -> InstanceRow | None:
        """One instance."""
        return self.console.state.instances.get(key)

    def cell_of(self, row: InstanceRow, column: Column) -> Span:
        """What it says in a column."""
        state, width = self.console.state, column.width
        match column.id:
            case "id":
                return cell(row.instance_id, width, "strong")
            case "service":
                return cell(row.service, width)
            case "presence":
                return cell(row.presence, width, _PRESENCE_ROLE.get(row.presence, "warning"))
            case "revision":
                return cell(row.newest, width, right=True)
            case "behind":
                return self._behind(state, row, width)
            case "seen":
                age = self.console.server_now() - row.last_seen
                return cell(ago(age), width, age_role(age) if row.expected else "muted", right=True)
            case "status":
                return cell(row.status or "–", width, "plain" if row.status == "ready" else "danger")
            case "transport":
                return cell(row.transport, width, "muted")
            case _:
                return cell(row.sdk_version, width, "muted")

    @staticmethod
    def _behind(state: ConsoleState, row: InstanceRow, width: int) -> Span:
        behind = behind_of(state, row)
        if behind is None:
            return cell("! epoch", width, "danger", right=True)
        if not behind and not row.can_confirm:
            return cell("~ told", width, "warning" if row.expected else "muted", right=True)
        if not behind:
            return cell(f"{DONE} none", width, "good" if row.expected else "muted", right=True)
        return cell(f"! {behind}", width, "danger" if row.expected else "muted", right=True)

    def none_yet(self) -> Sequence[Line]:
        """Why there are none, and what to do."""
        return [
            line("  no SDK has reported yet: a service appears here once it runs the SDK with a key of the role sdk"),
            line(span("  flagconsole keys create NAME --role sdk", "key")),
        ]


class InstancesScreen(ListScreen):
    """Who runs."""

    name_in_keymap = "instances"
    table: InstanceTable

    def __init__(self) -> None:
        self.table = InstanceTable(self.row_changed)
        super().__init__()

    @property
    def filter_hint(self) -> str:
        """What can be typed."""
        return "text  !text  service:pos  presence:silent  behind:yes  via:polling  status:error"

    def title_line(self, width: int) -> Line:
        """How many have the newest revision, as a count and as a bar."""
        state = self.console.state
        found = arrival(state.instances.values(), state.epoch, state.revision)
        done, running = len(found.confirmed), found.able + len(found.told)
        size = min(found.able, 24)
        bar = FULL * (size * done // found.able) if found.able else ""
        role = "good" if not found.behind else "warning"
        right = f"{len(state.instances) - running} lost or left " if len(state.instances) > running else ""
        left = line(
            span(" INSTANCES ", "header"),
            span(f"{done}/{found.able}", role),
            span(f" have rev {state.revision}  "),
            span(bar + EMPTY * (size - len(bar)), role),
            span(f"  + {len(found.told)} {CANT_CONFIRM}" if found.told else "", "warning"),
        )
        return spread(left, line(span(right, "muted")), width)

    def refill(self) -> None:
        """Those that pass the filter, the most worrying first."""
        state, words = self.console.state, filtering.words_of(self.filter_text)
        rows = [row for row in state.instances.values() if filtering.passes(words, _text(row), _fields(state, row))]
        keys = [row.instance_id for row in sorted(rows, key=lambda row: urgency(state, row))]
        self.table.fill(keys, len(state.instances), self.filter_text)

    def pane_lines(self, width: int) -> Sequence[Line]:
        """The instance under the cursor, and its service."""
        state, now = self.console.state, self.console.server_now()
        row = state.instances.get(self.table.selected or "")
        if row is None:
            return []
        seen, behind = now - row.last_seen, behind_of(state, row)
        rows = [
            line(span(row.instance_id, "strong")),
            line(
                span(row.service), span(f" · SDK {row.sdk_version} · by {row.transport or 'no transport yet'}", "muted")
            ),
            line(
                span(row.presence, _PRESENCE_ROLE.get(row.presence, "warning")),
                span(f"  heard from {ago_words(seen)}", age_role(seen) if row.expected else "muted"),
            ),
        ]
        if not row.can_confirm:
            rows += _mute(state, row, behind)
        confirmed = "" if row.received_at is None else f", confirmed {ago_words(now - row.received_at)}"
        if behind is None:
            rows.append(line(span("! reports of another epoch: it has not read this store since a restore", "danger")))
        elif row.can_confirm:
            rows.append(line(span(f"at rev {row.revision} of {state.revision}{confirmed}")))
        if behind:
            rows += _unconfirmed(state, row)
        service = [item for item in state.instances.values() if item.service == row.service and item.expected]
        found = arrival(service, state.epoch, state.revision)
        rows += [BLANK, line(span("ITS SERVICE", "header"))]
        if found.able:
            rows.append(line(span(f"{len(found.confirmed)} of {found.able} instances have rev {state.revision}")))
        if found.told:
            rows.append(line(span(f"{len(found.told)} {CANT_CONFIRM}", "warning")))
        versions = Counter(item.sdk_version for item in service)
        rows.append(
            line(span("SDK " + ", ".join(f"{name} ×{count}" for name, count in sorted(versions.items())), "muted"))
        )
        if row.expected and (behind is None or behind):
            rows += [BLANK, *_what_to_do(row, seen)]
        return rows

    def own_handlers(self) -> Mapping[str, Handler]:
        """None of its own."""
        return {}

    def copyable(self) -> str:
        """Who is behind, else the instance under the cursor."""
        state = self.console.state
        late = arrival(state.instances.values(), state.epoch, state.revision).behind
        if late:
            rows = [f"{row.instance_id}\t{row.service}\trev {row.newest}" for row in late]
            return "\n".join([f"behind rev {state.revision}:", *rows])
        return self.table.selected or ""


def _mute(state: ConsoleState, row: InstanceRow, behind: int | None) -> list[Line]:
    """Of a client that gives no receipts: what it was sent, and that more can't be known."""
    told = f"told of rev {row.newest} of {state.revision}"
    return [
        line(span(told if behind is not None else "not told of anything yet", "warning" if not behind else "danger")),
        line(span("An Unleash client on a stream gives no receipt:", "muted")),
        line(span("a change counts as told once its stream took it;", "muted")),
        line(span("what it serves isn't known here. One that polls confirms.", "muted")),
    ]


def _unconfirmed(state: ConsoleState, row: InstanceRow) -> list[Line]:
    """Which changes it may not have: a kill among them is said first."""
    missed = [change for change in state.history if change.change_id > row.newest]
    kills = [change for change in missed if change.action == "killed"]
    rows = [
        line(span(f"! may not have the kill of {change.flag_name}", "danger"))
        for change in kills[:3]
        if (flag := state.flags.get(change.flag_name)) is not None and flag.state is FlagState.KILL
    ]
    names = sorted({change.flag_name for change in missed})
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        rows.append(line(span(f"unconfirmed: {', '.join(names[:3])}{more}", "warning")))
    return rows


def _what_to_do(row: InstanceRow, seen: float) -> list[Line]:
    if row.presence == "silent":
        return [
            line(span(f"Silent for {age_text(seen)}: it may still serve the old state.", "warning")),
            line(span("Look whether the process runs; it is waited for ten minutes.", "muted")),
        ]
    if row.transport == "polling":
        return [line(span("It polls: it has the change at its next poll.", "muted"))]
    return [line(span("It is heard from but hasn't confirmed yet.", "muted"))]


def _text(row: InstanceRow) -> str:
    return f"{row.instance_id} {row.service}".casefold()


def _fields(state: ConsoleState, row: InstanceRow) -> filtering.Fields:
    return {
        "service": (row.service.casefold(),),
        "presence": (row.presence,),
        "via": (row.transport,),
        "status": (row.status,),
        "sdk": (row.sdk_version,),
        "behind": ("yes" if behind_of(state, row) != 0 else "no" if row.can_confirm else "told",),
    }
