"""``--plan NAME|FILE``: a plan that the server knows by name, or a file read here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.text import safe_text


def asked_plan(flag: str, plan: str | None) -> dict[str, Any]:
    """The fields ``plan_name`` or ``plan`` of a request. Raises ``InvalidInput`` naming file, line and field."""
    from flagconsole.operations.plan_file import SHIPPED, parse_plan

    if plan is None:
        return {}
    if plan in SHIPPED or not (Path(plan).suffix or "/" in plan or Path(plan).exists()):
        return {"plan_name": plan}
    return {"plan": parse_plan(read_text(plan), plan).for_flag(flag)}


def read_text(path: str) -> str:
    """The text of a plan file. Raises ``InvalidInput``."""
    from flagconsole.operations.plan_file import SHIPPED

    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"Shipped plans are {', '.join(SHIPPED)}.",
            field="plan",
            problem="there is no such file" if isinstance(error, FileNotFoundError) else "can't be read",
            value=safe_text(path, 200),
        ) from error
