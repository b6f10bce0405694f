"""Statsig's Rust core, from a data store and without network: a gate that passes ten per cent, the override as a rule before it."""

import json
from importlib.metadata import version as installed

from statsig_python_core import DataStore, Statsig, StatsigOptions, StatsigUser
from statsig_python_core.data_store import DataStoreResponse


def version():
    return installed("statsig-python-core")


class Specs(DataStore):
    """Hands out one text."""

    def __init__(self, text):
        super().__init__()
        self.text = text

    def get(self, key):
        return DataStoreResponse(result=self.text, time=1)


def _rule(name, share, condition):
    return {
        "name": name,
        "id": name,
        "salt": "bench",
        "passPercentage": share,
        "conditions": [condition],
        "returnValue": True,
        "idType": "userID",
        "groupName": name,
    }


def prepare(flags, folder):
    gate = {
        "type": "feature_gate",
        "salt": "bench",
        "enabled": True,
        "defaultValue": False,
        "rules": [_rule("one", 100, "one"), _rule("tenth", 10, "everyone")],
        "isDeviceBased": False,
        "idType": "userID",
        "entity": "feature_gate",
        "version": 1,
    }
    conditions = {
        "everyone": {
            "type": "public",
            "targetValue": None,
            "operator": None,
            "field": None,
            "additionalValues": {},
            "idType": "userID",
        },
        "one": {
            "type": "user_field",
            "targetValue": ["tenant-0007"],
            "operator": "any",
            "field": "userID",
            "additionalValues": {},
            "idType": "userID",
        },
    }
    return json.dumps(
        {
            "has_updates": True,
            "time": 1,
            "feature_gates": {f"team.flag_{number:05}": gate for number in range(flags)},
            "dynamic_configs": {},
            "layer_configs": {},
            "condition_map": conditions,
            "param_stores": {},
            "experiment_to_layer": {},
            "id_lists": {},
            "layers": {},
            "response_format": "dcs-v2",
        }
    )


def load(text):
    options = StatsigOptions(
        data_store=Specs(text), disable_network=True, disable_all_logging=True, output_log_level="none"
    )
    client = Statsig("secret-bench", options)
    client.initialize().wait()
    return client


def asker(client):
    ask = client.check_gate
    return lambda flag, tenant: ask(StatsigUser(user_id=tenant), flag)


def close(client):
    client.shutdown().wait()
