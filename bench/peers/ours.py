"""Ours: the SDK, from a snapshot as the server sends it."""

import json

from flagconsole import __version__
from flagconsole.domain.payload import parse_snapshot
from flagconsole.sdk import FlagClient


def version():
    return __version__


def prepare(flags, folder):
    common = {
        "flag_type": "feature",
        "canary_tenant_ids": [],
        "canary_holdout_ids": None,
        "dependencies": [],
        "version": 1,
    }
    listed = [
        {"flag_name": f"team.flag_{number:05}", "current_state": "canary", "canary_percentage": 10, **common}
        for number in range(flags)
    ]
    overrides = [
        {
            "flag_name": flag["flag_name"],
            "tenant_id": "tenant-0007",
            "override_state": "on",
            "expires_at": None,
        }
        for flag in listed
    ]
    return json.dumps({"schema": 1, "epoch": "e", "revision": 1, "flags": listed, "overrides": overrides})


def load(prepared):
    client = FlagClient("http://127.0.0.1:9", "fc_bench", cache_dir=False, start=False)
    client._held.restore(parse_snapshot(prepared), ("e", 1), 0.0)
    return client


def asker(client):
    return client.is_enabled


def close(client):
    client.close(0)
