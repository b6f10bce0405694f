"""What ``list`` prints, asked for in one plain request, or read from the embedded store's file: without the models and the asynchronous client, whose loading takes several
times as long as everything else that the command does.

Whatever isn't an ordinary answer gives None: then the command asks as all others do, with their patience and their errors.
"""

from __future__ import annotations

import http.client
import json
import os
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from flagconsole import __version__
from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.states import FlagState, FlagType

if TYPE_CHECKING:
    from flagconsole.cli.target import Target

#: A server that doesn't answer at once is asked with more patience by who comes after.
SECONDS: Final = 2.0
_MOST_BYTES: Final = 64 * 1024 * 1024
#: With any of these the connection is made in another way than here.
_OTHERWISE: Final = frozenset({"http_proxy", "https_proxy", "all_proxy", "ssl_cert_file", "ssl_cert_dir"})


class ListedChange(NamedTuple):
    """A flag's newest change."""

    changed_at: datetime
    changed_by: str
    change_reason: str


class ListedFlag(NamedTuple):
    """A flag in the list."""

    flag_name: str
    flag_type: FlagType
    current_state: FlagState
    canary_percentage: int
    canary_tenant_ids: tuple[str, ...]
    last_change: ListedChange | None


class ListedEvaluation(NamedTuple):
    """What the tenant gets, and in a word why."""

    state: FlagState
    because: str


class Listing(NamedTuple):
    """All flags, and with a tenant what it gets."""

    now: datetime
    tenant_id: str | None
    flags: tuple[ListedFlag, ...]
    evaluations: dict[str, ListedEvaluation]


def quick_listing(target: Target) -> Listing | None:
    """The listing from the target's server or file; None where it isn't to be had so easily."""
    try:
        if target.url is None:
            return _read(target)
        body = _asked(target.url, target.api_key(), target.tenant)
        return None if body is None else _listing(json.loads(body))
    except (
        FlagConsoleError,
        OSError,
        http.client.HTTPException,
        sqlite3.Error,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
    ):
        return None


def _read(target: Target) -> Listing | None:
    """The listing of an embedded store. What a tenant gets takes an evaluation, and environments have their own files."""
    path = (target.store or "").removeprefix("sqlite:")
    if path == target.store or path.startswith(("//", ":")) or "?" in path:
        return None
    if target.tenant is not None or target.environment is not None or target.context is not None:
        return None
    from flagconsole.store.listed_flags import listed_flags

    found = listed_flags(path)
    return None if found is None else Listing(datetime.now(UTC), None, tuple(map(_stored, found)), {})


def _stored(row: dict[str, Any]) -> ListedFlag:
    last = {name: row[name] for name in ListedChange._fields} if row["changed_at"] is not None else None
    return _flag({**row, "canary_tenant_ids": json.loads(row["canary_tenant_ids"]), "last_change": last})


def _asked(url: str, key: str, tenant: str | None) -> bytes | None:
    """The answer's body, if it is one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    own = host in ("localhost", "::1") or host.startswith("127.")
    if not own and any(name.lower() in _OTHERWISE for name in os.environ):
        return None
    if not all("!" <= char <= "~" for char in key):
        return None
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        import ssl

        import certifi

        trusted = ssl.create_default_context(cafile=certifi.where())
        connection = http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=trusted)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=SECONDS)
    path = f"{parts.path}/api/flags" + ("" if tenant is None else f"?tenant_id={quote(tenant, safe='')}")
    headers = {
        "Authorization": f"Bearer {key}",
        "Accept": "application/json",
        "User-Agent": f"flagconsole/{__version__}",
    }
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        if answer.status != http.client.OK or answer.headers.get_content_type() != "application/json":
            return None
        body = answer.read(_MOST_BYTES + 1)
        return None if len(body) > _MOST_BYTES or answer.length not in (None, 0) else body
    finally:
        connection.close()


def _listing(data: dict[str, Any]) -> Listing:
    """What the answer says. Raises where it is of another shape."""
    flags = tuple(_flag(one) for one in data["flags"])
    tenant = None if data["tenant_id"] is None else _text(data["tenant_id"])
    evaluations = {}
    if tenant is not None:
        told = data["evaluations"]
        evaluations = {flag.flag_name: _evaluation(told[flag.flag_name]) for flag in flags}
    return Listing(_moment(data["now"]), tenant, flags, evaluations)


def _flag(data: dict[str, Any]) -> ListedFlag:
    last, percentage = data["last_change"], data["canary_percentage"]
    if type(percentage) is not int:
        raise TypeError("canary_percentage")
    return ListedFlag(
        _text(data["flag_name"]),
        FlagType(data["flag_type"]),
        FlagState(data["current_state"]),
        percentage,
        tuple(map(_text, data["canary_tenant_ids"])),
        None
        if last is None
        else ListedChange(_moment(last["changed_at"]), _text(last["changed_by"]), _text(last["change_reason"])),
    )


def _evaluation(data: dict[str, Any]) -> ListedEvaluation:
    return ListedEvaluation(FlagState(data["state"]), _text(data["dependency"] or data["reason"]))


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text")
    return value
