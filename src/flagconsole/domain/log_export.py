"""The audit log as a file: a line with the heads, then one line for each change, then one for each act, oldest first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from flagconsole.domain.act import Act
from flagconsole.domain.audit import GENESIS
from flagconsole.domain.change import Change
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.flag import Frozen

FORMAT: Final = 2
#: Exports of this format tell of changes only.
_WITHOUT_ACTS: Final = 1


class LogHead(Frozen):
    """Where the log was when it was exported."""

    format: int = FORMAT
    epoch: str
    head_revision: int
    head_hash: str
    act_id: int = 0
    act_hash: str = GENESIS


class LogExport(NamedTuple):
    """A whole log. ``acts`` is None in an export that doesn't tell of them."""

    head: LogHead
    changes: Sequence[Change]
    acts: Sequence[Act] | None


def dump_log(log: LogExport) -> Iterator[str]:
    """The lines of the file."""
    yield json.dumps(log.head.model_dump(mode="json")) + "\n"
    for entry in (*log.changes, *(log.acts or ())):
        yield json.dumps(entry.model_dump(mode="json"), ensure_ascii=False) + "\n"


def read_log(lines: Sequence[str], source: str) -> LogExport:
    """The file's heads and entries. Raises ``InvalidInput`` naming the first line that is neither."""
    if not lines:
        raise InvalidInput(field=source, problem="is empty", value="")
    head: LogHead = _read(LogHead, lines[0], f"{source} line 1", "is not the head of an exported log")
    if head.format not in {FORMAT, _WITHOUT_ACTS}:
        problem = f"must have the format {_WITHOUT_ACTS} or {FORMAT}"
        raise InvalidInput(field=f"{source} line 1", problem=problem, value=head.format)
    changes: list[Change] = []
    acts: list[Act] = []
    for number, line in enumerate(lines[1:], start=2):
        where = f"{source} line {number}"
        if head.format == FORMAT and _tells_of_act(line):
            acts.append(_read(Act, line, where, "is not an act of the log"))
        else:
            changes.append(_read(Change, line, where, "is not an entry of the log"))
    return LogExport(head, changes, None if head.format == _WITHOUT_ACTS else acts)


def _tells_of_act(line: str) -> bool:
    try:
        told = json.loads(line)
    except ValueError:
        return False
    return isinstance(told, dict) and "act_id" in told


def _read(kind: Any, line: str, where: str, problem: str) -> Any:
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        raise InvalidInput(field=where, problem=problem, value=line[:100]) from None
