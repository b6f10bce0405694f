"""The audit log as a file: a line with the head, then one line for each entry, oldest first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import ValidationError

from flagconsole.domain.change import Change
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.flag import Frozen

FORMAT: Final = 1


class LogHead(Frozen):
    """Where the log was when it was exported."""

    format: int = FORMAT
    epoch: str
    head_revision: int
    head_hash: str


def dump_log(head: LogHead, changes: Sequence[Change]) -> Iterator[str]:
    """The lines of the file."""
    yield json.dumps(head.model_dump(mode="json")) + "\n"
    for change in changes:
        yield json.dumps(change.model_dump(mode="json"), ensure_ascii=False) + "\n"


def read_log(lines: Sequence[str], source: str) -> tuple[LogHead, list[Change]]:
    """The file's head and entries. Raises ``InvalidInput`` naming the first line that is neither."""
    if not lines:
        raise InvalidInput(field=source, problem="is empty", value="")
    head = _read(LogHead, lines[0], f"{source} line 1", "is not the head of an exported log")
    if head.format != FORMAT:
        raise InvalidInput(field=f"{source} line 1", problem=f"must have the format {FORMAT}", value=head.format)
    return head, [
        _read(Change, line, f"{source} line {number}", "is not an entry of the log")
        for number, line in enumerate(lines[1:], start=2)
    ]


def _read(kind: Any, line: str, where: str, problem: str) -> Any:
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        raise InvalidInput(field=where, problem=problem, value=line[:100]) from None
