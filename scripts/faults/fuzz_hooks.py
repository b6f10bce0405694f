"""What ``scripts/fuzz`` adds to schemathesis: real names in paths, whole requests that can be carried out, one check of its own, and
a count of the answers."""

from __future__ import annotations

import atexit
import json
import os
import zlib
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

import httpx
import schemathesis
from schemathesis.generation.meta import TestPhase

from faults.recipes import RECIPES, Kitchen

THERE = json.loads(os.environ["FUZZ_THERE"])
_answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
_versions: dict[str, int] = {}
_kitchen = Kitchen(THERE["url"], THERE["admin"])


@schemathesis.hook
def before_call(context, case, kwargs):
    """Put the names of what is there into most paths, and keep the keys that the run needs from being rotated or revoked. In half of the
    requests also put the flag's version, and keys and positions that don't lead to a refusal before anything else is looked at; a third
    of those that chance never gets right become the request of a recipe."""
    dice = zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode())
    for parameter, value in (case.path_parameters or {}).items():
        known = THERE["names"].get(parameter)
        if known and dice % 4:
            case.path_parameters[parameter] = known[dice // 4 % len(known)]
        if parameter == "key_id" and value in THERE["key_ids"]:
            case.path_parameters[parameter] = THERE["names"]["key_id"][0]
    if case.headers and dice % 2 and _is_valid(case):
        _without_conditions(case.headers)
        version = _versions.get((case.path_parameters or {}).get("name"))
        if version is not None:
            case.headers["If-Match"] = f'"{version}"'
    recipe = RECIPES.get(_name_of(case))
    if recipe is not None and case.headers and dice % 3 == 0 and _is_valid(case):
        # What it needs may be impossible now, such as a message where none waits: then the request stays what chance made it.
        with suppress(httpx.HTTPError, StopIteration):
            _serve(case, *recipe(_kitchen))


def _serve(case, names, body, version, query):
    case.path_parameters = dict(names)
    case.query = dict(query)
    # Its Authorization stays: without, the request would count as one that breaks the document.
    _without_conditions(case.headers)
    if version is not None:
        case.headers["If-Match"] = f'"{version}"'
    if body is not None:
        case.body, case.media_type = body, "application/json"


def _without_conditions(headers):
    """Leave out what would lead to a refusal before anything else is looked at."""
    for name in [name for name in headers if name.lower() in {"idempotency-key", "x-flagconsole-position", "if-match"}]:
        del headers[name]


def _name_of(case) -> str:
    return f"{case.operation.method.upper()} {case.operation.path}"


def _is_valid(case) -> bool:
    """Whether it is meant to keep to the document, rather than to break it in the very headers that would be replaced."""
    meta = case.meta
    return (
        meta is not None
        and meta.generation.mode.is_positive
        and meta.phase.name in {TestPhase.FUZZING, TestPhase.STATEFUL}
    )


@schemathesis.hook
def after_call(context, case, response):
    """Count, and keep in mind the versions of flags."""
    _answers[_name_of(case)][str(response.status_code)] += 1
    with suppress(ValueError, TypeError, KeyError):
        flag = response.json()["flag"]
        _versions[flag["flag_name"]] = flag["version"]


@schemathesis.check
def no_accident(ctx, response, case):
    """Nothing unexpected happens. A server behind the position that a client claims to have seen says so with 503, and that it asks for
    a moment is an answer too."""
    if response.status_code >= 500:
        code = response.json()["code"]
        assert code in {"replica_behind", "server_busy", "anchor_not_kept"}, code


@atexit.register
def _write() -> None:
    Path(os.environ["FUZZ_ANSWERS"]).write_text(json.dumps(_answers))
