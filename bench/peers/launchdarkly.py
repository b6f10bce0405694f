"""LaunchDarkly, offline: its file data source; a rollout of weights, the override as a target."""

import json
import logging
import os
from importlib.metadata import version as installed

from ldclient import Context, LDClient
from ldclient.config import Config
from ldclient.integrations import Files

logging.disable(logging.CRITICAL)


def version():
    return installed("launchdarkly-server-sdk")


def prepare(flags, folder):
    listed = {
        f"team.flag_{number:05}": {
            "key": f"team.flag_{number:05}",
            "on": True,
            "version": 1,
            "salt": "bench",
            "variations": [True, False],
            "offVariation": 1,
            "targets": [{"variation": 0, "values": ["tenant-0007"]}],
            "fallthrough": {
                "rollout": {"variations": [{"variation": 0, "weight": 10000}, {"variation": 1, "weight": 90000}]}
            },
        }
        for number in range(flags)
    }
    path = os.path.join(folder, f"launchdarkly-{flags}.json")
    with open(path, "w") as file:
        json.dump({"flags": listed}, file)
    return path


def load(path):
    source = Files.new_data_source(paths=[path], auto_update=False)
    return LDClient(
        Config("sdk-bench", update_processor_class=source, send_events=False, diagnostic_opt_out=True), start_wait=20
    )


def asker(client):
    ask, context = client.variation, Context.create
    return lambda flag, tenant: ask(flag, context(tenant), False)


def close(client):
    client.close()
