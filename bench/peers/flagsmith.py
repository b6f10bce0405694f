"""Flagsmith, local evaluation: a segment of ten per cent, the override as an identity's own feature."""

import json
import os
from importlib.metadata import version as installed

from flagsmith import Flagsmith
from flagsmith.offline_handlers import LocalFileHandler


def version():
    return installed("flagsmith")


def _state(number, enabled, **more):
    return {
        "enabled": enabled,
        "feature": {"id": number + 1, "name": f"team.flag_{number:05}", "type": "STANDARD"},
        "feature_state_value": None,
        "featurestate_uuid": f"00000000-0000-4000-8000-{number:012}",
        "django_id": number + 1,
        "multivariate_feature_state_values": [],
        **more,
    }


def prepare(flags, folder):
    condition = {"operator": "PERCENTAGE_SPLIT", "property_": None, "value": "10"}
    segment = {
        "id": 1,
        "name": "tenth",
        "rules": [{"type": "ALL", "conditions": [condition], "rules": []}],
        "feature_states": [_state(number, True, feature_segment={"priority": 1}) for number in range(flags)],
    }
    environment = {
        "id": 1,
        "api_key": "bench",
        "name": "bench",
        "updated_at": "2026-01-01T00:00:00Z",
        "project": {
            "id": 1,
            "name": "bench",
            "organisation": {
                "id": 1,
                "name": "bench",
                "feature_analytics": False,
                "stop_serving_flags": False,
                "persist_trait_data": False,
            },
            "hide_disabled_flags": False,
            "segments": [segment],
        },
        "feature_states": [_state(number, False) for number in range(flags)],
        "identity_overrides": [
            {
                "identifier": "tenant-0007",
                "identity_uuid": "00000000-0000-4000-9000-000000000007",
                "created_date": "2026-01-01T00:00:00Z",
                "environment_api_key": "bench",
                "identity_features": [_state(number, True) for number in range(flags)],
                "identity_traits": [],
            }
        ],
    }
    path = os.path.join(folder, f"flagsmith-{flags}.json")
    with open(path, "w") as file:
        json.dump(environment, file)
    return path


def load(path):
    return Flagsmith(offline_mode=True, offline_handler=LocalFileHandler(path))


def asker(client):
    ask = client.get_identity_flags
    return lambda flag, tenant: ask(tenant).is_feature_enabled(flag)
