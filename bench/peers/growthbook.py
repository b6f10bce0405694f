"""GrowthBook: a rule of coverage by id, the override as a rule with a condition."""

import json
from importlib.metadata import version as installed

from growthbook import GrowthBook


def version():
    return installed("growthbook")


def prepare(flags, folder):
    rules = [
        {"condition": {"id": {"$in": ["tenant-0007"]}}, "force": True},
        {"force": True, "coverage": 0.1, "hashAttribute": "id"},
    ]
    return json.dumps({f"team.flag_{number:05}": {"defaultValue": False, "rules": rules} for number in range(flags)})


def load(prepared):
    return GrowthBook(attributes={"id": ""}, features=json.loads(prepared))


def asker(client):
    def ask(flag, tenant):
        client.set_attributes({"id": tenant})
        return client.is_on(flag)

    return ask
