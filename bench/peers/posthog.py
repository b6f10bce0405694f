"""PostHog, local evaluation: a rollout of ten per cent, the override as a group with a condition."""

import json
import logging
from importlib.metadata import version as installed

from posthog import Posthog

logging.disable(logging.CRITICAL)


def version():
    return installed("posthog")


def prepare(flags, folder):
    one = {"key": "id", "type": "person", "operator": "exact", "value": ["tenant-0007"]}
    groups = [{"properties": [one], "rollout_percentage": 100}, {"properties": [], "rollout_percentage": 10}]
    return json.dumps(
        [
            {"id": number, "key": f"team.flag_{number:05}", "name": "", "active": True, "filters": {"groups": groups}}
            for number in range(flags)
        ]
    )


def load(prepared):
    client = Posthog("bench", host="http://127.0.0.1:9", sync_mode=True, enable_local_evaluation=False)
    client.feature_flags = json.loads(prepared)
    return client


def asker(client):
    ask = client.feature_enabled
    return lambda flag, tenant: ask(
        flag, tenant, person_properties={"id": tenant}, only_evaluate_locally=True, send_feature_flag_events=False
    )
