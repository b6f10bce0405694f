"""UnleashClient: its own canary by stickiness, the override as a strategy by user id."""

import logging
from importlib.metadata import version as installed

from UnleashClient import UnleashClient
from UnleashClient.cache import FileCache

logging.disable(logging.CRITICAL)
_made = iter(range(10**9))


def version():
    return installed("UnleashClient")


def prepare(flags, folder):
    features = [
        {
            "name": f"team.flag_{number:05}",
            "type": "release",
            "enabled": True,
            "strategies": [
                {"name": "userWithId", "parameters": {"userIds": "tenant-0007"}},
                {
                    "name": "flexibleRollout",
                    "parameters": {"rollout": "10", "stickiness": "userId", "groupId": f"team.flag_{number:05}"},
                },
            ],
        }
        for number in range(flags)
    ]
    return {"version": 2, "features": features}, folder


def load(prepared):
    features, folder = prepared
    cache = FileCache(f"bench{next(_made)}", directory=folder)
    cache.bootstrap_from_dict(features)
    client = UnleashClient(
        "http://127.0.0.1:9/api",
        "bench",
        disable_metrics=True,
        disable_registration=True,
        refresh_interval=10**6,
        cache=cache,
    )
    client.initialize_client(fetch_toggles=False)
    return client


def asker(client):
    ask = client.is_enabled
    return lambda flag, tenant: ask(flag, {"userId": tenant})


def close(client):
    client.destroy()
