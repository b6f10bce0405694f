"""``list --stale``: the flags that are due for removal, why, and where the code still names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagconsole.cli.invocation import Invocation
from flagconsole.cli.output import age, print_json, print_table, state_cell, talk

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.table import Cell
    from flagconsole.cli.target import Target
    from flagconsole.domain.stale import StaleFlag, StaleList
    from flagconsole.domain.states import FlagState

#: Places in the code that are named in the table; all of them are in the JSON.
_PLACES = 3


def show_stale(
    invocation: Invocation, domain: str | None, state: FlagState | None, unused_days: int | None, code: str | None
) -> None:
    """Print the stale flags of a domain or state, or all."""
    from flagconsole.domain.stale import UNUSED_DAYS

    async def work(backend: Backend, target: Target) -> StaleList:
        return await backend.stale(unused_days or UNUSED_DAYS)

    found = invocation.run(work)
    flags = tuple(flag for flag in found.flags if _wanted(flag, domain, state))
    places = None
    if code is not None:
        from flagconsole.cli.code_references import code_references

        places = code_references(code, [flag.flag_name for flag in flags])
    if invocation.as_json:
        more = {} if places is None else {"code": places}
        print_json(found.model_copy(update={"flags": flags}), **more)
        return
    if flags:
        _print(flags, found, places)
    else:
        talk("no flag is stale")
    if not found.measured:
        talk(f"no operations were measured in {found.unused_days} days, so nothing is called unused")


def _wanted(flag: StaleFlag, domain: str | None, state: FlagState | None) -> bool:
    within = domain is None or flag.flag_name.partition(".")[0] == domain
    return within and (state is None or flag.current_state is state)


def _print(flags: tuple[StaleFlag, ...], found: StaleList, places: dict[str, list[str]] | None) -> None:
    rows = []
    for flag in flags:
        since = min(finding.since for finding in flag.findings)
        row: list[Cell | str] = [
            flag.flag_name,
            state_cell(flag.current_state),
            age(since, found.now),
            flag.owner or "–",
        ]
        if places is not None:
            row.append(_places(places[flag.flag_name]))
        row.append("; ".join(finding.words for finding in flag.findings))
        rows.append(row)
    code = [] if places is None else ["IN THE CODE"]
    print_table(["FLAG", "STATE", "STALE FOR", "OWNER", *code, "WHY"], rows)


def _places(found: list[str]) -> str:
    if not found:
        return "nowhere"
    more = f" and {len(found) - _PLACES} more" if len(found) > _PLACES else ""
    return ", ".join(found[:_PLACES]) + more
