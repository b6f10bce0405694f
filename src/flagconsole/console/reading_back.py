"""What became of an action whose answer is missing, from what the server has kept alone. Sends nothing that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from flagconsole.console import actions
from flagconsole.console.actions import UNSPREAD, Action, Kind
from flagconsole.console.rollouts import rollout_row, story_of
from flagconsole.console.rows import ChangeRow, change_row, flag_row
from flagconsole.console.sending import standing_words

if TYPE_CHECKING:
    from flagconsole.domain.rollout_views import RolloutDetail
    from flagconsole.domain.views import FlagDetail, HistoryPage

#: The entries of the log that each kind of action can leave.
_LEAVES: Final = {
    Kind.KILL: {"killed"},
    Kind.REVIVE: {"revived"},
    Kind.ROLLBACK: {"rolled_back"},
    Kind.REVERT: {"rolled_back"},
    Kind.PLAYBOOK: {"rolled_back", "killed"},
    Kind.SET: {"set", "killed"},
    Kind.OVERRIDE: {"override_set", "override_removed"},
    Kind.START: {"set"},
    Kind.PROMOTE: {"set"},
}


class Recorder(Protocol):
    """What is needed of a client to read back."""

    async def flag(self, name: str) -> FlagDetail:
        """One flag."""
        ...

    async def history(
        self, flag_name: str | None = None, *, limit: int = 100, before: int | None = None
    ) -> HistoryPage:
        """The changes of one flag, or of all, newest first."""
        ...

    async def rollout(self, name: str) -> RolloutDetail:
        """A flag's newest rollout with its steps."""
        ...


async def read_back(client: Recorder, action: Action, base_epoch: str, at: float) -> Action:
    """The action accepted, rejected, or unknown still; ``at`` is the monotonic time. Raises what the client raises."""
    many = action.kind is Kind.REVERT
    page = await client.history(None if many else action.flag_name, limit=200)
    if page.epoch != base_epoch:
        return actions.unknown(action, "the store was restored from another past: read the history")
    if action.kind in UNSPREAD | {Kind.START}:
        found = await _of_rollout(client, action, at, page.epoch)
        if found is not None or action.kind in UNSPREAD:
            return found or actions.rejected(action, "not among the rollout's steps, so it never took effect")
    flag = flag_row((await client.flag(action.flag_name)).flag.model_dump(mode="json"))
    after = flag.setting
    for change in page.changes:
        row = change_row(change.model_dump(mode="json"))
        if row.change_id > action.base_revision and _is_of(row, action):
            return actions.accepted(action, at, page.epoch, row.change_id, changed=True, after=row.after)
    if many and page.changes and page.changes[-1].change_id > action.base_revision + 1:
        return actions.unknown(action, "too much has changed since: read the history")
    if action.kind is Kind.KILL and after == "kill":
        return actions.accepted(action, at, page.epoch, page.revision, changed=False, after=after)
    return actions.rejected(action, f"not in the store's log, so it never took effect: it is {flag.standing}")


def _is_of(row: ChangeRow, action: Action) -> bool:
    """Whether a change is what the action would have left. Going past a verdict is added to a promotion's reason."""
    if action.kind is Kind.REVERT:
        undone = not set(row.reverts).isdisjoint(action.asked.changes)
        return row.action in _LEAVES[action.kind] and undone and row.reason == action.reason
    if row.action not in _LEAVES.get(action.kind, ()) or row.tenant_id != action.asked.tenant_id:
        return False
    if action.kind is Kind.ROLLBACK and action.asked.tenant_id is None and row.reason == action.reason:
        return True
    return row.reason == action.reason or (action.kind is Kind.PROMOTE and row.reason.startswith(f"{action.reason} ("))


async def _of_rollout(client: Recorder, action: Action, at: float, epoch: str) -> Action | None:
    """The action as the rollout's steps tell it; None where they don't."""
    detail = (await client.rollout(action.flag_name)).model_dump(mode="json")
    if detail.get("rollout") is None:
        return None
    row = rollout_row(detail["rollout"])
    begins = {Kind.HOLD: "hold ", Kind.RESUME: "resume "}.get(action.kind)
    steps = [
        step
        for step in story_of(detail).steps
        if begins is not None
        and step.step.startswith(begins)
        and step.note == action.reason
        and step.at >= action.begun_at - 5
    ]
    ended = action.kind is Kind.ABORT and row.status == "aborted" and row.end_reason == action.reason
    started = action.kind is Kind.START and row.started_at >= action.begun_at - 5
    if steps or ended:
        return actions.accepted(action, at, "", 0, changed=True, after=standing_words(row))
    if started:
        flag = await client.flag(action.flag_name)
        last = flag_row(flag.flag.model_dump(mode="json"))
        revision = 0 if last.last is None else last.last.change_id
        return actions.accepted(action, at, epoch, revision, changed=True, after=last.setting)
    return None
