"""One message on its way to a destination: its body, its signature, and what was answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.text import safe_text
from flagconsole.rollout.response import Destination, secret_of
from flagconsole.rollout.signature import signed_headers

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS: Final = 10.0
#: The pause after the first failure, seconds; it doubles up to the longest one, with jitter of up to half of it.
FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 600.0
#: After so many tries (about three hours) a message is given up.
MOST_ATTEMPTS: Final = 25
#: The longest text that Slack takes in one block, in characters.
_SLACK_TEXT: Final = 3000
_SHOWN: Final = 200
_READ: Final = 4096


class Sent(NamedTuple):
    """What became of one try. ``problem`` is None where the receiver took it; ``answer`` is the beginning of what it said."""

    problem: str | None
    status: int | None = None
    answer: str = ""


def pause_after(attempts: int, draw: float) -> float:
    """Seconds to the next try after so many; ``draw`` is from 0 to 1."""
    full = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts - 1, 40))
    return full * (0.5 + draw / 2)


async def send(
    connection: httpx.AsyncClient,
    destination: Destination,
    delivery_id: str,
    payload: Mapping[str, Any],
    secret_env: str | None,
    now: datetime,
) -> Sent:
    """Send it once. No answer says anything of the address or the key: the address of a Slack channel is a secret itself."""
    from httpx import HTTPError

    body = json.dumps(_body(destination, delivery_id, payload), ensure_ascii=False).encode("utf-8", "replace")
    try:
        headers = signed_headers(secret_of(secret_env), int(now.timestamp()), body, delivery_id)
        async with connection.stream(
            "POST", destination.url, content=body, headers=headers, timeout=TIMEOUT_SECONDS
        ) as answer:
            said = await _beginning(answer)
    except InvalidInput as error:
        return Sent(str(error))
    except HTTPError as error:
        return Sent(f"{type(error).__name__}: {safe_text(error, _SHOWN)}")
    problem = None if answer.is_success else f"HTTP status {answer.status_code}"
    return Sent(problem, answer.status_code, said)


async def _beginning(answer: httpx.Response) -> str:
    """The first words of an answer, however long it is."""
    read = b""
    async for part in answer.aiter_bytes():
        read += part
        if len(read) >= _READ:
            break
    return safe_text(read[:_READ].decode("utf-8", "replace").strip(), _SHOWN)


def _body(destination: Destination, delivery_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    if destination.kind == "slack":
        return _slack(str(payload.get("text", "")))
    return {"delivery_id": delivery_id, **payload}


def _slack(text: str) -> dict[str, Any]:
    """The message that a channel shows, as plain text: nothing in it becomes a link, a mention or bold. ``text`` is what
    notifications show, and there Slack reads ``&``, ``<`` and ``>`` as markup."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = {"type": "plain_text", "text": text[:_SLACK_TEXT] or "–", "emoji": False}
    return {"text": escaped, "blocks": [{"type": "section", "text": shown}]}
